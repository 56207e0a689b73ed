"""The cache: read by nobody else, whole or made again, bounded, and cleared when asked."""

from __future__ import annotations

import json
import os
import pickle
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Avtool

from avtool import cache
from avtool.face import Track, from_arrays, to_arrays


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache's folder, which is not there yet."""
    monkeypatch.setenv("AVTOOL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_unwritten", {})
    monkeypatch.setattr(cache, "on_damage", None)
    return tmp_path / "cache"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"a film")
    return path


@pytest.fixture
def track() -> Track:
    rng = np.random.default_rng(0)
    boxes, lips, scores = (rng.random(shape, np.float32) for shape in ((3, 4), (3, 40, 3), (3,)))
    portrait = rng.integers(0, 256, (160, 160, 3), np.uint8)
    return Track(1, np.array([4, 5, 7]), boxes, lips, scores, portrait, 5)


class Made:
    """Something that is made of a source, and how often it was."""

    def __init__(self, source: Path, arrays: dict[str, Any], read: Any = dict) -> None:
        self.source, self.arrays, self.read, self.times = source, arrays, read, 0

    def make(self) -> dict[str, Any]:
        self.times += 1
        return self.arrays

    def get(self, what: str = "thing") -> Any:
        return cache.cached(self.source, what, self.make, self.read)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def entry() -> Path:
    (path,) = cache.entries()
    return path


@pytest.fixture
def open_umask() -> Any:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_nobody_else_may_read_it(source: Path, place: Path) -> None:
    Made(source, {"a": np.arange(3)}).get()
    assert (mode(place), mode(entry())) == (0o700, 0o600)


@pytest.mark.usefixtures("open_umask")
def test_the_usual_folder_is_closed_and_one_that_was_named_stays_as_it_is(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "named").mkdir(0o755)
    monkeypatch.setenv("AVTOOL_CACHE", str(tmp_path / "named"))
    Made(source, {"a": np.arange(3)}).get()
    assert (mode(tmp_path / "named"), mode(entry())) == (0o755, 0o600)
    monkeypatch.delenv("AVTOOL_CACHE")
    monkeypatch.setattr(cache, "user_cache_path", lambda *a, **k: tmp_path / "usual")
    (tmp_path / "usual").mkdir(0o755)  # by an older version
    Made(source, {"a": np.arange(3)}).get()
    assert (mode(tmp_path / "usual"), mode(entry())) == (0o700, 0o600)


RNG = np.random.default_rng(0)


def truncated(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: RNG.integers(len(content))])


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[RNG.integers(len(content))] ^= 1 << RNG.integers(8)
    path.write_bytes(content)


def as_npy(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.arange(9))


def as_older_version(path: Path) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, a=np.arange(4))


def as_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def as_device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def of_another(path: Path) -> None:
    """What was kept for another question."""
    Made(path.parent.parent / "film.mp4", {"a": np.arange(5)}).get("another thing")
    (other,) = (each for each in cache.entries() if each != path)
    other.replace(path)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def huge(path: Path) -> None:
    os.truncate(path, 1 << 40)  # of holes


DAMAGE = [truncated, flipped, as_npy, as_older_version, as_pipe, as_device, of_another, empty, huge]


@pytest.mark.parametrize("damage", DAMAGE)
def test_an_entry_that_is_not_as_it_was_written_is_made_again(
    source: Path, damage: Callable[[Path], None]
) -> None:
    made = Made(source, {"a": np.arange(4)})
    for times in range(1, 30 if damage in (truncated, flipped) else 3):
        assert made.get()["a"].tolist() == [0, 1, 2, 3]
        assert made.get()["a"].tolist() == [0, 1, 2, 3]
        assert made.times == times  # once more, and then it is there again
        damage(entry())


def test_a_folder_in_its_place_is_done_without(source: Path, place: Path) -> None:
    made = Made(source, {"a": np.arange(4)})
    made.get()
    path = entry()
    path.unlink()
    path.mkdir()
    assert made.get()["a"].tolist() == made.get()["a"].tolist() == [0, 1, 2, 3]
    assert made.times == 2 and path.is_dir()  # in memory


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path("went-off").touch, ()


def test_objects_are_never_unpickled(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even with the right sum."""
    monkeypatch.chdir(tmp_path)
    made = Made(source, {"a": np.arange(4)})
    made.get()
    cache._keep(entry(), {"a": np.array([Bomb()], object)})
    assert made.get()["a"].tolist() == [0, 1, 2, 3] and made.times == 2
    assert not Path("went-off").exists()
    pickle.loads(pickle.dumps(Bomb()))  # as it would have
    assert Path("went-off").exists()


@pytest.mark.parametrize(
    "changed",
    [
        {"1.boxes": None},
        {"1.more": np.zeros(3)},
        {"x.boxes": np.zeros(3)},
        {"boxes": np.zeros(3)},
        {"2.boxes": np.zeros((3, 4), np.float32)},
        {"1.frames": np.arange(4)},
        {"1.frames": np.arange(3, dtype=np.float32)},
        {"1.boxes": np.zeros((3, 5), np.float32)},
        {"1.lips": np.zeros((3, 40, 3))},
        {"1.portrait": np.zeros((160, 160), np.uint8)},
        {"1.portrait_frame": np.arange(2)},
        {"1.scores": np.array(["a", "b", "c"])},
    ],
)
def test_arrays_that_are_no_tracks_are_made_again(
    source: Path, track: Track, changed: dict[str, Any]
) -> None:
    made = Made(source, to_arrays([track]), from_arrays)
    made.get()
    wrong = {k: v for k, v in (made.arrays | changed).items() if v is not None}
    cache._keep(entry(), wrong)
    (found,) = made.get()
    assert made.times == 2
    for name, array in to_arrays([found]).items():
        np.testing.assert_array_equal(array, made.arrays[name])


def test_what_was_not_used_for_longest_makes_way(
    source: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Made(source, {"a": np.random.default_rng(0).bytes(3000)})
    made.get("0")
    monkeypatch.setattr(cache, "MOST_BYTES", 3 * entry().stat().st_size + 10)
    (place / "holiday.npz").write_bytes(bytes(10_000))  # another's: not counted, not removed
    for what in ("1", "2"):
        made.get(what)
    for age, path in enumerate(cache.entries()):
        os.utime(path, (age, age))
    made.get("0")  # is used, so that 1 is the oldest
    assert made.times == 3
    made.get("3")
    assert made.times == 4 and len(cache.entries()) == 3
    for what in ("0", "2", "3"):
        made.get(what)
    assert made.times == 4
    made.get("1")
    assert made.times == 5
    assert (place / "holiday.npz").exists()


def test_the_limit_is_a_gigabyte() -> None:
    assert cache.MOST_BYTES == 10**9


def test_the_command_tells_and_clears(avtool: Avtool, source: Path, place: Path) -> None:
    ran = avtool("cache")
    assert (ran.code, ran.lines) == (0, [f"{place}: 0 entries, 0 of at most 1,000,000,000 bytes"])
    for what in ("1", "2"):
        Made(source, {"a": np.arange(4)}).get(what)
    (place / f".avtool-{'0' * 16}.part").write_bytes(bytes(7))  # what kill -9 left
    (place / "notes.txt").write_text("mine")
    size = sum(path.stat().st_size for path in place.iterdir()) - 4
    told = {"folder": str(place), "entries": 3, "bytes": size, "most_bytes": 10**9}
    assert json.loads(avtool("cache", "--json").out) == told
    ran = avtool("cache", "--clear")
    assert ran.lines == [f"{place}: 0 entries, 0 of at most 1,000,000,000 bytes"]
    assert [path.name for path in place.iterdir()] == ["notes.txt"]


def test_what_cannot_be_cleared_is_told(avtool: Avtool, place: Path) -> None:
    (place / f"{'0' * 32}.npz").mkdir(parents=True)
    ran = avtool("cache", "--clear")
    assert ran.code == 1 and not ran.out and len(ran.err.splitlines()) == 1
    assert f"{'0' * 32}.npz: cannot be cleared (Is a directory)" in ran.err


def test_a_cache_that_is_a_file_is_done_without(source: Path, place: Path, avtool: Avtool) -> None:
    place.write_text("mine")
    made = Made(source, {"a": np.arange(4)})
    assert made.get()["a"].tolist() == made.get()["a"].tolist() == [0, 1, 2, 3]
    assert made.times == 1 and place.read_text() == "mine"
    assert avtool("cache").lines[0].startswith(f"{place}: 0 entries")
