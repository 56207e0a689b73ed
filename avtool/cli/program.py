"""The Typer programs that commands are added to: ``avtool`` and ``avtool eval``."""

from __future__ import annotations

import typer

app = typer.Typer(
    name="avtool",
    help="Sound and pictures of talking people, on a bare machine, offline.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
evaluation = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(
    evaluation, name="eval", help="Accuracy of a command on files whose truth lies beside them."
)
