"""How a run ends: in order, in one line, with the right code, whatever it meets on its way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Avtool, program, sine_wav

from avtool.cli.signals import interruptible
from avtool.cli.terminal import Progress, say

SPEECH = Path(__file__).parents[1] / "sample_media" / "speech.wav"
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
# Something happens in the program as soon as it imports a module.
WHEN = """
import os, signal, sys, time
# A shell's background and nohup have them ignored, and so would this.
signal.signal(signal.SIGINT, signal.default_int_handler)
for each in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(each, signal.SIG_DFL)
class Hook:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r} and sys.meta_path.remove(self) is None:
            {what}
sys.meta_path.insert(0, Hook())
sys.argv[0] = "avtool"
from avtool.__main__ import main
main()
"""


def when(module: str, what: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own, where ``what`` is done when it imports a module."""
    code = WHEN.format(module=module, what=what)
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("typer", ""),
        ("avtool.cli.options", ""),
        ("avtool.cli.drive", "avtool: interrupted\n"),
        ("soundfile", "avtool: interrupted; 0 of 1 done, a rerun goes on\n"),
    ],
)
def test_a_signal_at_any_time(
    module: str, words: str, number: signal.Signals, tmp_path: Path
) -> None:
    """While it imports itself, before its work stands, and in its work."""
    what = f"os.kill(os.getpid(), {int(number)}); time.sleep(0.1)"
    ran = when(module, what, "mel", SPEECH, "-o", tmp_path / "x.npy")
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", words)
    assert os.listdir(tmp_path) == []


def test_a_signal_that_a_library_takes_for_its_own_failure(tmp_path: Path) -> None:
    """As compiled ones do of whatever is raised while they are loaded."""
    what = "try:\n    os.kill(os.getpid(), signal.SIGINT); time.sleep(0.1)\n"
    what += "except BaseException:\n    raise ImportError('initialization failed')"
    ran = when("avtool.cli.drive", f"exec({what!r})", "mel", SPEECH, "-o", tmp_path / "x.npy")
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "avtool: interrupted\n")
    assert os.listdir(tmp_path) == []


def test_what_is_ignored_stays_ignored() -> None:
    """A hang-up under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) not in (signal.SIG_DFL, signal.SIG_IGN)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_who_asks_again_need_not_wait() -> None:
    """For something that does not end, once a second signal is no echo of the first."""
    code = (
        "import sys, time\nfrom avtool.cli import signals\nsignals.PATIENCE = float(sys.argv[1])\n"
    )
    code += "with signals.interruptible():\n    try:\n        print('up', flush=True)\n"
    code += "        time.sleep(60)\n    except signals.Interrupted:\n"
    code += "        print('ending', flush=True)\n        input()\n        print('ended')"
    for patience, ended in ((0.0, b""), (60.0, b"ended\n")):
        run = subprocess.Popen(
            [sys.executable, "-c", code, str(patience)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert run.stdout is not None and run.stdout.readline() == b"up\n"
        run.send_signal(signal.SIGTERM)
        assert run.stdout.readline() == b"ending\n"
        run.send_signal(signal.SIGTERM)
        if not ended:
            run.wait(60)
        time.sleep(0.05)
        assert run.communicate(b"\n")[0] == ended
        assert run.returncode == (0 if ended else 130)


@pytest.mark.parametrize("error", ["ImportError('libtorch: cannot map it')", "MemoryError()"])
@pytest.mark.parametrize("module", ["typer", "avtool.cli.drive", "soundfile"])
def test_an_import_that_fails(module: str, error: str, tmp_path: Path) -> None:
    """As many do where there is little memory."""
    ran = when(module, f"raise {error}", "mel", SPEECH, "-o", tmp_path / "x.npy")
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (1, "", 1), ran.stderr
    assert ran.stderr.startswith("avtool: ")
    assert os.listdir(tmp_path) == []


def test_a_reader_that_has_seen_enough(tmp_path: Path) -> None:
    """The files are made all the same."""
    for k in range(4):
        sine_wav(tmp_path / "in" / f"{k}.wav")
    for arguments in (
        ("mel", "in", "-f", "npy", "-o", "out/"),
        ("mel", "in", "-f", "npy", "-o", "out/", "--json"),
        ("mel", "in/0.wav", "-f", "npy", "-o", "-"),
        ("info", "in"),
        ("--version",),
    ):
        there, here = os.pipe()
        os.close(there)
        ran = shell(tmp_path, here, *arguments)
        os.close(here)
        words = "avtool: 4 done, 0 already there, 0 failed\n" if "in" in arguments else ""
        assert (ran.returncode, ran.stderr.replace("0 done, 4", "4 done, 0")) == (0, words)
    assert len(os.listdir(tmp_path / "out")) == 4


def shell(cwd: Path, stdout: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "avtool", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, stdout=stdout, stderr=subprocess.PIPE, text=True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a system without it")
def test_a_stdout_that_is_full(tmp_path: Path) -> None:
    for k in range(4):
        sine_wav(tmp_path / "in" / f"{k}.wav")
    full = os.open("/dev/full", os.O_WRONLY)
    for arguments in (
        ("mel", "in", "-f", "npy", "-o", "out/", "-q"),
        ("mel", "in/0.wav", "-f", "npy", "-o", "-"),
        ("info", "in", "--json", "-q"),
        ("--version",),
    ):
        ran = shell(tmp_path, full, *arguments)
        words = "avtool: stdout: cannot be written (No space left on device)\n"
        assert (ran.returncode, ran.stderr) == (1, words)
    os.close(full)
    assert len(os.listdir(tmp_path / "out")) == 4


def test_streams_that_are_closed(tmp_path: Path) -> None:
    """Words do not go where data belong, and the work is done."""
    sine_wav(tmp_path / "a.wav")
    name = f"{sys.executable} -m avtool mel"
    for script, code, out in (
        (f"{name} missing.wav a.wav -f npy 2>&-", 1, "a.mel.npy\n"),
        (f"{name} a.wav -f csv >&-", 0, ""),
        (f"{name} a.wav -f npy -o - >&-", 1, ""),
    ):
        ran = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True)
        assert (ran.returncode, ran.stdout) == (code, out)
        assert ran.stderr in ("", "avtool: stdout: cannot be written (it is closed)\n")
    assert sorted(os.listdir(tmp_path)) == ["a.mel.csv", "a.mel.npy", "a.wav"]


EVIL = "x\navtool: all is well\r\x1b[31m\u202e[b].wav"


def test_names_cannot_write_lines(avtool: Avtool, tmp_path: Path) -> None:
    sine_wav(tmp_path / EVIL)
    shown = r"x\navtool: all is well\r\x1b[31m\u202e[b]"
    ran = avtool("mel", EVIL, "-f", "npy,png")
    assert (ran.code, ran.err) == (0, "")
    assert ran.lines == [f"{shown}.mel.npy", f"{shown}.mel.png"]
    ran = avtool("mel", EVIL, "-f", "npy")
    assert ran.err == f"avtool: {shown}.wav: {shown}.mel.npy exists; --overwrite replaces it\n"
    ran = avtool("info", EVIL)
    assert len(ran.lines) == 2 and ran.lines[0].startswith(f"{shown}.wav: wav, 0.50 s")
    for command in ("mel", "info"):
        ran = avtool(command, "no" + EVIL)
        assert (ran.code, ran.err.count("\n")) == (1, 1) and f"no{shown}.wav: " in ran.err
    report = json.loads(avtool("mel", EVIL, "-f", "csv", "--json").out)
    assert (report["input"], report["outputs"]) == (EVIL, [EVIL[:-4] + ".mel.csv"])


def test_a_bar_shows_names_as_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(Progress, "PATIENCE", 0.0)
    with Progress(1) as bar:
        bar.at(EVIL, 0.5, "reading")
        say.note(EVIL)
    assert r"x\navtool: all is well\r\x1b[31m\u202e[b].wav" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "darwin", reason="names are UTF-8 there")
def test_names_that_are_not_utf8_are_told_of(tmp_path: Path) -> None:
    name = os.fsdecode(b"missing\xff.wav")
    ran = program("mel", name, cwd=tmp_path)
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    assert r"missing\udcff.wav: no such file" in ran.stderr
    ran = program("mel", name, "--json", cwd=tmp_path)
    assert os.fsencode(json.loads(ran.stdout)["input"]) == b"missing\xff.wav"


def test_a_folder_that_cannot_be_searched(
    avtool: Avtool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts as an input that failed; what lies beside it is done. (Root may search all.)"""
    sine_wav(tmp_path / "in" / "a.wav")
    sine_wav(tmp_path / "in" / "shut" / "b.wav")
    for name in ("scandir", "listdir"):

        def guarded(path: str, whole: object = getattr(os, name)) -> object:
            if Path(path).name == "shut":
                raise PermissionError(13, "Permission denied", str(path))
            return whole(path)  # type: ignore[operator]

        monkeypatch.setattr(os, name, guarded)
    ran = avtool("mel", "in", "-f", "npy", "-o", "out/")
    assert (ran.code, ran.lines) == (1, ["out/a.mel.npy"])
    assert "avtool: in/shut: Permission denied\n" in ran.err and "1 done" in ran.err
    ran = avtool("eval", "lips", "in")
    assert (ran.code, ran.err) == (1, "avtool: in/shut: Permission denied\n")


def test_a_path_in_a_closed_folder(avtool: Avtool, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.stat

    def guarded(path: object, *more: object, **keys: object) -> os.stat_result:
        if "shut" in str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return whole(path, *more, **keys)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", guarded)
    for arguments in (
        ("mel", "shut/a.wav"),
        ("mel", SPEECH, "-f", "npy", "-o", "shut/x.npy"),
        ("mel", SPEECH, "-f", "npy", "-o", "shut/"),
        ("info", "shut/a.wav"),
    ):
        ran = avtool(*arguments)
        assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
        assert ran.err.startswith("avtool: shut/") and "ermi" in ran.err and "[Errno" not in ran.err
