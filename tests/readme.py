"""Keep the README true: its reference is generated, its commands are run.

python tests/readme.py --check    fails where the README is not what the commands give
python tests/readme.py --write    writes the generated parts
"""

from __future__ import annotations

import difflib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import typer

from avtool.cli import app

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
FEATURES = {"waveform", "spectrogram", "mel", "mfcc"}


def main() -> int:
    text = README.read_text()
    true = generated(text)
    if "--write" in sys.argv:
        README.write_text(true)
        return 0
    if text != true:
        lines = difflib.unified_diff(text.splitlines(), true.splitlines(), "README", "commands")
        print("\n".join(lines))
        print("README.md is not what the commands say; run: python tests/readme.py --write")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "sample_media").symlink_to(ROOT / "sample_media")
        for command in examples(text):
            done = run(["/bin/sh", "-ec", command], Path(folder))
            if done.returncode:
                print(f"README.md: {command}\n{done.stderr}")
                return 1
    print(f"README.md: {len(examples(text))} examples run, reference up to date")
    return 0


def generated(text: str) -> str:
    """The README with its generated parts as the commands give them now."""
    begin, end = "<!-- begin: reference -->", "<!-- end: reference -->"
    block = f"{begin}\n{reference()}{end}"
    return re.sub(f"{begin}.*?{end}", lambda _: block, text, flags=re.S)


def reference() -> str:
    """All commands and options, as the program declares them."""
    commands = {}
    for name, command in typer.main.get_command(app).commands.items():
        inner = getattr(command, "commands", None) or {"": command}
        commands |= {f"{name} {sub}".strip(): each for sub, each in inner.items()}
    rows: dict[tuple[str, str], list[str]] = {}
    for name, command in commands.items():
        for option in command.params:
            if option.param_type_name == "option":
                flags = ", ".join(f"`{flag}`" for flag in [*option.opts, *option.secondary_opts])
                rows.setdefault((flags, option.help), []).append(name)
    lines = ["| command | what it gives |", "| --- | --- |"]
    lines += [f"| `avtool {name}` | {command.help} |" for name, command in commands.items()]
    lines += ["", "| option | meaning | of |", "| --- | --- | --- |"]
    for (flags, words), names in rows.items():
        others = [name for name in names if name not in FEATURES]
        of = ", ".join(["all features", *others] if set(names) >= FEATURES else names)
        words = words.replace("|", "\\|")
        lines.append(f"| {flags} | {words} | {of} |")
    return "\n".join(lines) + "\n"


def examples(text: str) -> list[str]:
    """Commands in the README's ```sh blocks that begin with avtool, on the sample media."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.S | re.M)
    lines = "".join(blocks).replace("\\\n", "").splitlines()
    return [x for x in lines if x.startswith("avtool ") and "sample_media" in x]


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    # A fixed width: the help is wrapped for the reader of a page, not for this terminal.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | {"COLUMNS": "100", "PATH": path, "NO_COLOR": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
