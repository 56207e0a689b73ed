"""Keep README.md, SECURITY.md and docs/ true.

python tests/readme.py --check    fails where a page is not what the program and the files are
python tests/readme.py --write    writes docs/cli.md from the program

Checked: docs/cli.md is what the commands say; every example on the sample media runs; links and
pictures exist; the README is short; each command has its page, and each page its link.
"""

from __future__ import annotations

import difflib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import typer

ROOT = Path(__file__).parents[1]
LONGEST = 215  # lines of the README
WIDEST = 100  # characters of a line, except in tables, code and pictures


def main() -> int:
    cli, true = ROOT / "docs" / "cli.md", reference()
    if "--write" in sys.argv:
        cli.write_text(true)
        return 0
    found = list(faults(ROOT))
    written = cli.read_text() if cli.exists() else ""
    if written != true:
        lines = difflib.unified_diff(
            written.splitlines(), true.splitlines(), "docs/cli.md", "commands", lineterm=""
        )
        print("\n".join(lines))
        found.append(
            "docs/cli.md: is not what the commands say; run: python tests/readme.py --write"
        )
    texts = [page.read_text() for page in pages(ROOT)]
    runs = list(dict.fromkeys(each for text in texts for each in examples(text)))
    found += failures(runs)
    print(
        "\n".join(found) or f"{len(texts)} pages, {len(runs)} examples run, docs/cli.md up to date"
    )
    return bool(found)


def pages(root: Path) -> list[Path]:
    return [root / "README.md", root / "SECURITY.md", *sorted((root / "docs").glob("*.md"))]


def faults(root: Path) -> Iterator[str]:
    """What can be seen without running anything."""
    readme = (root / "README.md").read_text()
    cli = root / "docs" / "cli.md"
    reference = cli.read_text() if cli.exists() else ""
    if (count := len(readme.splitlines())) > LONGEST:
        yield f"README.md: has {count} lines, at most {LONGEST} are asked for"
    for page in pages(root):
        name, text = page.relative_to(root), page.read_text()
        yield from (f"{name}: {fault}" for fault in [*broken(page, text), *wide(text)])
        # The pages of commands are linked by the reference, which is written from the program.
        linked = f"](docs/{page.name})" in readme or f"]({page.name})" in reference
        if page.parent != root and not linked:
            yield f"README.md: does not link {name}"
    for command in sorted((root / "avtool" / "pipelines").glob("*/command.py")):
        if not (root / "docs" / f"{command.parent.name}.md").exists():
            yield f"docs/{command.parent.name}.md: is missing, the page of {command.parent.name}"


def broken(page: Path, text: str) -> Iterator[str]:
    """Links and pictures of a page that lead nowhere."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(text)):
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        if re.match(r"[a-z]+:", target):
            continue  # of the net
        if not file.exists():
            yield f"{target} does not exist"
        elif anchor and anchor not in anchors(file.read_text()):
            yield f"{target} is no heading"


def wide(text: str) -> Iterator[str]:
    for line in prose(text).splitlines():
        if len(line) > WIDEST and not line.startswith(("|", "![")):
            yield f"more than {WIDEST} characters: {line}"


def prose(text: str) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.S | re.M)


def anchors(text: str) -> set[str]:
    """The names that headings have in links, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", prose(text), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def examples(text: str) -> list[str]:
    """What a page shows of the sample media: lines of ```sh with avtool, blocks of ```python."""
    blocks = re.findall(r"^```(sh|python)\n(.*?)^```", text, flags=re.S | re.M)
    found = []
    for kind, block in blocks:
        if kind == "sh":
            lines = block.replace("\\\n", "").splitlines()
            found += [x for x in lines if x.startswith("avtool ") and "sample_media" in x]
        elif "sample_media" in block:
            found.append(f"python - <<'END'\n{block}END")
    return found


def failures(commands: list[str]) -> Iterator[str]:
    """The examples that fail, run one after another beside the sample media."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "sample_media").symlink_to(ROOT / "sample_media")
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        env = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}
        env["BROWSER"] = "true"  # what `show` writes is opened by nobody
        env["AVTOOL_CACHE"] = f"{folder}/cache"
        for command in commands:
            done = subprocess.run(
                ["/bin/sh", "-ec", command],
                cwd=folder,
                env=env,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                yield f"{command}\n{done.stderr}"


def program() -> Any:
    """The program with all of its commands."""
    return typer.main.get_command(import_module("avtool.app").app)


def commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """All commands by their names, those of groups as "eval lips"."""
    context = typer.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if hasattr(command, "list_commands"):
            yield from commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def reference() -> str:
    """docs/cli.md: all commands and options, as the program declares them."""
    avtool = program()
    every = dict(commands(avtool))
    rows: dict[tuple[str, str, str], list[str]] = {}
    for name, command in every.items():
        for row in options(command):
            rows.setdefault(row, []).append(name)
    lines = [
        "# Command line",
        "",
        "Written by `python tests/readme.py --write` from the program itself.",
        "`avtool COMMAND --help` prints the same for one command. Exit codes, folders and pipes:",
        "[batch](batch.md).",
        "",
        *("## Commands", "", "| command | takes | what it gives | example |"),
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {linked(name, each)} | {takes(each)} | {' | '.join(words(each))} |"
        for name, each in every.items()
    ]
    lines += ["", "## Options of the program", "", "| option | meaning |", "| --- | --- |"]
    lines += [f"| {flags} | {meaning} |" for flags, meaning, _ in options(avtool)]
    lines += ["", "## Options of several commands", ""]
    lines += ["| option | meaning | default | of |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {' | '.join(row)} | {', '.join(names)} |" for row, names in rows.items() if names[1:]
    ]
    lines += ["", "## Options of one command", ""]
    lines += ["| command | option | meaning | default |", "| --- | --- | --- | --- |"]
    lines += [f"| {names[0]} | {' | '.join(row)} |" for row, names in rows.items() if not names[1:]]
    return "\n".join(lines) + "\n"


def linked(name: str, command: Any) -> str:
    """A command's name, which leads to its page: that of its folder."""
    _, room, folder, *_ = (*command.callback.__module__.split("."), "", "")
    return f"[`avtool {name}`]({folder}.md)" if room == "pipelines" else f"`avtool {name}`"


def takes(command: Any) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    return " ".join(f"`{each.metavar or each.name.upper()}`" for each in arguments)


def words(command: Any) -> tuple[str, str]:
    """A command's help as one line, and its example."""
    text, _, example = cell(command.help).partition(" Example: ")
    return text, f"`{example}`" if example else ""


def options(command: Any) -> Iterator[tuple[str, str, str]]:
    """Flags, meaning and default of each option of a command."""
    for option in command.params:
        if option.param_type_name != "option" or option.hidden:
            continue
        flags = ", ".join([*option.opts, *option.secondary_opts])
        if not option.is_flag:
            kind = option.type.name.partition(" ")[0]
            flags += f" {option.metavar or {'int': 'N', 'float': 'X'}.get(kind, kind.upper())}"
        # A default that is worked out stands in brackets at the end of the words.
        told = re.fullmatch(r"(.*?)(?: \[([^\]]+)\])?", cell(option.help or ""))
        assert told is not None
        has_none = option.is_flag or option.default in (None, ()) or callable(option.default)
        yield (
            f"`{cell(flags)}`",
            told[1].rstrip("."),
            told[2] or ("" if has_none else str(option.default)),
        )


def cell(text: str) -> str:
    """Words as they can stand in a table."""
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
