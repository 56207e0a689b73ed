"""How often an answer is right, where the true one is known."""

from __future__ import annotations

import csv
import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from avtool.batch.jobs import Job
from avtool.batch.request import Request
from avtool.cli.terminal import say
from avtool.errors import InputError
from avtool.pipelines.ask.pipeline import Options
from avtool.pipelines.ask.values import CANNOT
from avtool.pipelines.ask.words import UNCLEAR, tokens
from avtool.pipelines.ask.work import replied

TABLE = "questions.tsv"
COLUMNS = ("image", "question", "answer")


@dataclass(frozen=True)
class Row:
    """A question about a file, and its true answer."""

    path: Path
    question: str
    answer: str


def rows(folder: str) -> list[Row]:
    """The questions of a folder.

    Raises:
        InputError: there are none, or a file is missing.
    """
    path = Path(folder) / TABLE
    if not path.is_file():
        raise InputError(f"{path}: is missing; columns image, question, answer, with tabs between")
    with path.open(newline="", encoding="utf-8") as file:
        table = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        if not set(COLUMNS) <= set(table.fieldnames or ()):
            raise InputError(f"{path}: its columns are not image, question, answer")
        found = [
            Row(path.parent / row["image"], row["question"] or "", (row["answer"] or "").strip())
            for row in table
        ]
    for row in found:
        if not row.path.is_file():
            raise InputError(f"{path}: {row.path.name} is not in the folder")
    if not found:
        raise InputError(f"{path}: has no question")
    return found


def report(folder: str, *, weights: str | None, device: str, as_json: bool) -> None:
    """Measure `avtool ask` on a folder's questions; prints a table."""
    given = rows(folder)

    def answers(paths: list[Path]) -> list[str]:
        told = []
        for path, row in zip(paths, given, strict=True):
            request = Request(Options(row.question, weights=weights), device=device, command="ask")
            told.append(replied(request, Job(path, str(path), path), _silent, []).answer)
        return told

    own = answers([row.path for row in given])
    ways = {"avtool": own, "the commonest answer": _commonest(given)}
    ways["the commonest answer to such a question"] = _commonest(given, _kind)
    if len({row.path for row in given}) > 1:
        ways["pictures shuffled (control)"] = answers(_shuffled([row.path for row in given]))
    table = {way: _scored(told, given) for way, told in ways.items()}
    if as_json:
        say.data(json.dumps({"questions": len(given), **table}))
        return
    say.data(f"{len(given)} questions about {len({row.path for row in given})} files")
    say.data(f"{'':42}{'right':>8}{'told':>8}{'of told':>9}")
    for way, row in table.items():
        of_told = "" if row["of told"] is None else f"{row['of told']:9.1%}"
        say.data(f"{way:42}{row['right']:8.1%}{row['told']:8.1%}{of_told}")


def _silent(part: float | None, stage: str) -> None:
    """Nothing is told while it is measured."""


def _kind(row: Row) -> str:
    """The first two words of a question."""
    return " ".join(tokens(row.question)[:2])


def _commonest(given: list[Row], key: Callable[[Row], str] = lambda row: "") -> list[str]:
    """For each question the commonest answer of all that have its key, itself among them."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in given:
        counts[key(row)][row.answer] += 1
    return [counts[key(row)].most_common(1)[0][0] for row in given]


def _shuffled(paths: list[Path]) -> list[Path]:
    """Each question with another picture: all pictures moved on by some, seed 0."""
    files = sorted(set(paths))
    random.Random(0).shuffle(files)
    other = dict(zip(files, [*files[1:], files[0]], strict=True))
    return [other[path] for path in paths]


def _scored(told: list[str], given: list[Row]) -> dict[str, float | None]:
    """Part of all that is right, part that is told at all, and part of the told that is right."""
    same = [_same(answer, row.answer) for answer, row in zip(told, given, strict=True)]
    said = [answer != CANNOT for answer in told]
    right = sum(a for a, b in zip(same, said, strict=True) if b)
    return {
        "right": round(sum(same) / len(same), 4),
        "told": round(sum(said) / len(said), 4),
        "of told": round(right / sum(said), 4) if any(said) else None,
    }


def _same(told: str, true: str) -> bool:
    """Small letters, "colour" as "color", a face by its number alone."""
    if told == CANNOT:
        return true.lower() in (CANNOT.lower(), UNCLEAR)
    return _plain(told) == _plain(true) or _plain(told.split(",")[0]) == _plain(true)


def _plain(text: str) -> str:
    return " ".join(tokens(text))
