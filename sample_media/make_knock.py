"""Make knock.mp4: a mallet knocks on a drum, a ball bounces; only the mallet is heard.

Drawn and synthesised here, from nothing but numbers; ours to give (Apache-2.0 as the rest). Run in
this folder. H.264 at 25 fps, AAC mono at 16 kHz, 6 seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from avtool.save.video import write_video
from avtool.values import Audio, Frames

WIDTH, HEIGHT, FPS, RATE, SECONDS = 640, 360, 25, 16_000, 6.0
FINE = 3  # drawn so much larger, then made small: smooth edges
KNOCKS = np.array([-0.4, 0.35, 0.8, 1.6, 1.95, 2.3, 3.2, 3.65, 4.5, 4.8, 5.1, 5.75, 6.6])
BOUNCES = np.array([-0.3, 0.5, 1.15, 1.75, 2.3, 2.8, 3.6, 4.2, 4.75, 5.4, 5.9, 6.5])
WALL, TABLE = (214, 218, 222), (176, 140, 108)


def knock_sound() -> np.ndarray:
    """A wooden drum: a few decaying tones and the click of the blow, float32 [time]."""
    times = np.arange(round(0.4 * RATE)) / RATE
    noise = np.random.default_rng(3)
    modes = ((196, 1.0, 14), (410, 0.7, 22), (655, 0.45, 30), (1180, 0.3, 48), (2090, 0.16, 70))
    hit = sum(a * np.sin(2 * np.pi * f * times) * np.exp(-d * times) for f, a, d in modes)
    hit += 0.6 * noise.standard_normal(len(times)) * np.exp(-260 * times)
    out = np.zeros(round((SECONDS + 1) * RATE))
    for n, moment in enumerate(KNOCKS[KNOCKS >= 0]):
        first = round(moment * RATE)
        piece = hit[: max(0, len(out) - first)]
        out[first : first + len(piece)] += piece * (0.75 + 0.25 * ((n * 7) % 4) / 3)
    out = out[: round(SECONDS * RATE)]
    out += 4e-4 * noise.standard_normal(len(out))
    return (0.5 * out / np.abs(out).max()).astype(np.float32)


def phase(moments: np.ndarray, time: float) -> tuple[float, float]:
    place = int(np.searchsorted(moments, time, "right"))
    return time - moments[place - 1], moments[place] - moments[place - 1]


def room() -> np.ndarray:
    """Wall, table and the light on them, float [height, width, 3] at the fine size."""
    h, w = HEIGHT * FINE, WIDTH * FINE
    y, x = np.mgrid[:h, :w].astype(np.float32) / FINE
    wall = np.array(WALL) * (1.0 - 0.16 * np.hypot((x - 250) / 640, (y - 60) / 360)[..., None])
    grain = cv2.resize(np.random.default_rng(5).normal(0, 1, (60, 24)).astype(np.float32), (w, h))
    table = np.array(TABLE) * (0.86 + 0.2 * (y - 250) / 110 + 0.03 * grain)[..., None]
    edge = np.clip((y - 247) / 2, 0, 1)[..., None]
    return wall * (1 - edge) + table * edge


def shaded(image: np.ndarray, at: tuple[float, float], radius: float, colour: tuple) -> None:
    """A ball, lit from the upper left."""
    x0, y0, r = at[0] * FINE, at[1] * FINE, radius * FINE
    left, top, size = int(x0 - r) - 1, int(y0 - r) - 1, int(2 * r) + 3
    y, x = np.mgrid[top : top + size, left : left + size].astype(np.float32)
    dx, dy = (x - x0) / r, (y - y0) / r
    inside = dx**2 + dy**2 <= 1
    up = np.sqrt(np.clip(1 - dx**2 - dy**2, 0, 1))
    light = np.clip(-0.45 * dx - 0.6 * dy + 0.66 * up, 0, 1)
    stripe = np.where(np.abs(dy * 0.9 + 0.35 * dx) < 0.2, 1.35, 1.0)
    tone = (
        np.array(colour) * ((0.35 + 0.75 * light) * stripe)[..., None] + 90 * (light**12)[..., None]
    )
    part = image[top : top + size, left : left + size]
    part[inside] = np.clip(tone, 0, 255)[inside]


def shadow(
    image: np.ndarray, at: tuple[float, float], wide: float, high: float, dark: float
) -> None:
    layer = np.zeros(image.shape[:2], np.float32)
    centre = (round(at[0] * FINE), round(at[1] * FINE))
    cv2.ellipse(layer, centre, (round(wide * FINE), round(high * FINE)), 0, 0, 360, dark, -1)
    layer = cv2.GaussianBlur(layer, (0, 0), 4 * FINE)
    image *= (1 - layer)[..., None]


def shape(image: np.ndarray, points: list, colour: tuple) -> None:
    fine = (np.array(points) * FINE).round().astype(np.int32)
    cv2.fillPoly(image, [fine], colour)


def ball(image: np.ndarray, time: float) -> None:
    since, gap = phase(BOUNCES, time)
    part = since / gap
    up = 4 * part * (1 - part) * (gap / 0.6) ** 2 * 95
    shadow(image, (170, 306), 34 - 0.06 * up, 9, 0.5 / (1 + up / 60))
    shaded(image, (170, 274 - up), 30, (196, 62, 58))


def drum(image: np.ndarray, time: float) -> None:
    since, gap = phase(KNOCKS, time)
    shadow(image, (470, 318), 78, 13, 0.5)
    body = [(402, 262), (538, 262), (530, 318), (410, 318)]
    shape(image, body, (120, 58, 50))
    for k in range(9):
        x = 404 + 15 * k
        shape(image, [(x, 264), (x + 3, 264), (x + 3, 318), (x, 318)], (134, 70, 60))
    centre = (470 * FINE, 262 * FINE)
    cv2.ellipse(image, centre, (68 * FINE, 17 * FINE), 0, 0, 360, (238, 230, 214), -1, cv2.LINE_AA)
    cv2.ellipse(
        image, centre, (68 * FINE, 17 * FINE), 0, 0, 360, (92, 44, 38), 2 * FINE, cv2.LINE_AA
    )
    lift = min(since / max(gap - 0.12, 0.05), 1) ** 0.7
    fall = np.clip((gap - since) / 0.12, 0, 1)
    angle = -0.95 * min(lift, fall) * min(1.0, gap / 0.45)
    pivot = np.array([596.0, 246.0])
    way = np.array([-np.cos(angle), np.sin(angle)])
    head = pivot + 122 * way
    side = np.array([-way[1], way[0]]) * 3.2
    shape(image, [pivot + side, head + side, head - side, pivot - side], (150, 112, 70))
    shaded(image, (float(head[0]), float(head[1])), 13, (92, 78, 66))


def pictures() -> Iterator[np.ndarray]:
    empty = room()
    for k in range(round(SECONDS * FPS)):
        image = np.ascontiguousarray(empty, np.float32).copy()
        ball(image, k / FPS)
        drum(image, k / FPS)
        small = cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        noise = np.random.default_rng(k).normal(0, 1.2, small.shape[:2])[..., None]
        yield np.clip(small + noise, 0, 255).astype(np.uint8)


def main() -> None:
    here = Path(__file__).parent
    frames = Frames(pictures, Fraction(FPS), WIDTH, HEIGHT)
    write_video(here / "knock.mp4", frames, Audio.of(knock_sound(), RATE), crf=24)


if __name__ == "__main__":
    main()
