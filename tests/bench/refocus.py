"""How near `avtool refocus` comes to a lens, beside baselines.

python tests/bench/refocus.py [--scenes 12] [--films FILM ...] [--only depth,flicker,speed]

depth: drawn people at known distances (sample_media/make_pair.py): the width of the blur in each
    place against the circle of confusion of a thin lens, and the picture against what that lens
    sees, by what tells the depth
flicker: how much the edge of what is in focus changes where the picture does not
speed: pictures a second, and their CPU time, once the faces are found
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from avtool import media
from avtool.head import traits
from avtool.media import Spec
from avtool.pipelines.refocus import pipeline
from avtool.pipelines.refocus.depth import People
from avtool.pipelines.refocus.matte import Matter
from avtool.pipelines.refocus.model import Selfie
from avtool.pipelines.refocus.pipeline import Options
from avtool.pipelines.refocus.scene import LENS
from avtool.speakers.tracks import tracks_of
from avtool.values import Array

MEDIA = Path(__file__).parents[2] / "sample_media"
sys.path.append(str(MEDIA))
import make_pair as stage  # noqa: E402

STOP = 1.4
OPENING = LENS / STOP
BEGINS, LASTS = 0.0, 3.0  # seconds of films
STILL = 1.0  # of 255, of change around a place that does not move


def staged(rng: np.random.Generator, night: bool) -> tuple[list[stage.Flat], list[stage.Flat]]:
    """Two people before a street, as the left and as the right eye sees them, the farthest first.

    The near one stands left.
    """
    people = traits.drawn(rng, 2, age=rng.uniform(18, 80, 2))
    near, far = rng.uniform(1.25, 1.8), rng.uniform(1.95, 3.0)
    back, views = stage.street(rng, night), []
    yaw = rng.uniform(-0.3, 0.3, 2)
    for eye in (0.0, stage.EYES):
        views.append(
            [
                stage.moved(back, -stage.FOCAL * eye / stage.STREET),
                stage.person(people[1], 0.075 * far, 0.0, far, yaw[1], eye),
                stage.person(people[0], -0.085 * near, -0.03, near, yaw[0], eye),
            ]
        )
    return views[0], views[1]


def nearest(flats: list[stage.Flat]) -> Array:
    """The distance of what is seen in each place, metres, [height, width]."""
    metres = np.full(flats[0].alpha.shape, flats[0].distance)
    for each in flats[1:]:
        metres[each.alpha > 0.5] = each.distance
    return metres


def psnr(one: Array, other: Array) -> float:
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2)))


class Truth(NamedTuple):
    """The blur's width in each place, where the other person and the street are, the picture."""

    width: Array
    other: Array
    street: Array
    lens: Array

    def errors(self, width: Array, made: Array | None = None) -> list[float]:
        """How far off a width is, pixels; of the other person, a part; of the street; PSNR, dB."""
        off, true = np.abs(width - self.width), float(np.median(self.width[self.other]))
        person = abs(float(np.median(width[self.other])) - true) / true
        shown = np.nan if made is None else psnr(made, self.lens)
        return [float(off.mean()), person, float(off[self.street].mean()), shown]


def depth(scenes: int) -> None:
    rng = np.random.default_rng(2)
    rows: dict[str, list[list[float]]] = {}

    def note(way: str, errors: list[float]) -> None:
        rows.setdefault(way, []).append(errors)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for n in range(scenes):
            left, right = staged(rng, night=n % 2 == 0)
            photo, metres = stage.shown(stage.laid(left)), nearest(left)
            Image.fromarray(stage.shown(stage.laid(right))).save(folder / "right.png")
            np.save(folder / "metres.npy", metres)
            grey = (255 * metres.min() / metres).round().astype(np.uint8)
            Image.fromarray(grey).save(folder / "nearness.png")
            ways = {
                "size of the faces": {},
                "a map, brighter is nearer": {"depth": str(folder / "nearness.png")},
                "a map of metres": {"depth": str(folder / "metres.npy")},
                "a stereo pair": {"right": str(folder / "right.png")},
            }
            for face, flat in ((1, left[2]), (2, left[1])):
                true = OPENING * stage.FOCAL * np.abs(1 / metres - 1 / flat.distance)
                lens = stage.through(left, flat.distance, OPENING)
                other = (metres == left[face].distance) & (metres != flat.distance)
                truth = Truth(true, other, metres == stage.STREET, lens)
                away = true > 0

                note("nothing is blurred", truth.errors(np.zeros_like(true), photo))
                note(
                    "one blur for all, the best", truth.errors(np.full_like(true, np.median(true)))
                )
                best = np.median(true[away])
                note("one blur but for the true mask, the best", truth.errors(best * away))
                for way, options in ways.items():
                    asked = Options(face, exact=True, blur=STOP, **options)
                    found = pipeline.run(media.still("pair", photo), asked)
                    (shot,) = found.shots()
                    width = cv2.resize(shot.scene.width(), true.shape[::-1])
                    note(way, truth.errors(width, shot.after))
            print(f"scene {n + 1} of {scenes}", file=sys.stderr)
    print(f"{2 * scenes} pictures; mean true blur and errors in pixels")
    print("| depth by | blur off by, mean | of the other person | of the street | PSNR, dB |")
    for way, found in rows.items():
        off, person, street, shown = np.mean(found, 0)
        tail = "" if np.isnan(shown) else f"{shown:.1f}"
        print(f"| {way} | {off:.2f} | {100 * person:.0f} % | {street:.2f} | {tail} |")


def flicker(films: list[Path]) -> None:
    print("| film | mask of each picture alone | with memory |")
    for path in films:
        source = media.open(path)
        tracks = tracks_of(source)
        people = People(tracks)
        clip = source.clip(Spec(frames=True, start=BEGINS, duration=LASTS))
        frames = clip.pictures()
        step = max(1.0, min(frames.width, frames.height) / pipeline.FILM)
        size = round(frames.width / step), round(frames.height / step)
        face = tracks[0].face
        selfie, memory = Selfie(), Matter(Selfie(), size)
        before: dict[str, Array] = {}
        changes: dict[str, list[float]] = {"alone": [], "memory": []}
        last = None
        for number, image in enumerate(frames.images()):
            there = people.at(BEGINS + float(number / frames.fps))
            boxes = {n: each.box for n, each in there.items()}
            masks = {
                "alone": Matter(selfie, size)(image, boxes).fine(face),
                "memory": memory(image, boxes).fine(face),
            }
            grey = cv2.blur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32), (9, 9))
            if last is not None:
                still = np.abs(grey - last) < STILL
                for way, mask in masks.items():
                    edge = still & (
                        (mask > 0.02) & (mask < 0.98) | (before[way] > 0.02) & (before[way] < 0.98)
                    )
                    if edge.any():
                        changes[way].append(float(np.abs(mask - before[way])[edge].mean()))
            before, last = masks, grey
        alone, kept = (100 * float(np.mean(changes[way])) for way in ("alone", "memory"))
        print(f"| {path.name} | {alone:.2f} % | {kept:.2f} % |")


def speed(films: list[Path]) -> None:
    for path in films:
        source = media.open(path)
        tracks = tracks_of(source)
        clip = source.clip(replace(pipeline.SPEC, audio=False, duration=LASTS))
        found = pipeline.run(clip, Options(tracks[0].face), tracks=tracks)
        wall, used, count = time.monotonic(), time.process_time(), 0
        for _ in found.shots():
            count += 1
        wall, used = time.monotonic() - wall, time.process_time() - used
        frames = clip.pictures()
        print(
            f"{path.name}: {frames.width}x{frames.height}, {len(tracks)} faces: "
            f"{count / wall:.1f} pictures a second, {1000 * used / count:.0f} ms of CPU each"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=12)
    parser.add_argument("--films", type=Path, nargs="*", default=[MEDIA / "cocktail.mp4"])
    parser.add_argument("--only", default="depth,flicker,speed")
    asked = parser.parse_args()
    only = asked.only.split(",")
    if "depth" in only:
        depth(asked.scenes)
    if "flicker" in only:
        flicker(asked.films)
    if "speed" in only:
        speed(asked.films)


if __name__ == "__main__":
    main()
