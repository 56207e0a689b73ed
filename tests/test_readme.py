"""The README says what the commands do; that its examples run, ``readme.py --check`` tells."""

from __future__ import annotations

import readme

from avtool.cli import app


def test_every_command_and_option_is_in_the_reference() -> None:
    text = readme.README.read_text()
    for command in app.registered_commands:
        assert f"`avtool {command.callback.__name__}`" in text
    assert "`--n-mels`" in text and "`-o`, `--out`" in text


def test_a_lie_is_seen() -> None:
    text = readme.README.read_text()
    assert readme.generated(text) == text
    assert readme.examples(text)
    assert readme.generated(text.replace("`--n-mels`", "`--mels`")) == text
    assert text.replace("`--n-mels`", "`--mels`") != text
