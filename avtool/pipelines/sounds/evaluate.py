"""How well the times of sounds are told, where they are known."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from avtool import media
from avtool.batch.jobs import expanded
from avtool.cli.terminal import say
from avtool.errors import InputError
from avtool.metrics.events import Event, SegmentScores
from avtool.pipelines.sounds import pipeline
from avtool.pipelines.sounds.pipeline import Options

ALWAYS = "the commonest kind, always"
OTHERS = "another file's sounds"


def report(inputs: Sequence[str], *, weights: str | None, as_json: bool) -> None:
    """Measure `avtool sounds` on files whose truth lies beside them; prints a table.

    Raises:
        InputError: no file has its truth beside it, or a truth cannot be read.
    """
    options = Options(weights=weights)
    models = pipeline.load(options)
    known = {kind.name.lower(): kind.name for kind in models.kinds}
    runs: list[tuple[list[Event], list[Event], float]] = []
    with expanded(list(inputs)) as found:
        for path, name, *_ in found:
            truth = next((p for p in _beside(Path(path)) if p.exists()), None)
            if truth is None:
                continue
            clip = media.open(path, name=name).clip(pipeline.SPEC)
            true = read_events(truth, known)
            told = pipeline.run(clip, options, models=models).sounds
            events = [(sound.kind, sound.start, sound.end) for sound in told.sounds]
            runs.append((true, events, told.end - told.start))
    if not runs:
        raise InputError(
            f"{', '.join(inputs)}: no file has its sounds beside it; talk.wav has them in talk.csv "
            "(start,end,kind) or in talk.txt (Audacity's labels)"
        )
    kinds = sorted({event[0] for true, _, _ in runs for event in true})
    common = max(kinds, key=lambda k: sum(e - s for t, _, _ in runs for n, s, e in t if n == k))
    table: dict[str, SegmentScores] = {}
    for place, (true, told_, length) in enumerate(runs):
        ways = {"avtool": told_, ALWAYS: [(common, 0.0, length)]}
        if len(runs) > 1:
            ways[OTHERS] = runs[(place + 1) % len(runs)][1]
        for way, events in ways.items():
            table.setdefault(way, SegmentScores(kinds)).add(true, events, length)
    facts = {
        way: {name: round(value, 3) for name, value in vars(scores.overall()).items()}
        for way, scores in table.items()
    }
    each = {kind: round(f1, 3) for kind, f1 in table["avtool"].by_kind().items()}
    if as_json:
        say.data(json.dumps({"files": len(runs), **facts, "kinds": each}))
        return
    say.data(f"{len(runs)} files, segments of 1 s, {len(kinds)} kinds")
    say.data(f"{'':28}{'F1':>8}{'precision':>11}{'recall':>8}{'error rate':>12}")
    for way, row in facts.items():
        say.data(
            f"{way:28}{row['f1']:8.3f}{row['precision']:11.3f}{row['recall']:8.3f}"
            f"{row['error_rate']:12.3f}"
        )
    for kind, f1 in each.items():
        say.data(f"  {kind:26}{f1:8.3f}")


def _beside(path: Path) -> list[Path]:
    return [path.with_suffix(".csv"), path.with_suffix(".txt")]


def read_events(path: Path, known: Mapping[str, str]) -> list[Event]:
    """True sounds: a csv with start, end and kind, or a label track of Audacity.

    Args:
        known: the kinds, by their names in small letters.

    Raises:
        InputError: a line is none of those, or names no known kind.
    """
    with path.open(newline="", encoding="utf-8") as file:
        if path.suffix == ".csv":
            table = csv.DictReader(file)
        else:
            table = csv.DictReader(file, ("start", "end", "kind"), delimiter="\t")
        rows = [(row.get("start"), row.get("end"), row.get("kind")) for row in table]
    events = []
    for number, (start, end, kind) in enumerate(rows, 1):
        try:
            times = float(start or ""), float(end or "")
        except ValueError as error:
            raise InputError(f"{path}: sound {number} has no start, end and kind") from error
        name = known.get((kind or "").strip().lower())
        if name is None:
            raise InputError(f"{path}: sound {number} is '{kind}', which is no kind that is told")
        events.append((name, *times))
    return events
