"""A voice for a text, by a synthesiser that is there: ours to call, not to ship."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

from avtool.errors import InputError, MediaError, shown

# Each takes the text on stdin and writes a wav to the place of {}.
KNOWN = (
    "espeak-ng --stdin -w {}",
    "espeak --stdin -w {}",
    "flite -f /dev/stdin -o {}",
    "say -f - --data-format=LEI16@22050 -o {}",
)
PATIENCE = 600.0  # seconds


def command() -> list[str]:
    """The words of the synthesiser to use: ``AVTOOL_SPEAK``, else the first known one on the PATH.

    Raises:
        InputError: there is none, or ``AVTOOL_SPEAK`` is no command that writes a file.
    """
    if own := os.environ.get("AVTOOL_SPEAK"):
        words = shlex.split(own)
        if "{}" not in own or not shutil.which(words[0]):
            raise InputError(
                f"AVTOOL_SPEAK: '{own}' is no command; it reads a text on stdin and writes a wav "
                "to the place of {}, as 'piper -m voice.onnx -f {}'"
            )
        return words
    found = (shlex.split(each) for each in KNOWN if shutil.which(each.split()[0]))
    if words := next(found, []):
        return words
    raise InputError(
        "--text needs a speech synthesiser: install espeak-ng, or set AVTOOL_SPEAK to a command "
        "that reads a text on stdin and writes a wav to the place of {}"
    )


def speak(text: str, wav: Path) -> None:
    """Let a text be said into a wav.

    Raises:
        InputError: there is no synthesiser.
        MediaError: it fails.
    """
    words = [word.replace("{}", str(wav)) for word in command()]
    try:
        ended = subprocess.run(
            words, input=text.encode(), capture_output=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MediaError(
            f"{words[0]}: cannot speak ({error}); AVTOOL_SPEAK names another"
        ) from error
    if ended.returncode or not wav.exists() or not wav.stat().st_size:
        *_, said = ["", *ended.stderr.decode(errors="replace").strip().splitlines()]
        why = shown(said) or f"it ended with code {ended.returncode}"
        raise MediaError(f"{words[0]}: wrote no sound ({why}); AVTOOL_SPEAK names another")
