"""README.md and docs/ say what is; that their examples run, ``readme.py --check`` tells."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import readme


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The pages, and the names of what they link, to be spoiled."""
    for name in ("README.md", "SECURITY.md"):
        (tmp_path / name).write_text((readme.ROOT / name).read_text())
    shutil.copytree(readme.ROOT / "docs", tmp_path / "docs")
    for name in ("sample_media", "avtool", "CHANGELOG.md"):
        (tmp_path / name).symlink_to(readme.ROOT / name)
    return tmp_path


def spoil(page: Path, old: str, new: str) -> None:
    text = page.read_text()
    assert old in text
    page.write_text(text.replace(old, new))


def test_every_command_and_option_is_in_the_reference() -> None:
    text = (readme.ROOT / "docs" / "cli.md").read_text()
    every = dict(readme.commands(readme.program()))
    assert {"mel", "separate", "info", "eval lips"} <= every.keys()
    for name, command in every.items():
        assert f"`avtool {name}`" in text
        for option in command.params:
            assert option.param_type_name != "option" or option.opts[-1] in text
    assert text == readme.reference()
    assert "| `--seed N` | " in text and "`-o, --out PATH`" in text


def test_the_pages_are_whole(root: Path) -> None:
    assert list(readme.faults(root)) == []
    assert readme.examples((root / "README.md").read_text())


@pytest.mark.parametrize(
    ("page", "old", "new", "told"),
    [
        ("README.md", "](docs/media.md)", "](docs/medium.md)", "docs/medium.md does not exist"),
        ("README.md", "](docs/media.md)", "](docs/speed.md)", "does not link docs/media.md"),
        ("README.md", "sample_media/face.lips.jpg", "face.jpg", "face.jpg does not exist"),
        ("README.md", "## Limits\n", "## Limits\n" + 215 * "\n", "at most 215"),
        ("docs/faces.md", "](separate.md)", "](separate.md#nothing)", "#nothing is no heading"),
        ("docs/batch.md", "# Many files\n", f"# Many files\n\n{101 * 'x'}\n", "more than 100"),
    ],
)
def test_a_fault_is_told(root: Path, page: str, old: str, new: str, told: str) -> None:
    spoil(root / page, old, new)
    found = list(readme.faults(root))
    assert found and all(page in fault for fault in found)
    assert any(told in fault for fault in found)


def test_a_command_without_a_page_is_told(root: Path) -> None:
    (root / "docs" / "lips.md").unlink()
    assert "docs/lips.md: is missing, the page of lips" in list(readme.faults(root))


def test_an_example_that_fails_is_told() -> None:
    text = "```sh\navtool info sample_media/nothing.wav\nls\n```\n"
    assert readme.examples(text) == ["avtool info sample_media/nothing.wav"]
    (told,) = readme.failures(readme.examples(text))
    assert "no such file" in told
