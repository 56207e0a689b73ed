"""How near places of sounds come to true boxes, beside maps that need no sound."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from avtool import media
from avtool.batch.jobs import videos
from avtool.cli.terminal import say
from avtool.errors import InputError
from avtool.metrics import localization as metric_of
from avtool.pipelines.localize import cues
from avtool.pipelines.localize.audit import mean_map, motion_of
from avtool.pipelines.localize.boxes import read_boxes
from avtool.pipelines.localize.cues import VisualCues
from avtool.pipelines.localize.pipeline import SPEC, Options, load, locate
from avtool.speakers.tracks import find
from avtool.values import Array


def report(inputs: Sequence[str], *, boxes: str, weights: str | None, as_json: bool) -> None:
    """Measure `avtool localize` on clips whose boxes are known; prints a table.

    Raises:
        InputError: the boxes or the weights cannot be read, or no clip has any box.
    """
    options = Options(weights=weights)
    models = load(options)
    known = read_boxes(Path(boxes))
    files = [path for text in inputs for path in videos(Path(text))]
    found: dict[str, list[tuple[float, bool]]] = {}
    clips: list[tuple[VisualCues, cues.Sound, Array]] = []
    for path in files:
        source = media.open(path)
        if not source.info.video or not source.info.audio:
            continue
        size = (source.info.video[0].width, source.info.video[0].height)
        truth = known.relative(str(path), *size)
        if truth is None or not len(truth):
            continue
        clip = source.clip(SPEC)
        assert clip.audio is not None
        sight = VisualCues(clip, find(clip), size)
        clips.append((sight, cues.listen(clip.audio), truth))
    if not clips:
        raise InputError(f"{', '.join(inputs)}: no clip with sound has boxes in {boxes}")

    def map_of(sight: VisualCues, sound: cues.Sound) -> Array:
        return mean_map(locate(sight, sound, options, models=models), sight.grid)

    for place, (sight, sound, truth) in enumerate(clips):
        other = clips[(place + 1) % len(clips)][1]
        rows, cols = sight.grid
        x, y = np.arange(cols) - (cols - 1) / 2, np.arange(rows)[:, None] - (rows - 1) / 2
        maps = {
            "avtool": map_of(sight, sound),
            "another clip's sound": map_of(sight, other),
            "most motion": motion_of(sight),
            "middle": np.exp(-2 * ((x / cols) ** 2 + (y / rows) ** 2)),
        }
        side = 224  # pixels, as the published scores
        true = metric_of.truth_map(truth * side, side, side, known.agree)
        for way, each in maps.items():
            large = cv2.resize(each.astype(np.float32), (side, side))
            at = np.unravel_index(int(large.argmax()), large.shape)
            hit = metric_of.pointing((at[1] + 0.5, at[0] + 0.5), truth * side)
            found.setdefault(way, []).append((metric_of.ciou(large, true), hit))
    table = {}
    for way, scores in found.items():
        overlap = np.array([score for score, _ in scores])
        table[way] = {
            "cIoU": round(metric_of.success(overlap), 3),
            "AUC": round(metric_of.auc(overlap), 3),
            "pointing": round(float(np.mean([hit for _, hit in scores])), 3),
        }
    if as_json:
        say.data(json.dumps({"clips": len(clips), **table}))
        return
    say.data(f"{len(clips)} clips; cIoU: part of clips at 0.5 or more, maps cut at their median")
    say.data(f"{'':24}{'cIoU':>10}{'AUC':>10}{'pointing':>10}")
    for way, row in table.items():
        say.data(
            f"{way:24}" + "".join(f"{row[name]:10.3f}" for name in ("cIoU", "AUC", "pointing"))
        )
