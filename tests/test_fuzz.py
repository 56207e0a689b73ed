"""A share of ``fuzz.py`` and ``kill.py``; and that they would see what they look for."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import X264, naive
from fuzz import SAMPLES, File, Fuzz, command, fuzz
from kill import kill, trials

# A program that does its work well, but for files that hold a word.
WRONG = """
import json, os, signal, subprocess, sys, time
*_, flag, out = sys.argv[:sys.argv.index("-o") + 2]
os.makedirs(out, exist_ok=True)
failed = False
for name in sys.argv[sys.argv.index(out) + 1:]:
    data = open(name, "rb").read()
    path = out + os.path.basename(name) + ".json"
    report = {"status": "done", "outputs": [path], "warnings": []}
    made = {"value": 1.0}
    if b"TRACEBACK" in data:
        print("Traceback (most recent call last):\\nValueError: no", file=sys.stderr)
    if b"NUMPY" in data:
        print("numpy.py:1: RuntimeWarning: invalid value", file=sys.stderr)
    if b"CRASH" in data:
        os.kill(os.getpid(), signal.SIGSEGV)
    if b"HANG" in data:
        time.sleep(60)
    if b"CHILD" in data:
        subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if b"PART" in data:
        open(path + ".part", "w").close()
    if b"TEMPORARY" in data:
        open(os.environ["TMPDIR"] + "/avtool-1", "w").close()
    if b"NAN" in data:
        made["value"] = float("nan")
    if b"SECRET" in data:
        made["found"] = "what nobody named"
    if b"FAULT" in data:
        report |= {"status": "failed", "outputs": [], "error": "unexpected ValueError: no"}
    elif b"LIE" not in data:
        open(path, "w").write(json.dumps(made))
    failed = failed or report["status"] == "failed"
    print(json.dumps(report), flush=True)
sys.exit(3 if b"CODE" in data else failed)
"""
FAULTS = {
    "TRACEBACK": "traceback",
    "NUMPY": "strange line",
    "CRASH": "crash",
    "HANG": "hang",
    "CHILD": "children",
    "PART": "left behind",
    "TEMPORARY": "left behind",
    "NAN": "unreadable",
    "SECRET": "canary",
    "FAULT": "unexpected",
    "LIE": "unreadable",
    "CODE": "exit code",
}


@pytest.fixture
def wrong(tmp_path: Path) -> Fuzz:
    (tmp_path / "wrong.py").write_text(WRONG)
    program = [sys.executable, "-S", str(tmp_path / "wrong.py")]
    return Fuzz(tmp_path, [b"what nobody named"], program, patience=0.2)


@pytest.mark.parametrize("word", FAULTS)
def test_each_fault_is_found_and_traced_to_its_file(wrong: Fuzz, tmp_path: Path, word: str) -> None:
    files = [File(tmp_path / f"f0000{n}.wav", "sound") for n in range(3)]
    for file in files:
        file.path.write_bytes(b"sound" * 10)
    assert not wrong.look(command("mel"), files).faults
    files[-1].path.write_bytes(b"sound" * 10 + word.encode() + b"sound" * 10)
    found = wrong.look(replace(command("mel"), limit=2.0), files)
    assert [(each.what, each.file) for each in found.faults] == [(FAULTS[word], files[-1])]
    if word == "CRASH":
        assert wrong.shrunk(found.faults[0]) == b"CRASH"


def test_damaged_media_through_all_commands(tmp_path: Path) -> None:
    _, looked = fuzz(range(120), 1, tmp_path)
    faults = [fault for found in looked.values() for fault in found.faults]
    assert not faults, "\n".join(f"{each.command.name} {each.file}: {each}" for each in faults)
    for name, found in looked.items():  # neither all whole nor all refused
        done = found.outcomes["done"] + found.outcomes["warned"]
        assert done and (found.outcomes["failed"] or name.startswith("lips")), name


def test_signals_at_any_moment(tmp_path: Path) -> None:
    media = tmp_path / "media"
    media.mkdir()
    naive("-i", SAMPLES / "speech.wav", "-t", "1", media / "speech.wav")
    short = ["-t", "0.6", "-vf", "scale=256:144", *X264]
    naive("-i", SAMPLES / "cocktail.mp4", *short, media / "cocktail.mp4")
    ended = kill(trials(5, 1, ["waveform", "separate"]), media, tmp_path)
    assert not [(trial, how, wrong) for trial, how, wrong in ended if wrong]
