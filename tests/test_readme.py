"""The README says what the commands do, and its examples run."""

from __future__ import annotations

import readme

from avtool.cli import app


def test_readme_is_true(capsys) -> None:
    assert readme.main() == 0, capsys.readouterr().out


def test_every_command_and_option_is_in_the_reference() -> None:
    text = readme.README.read_text()
    for command in app.registered_commands:
        assert f"`avtool {command.callback.__name__}`" in text
    assert "`--n-mels`" in text and "`-o`, `--out`" in text


def test_a_lie_is_seen() -> None:
    text = readme.README.read_text()
    assert readme.generated(text) == text
    assert readme.generated(text.replace("`--n-mels`", "`--mels`")) == text
    assert text.replace("`--n-mels`", "`--mels`") != text
