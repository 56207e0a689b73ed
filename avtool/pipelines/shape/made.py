"""Made shapes whose parts are known exactly: chairs, tables, lamps, mugs, and our head.

Each is put together of closed pieces by rules with random numbers; z is up, and a thing's size is
about 1. A piece's surface within another piece is not seen, and gives no points.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np

from avtool.head import hair
from avtool.head import traits as people
from avtool.head.model import Head
from avtool.head.model import load as load_head
from avtool.pipelines.shape.blocks import Piece, bar, box, lathe, leaned, loft, moved, ring, tube
from avtool.pipelines.shape.pointnet import KINDS, PARTS
from avtool.pipelines.shape.solid import sampled
from avtool.pipelines.shape.values import Parts, Surface
from avtool.values import Array

Rng = np.random.Generator


@dataclass(frozen=True, eq=False)
class Made:
    """Pieces of a thing, and the part that each belongs to."""

    kind: str
    pieces: list[Piece]
    parts: list[str]

    def parted(self) -> Parts:
        """As the value of the command."""
        first = np.cumsum([0, *(len(vertices) for vertices, _, _ in self.pieces)])
        names = PARTS[self.kind]
        surface = Surface(
            np.concatenate([vertices for vertices, _, _ in self.pieces]),
            np.concatenate([f + n for (_, f, _), n in zip(self.pieces, first, strict=False)]),
        )
        part = [
            np.full(len(f), names.index(p))
            for (_, f, _), p in zip(self.pieces, self.parts, strict=True)
        ]
        return Parts(surface, np.concatenate(part), names, self.kind)


def _legs(rng: Rng, w: float, d: float, high: float) -> list[Piece]:
    """What a seat or a top of a size stands on: four legs, a column, or two frames."""
    style = rng.choice(["four", "column", "frames", "panels"], p=[0.62, 0.18, 0.12, 0.08])
    r = rng.uniform(0.014, 0.04) * (1 + high)
    out: list[Piece] = []
    if style == "column":
        out.append(bar((0, 0, 0.03), (0, 0, high), r * rng.uniform(1, 2)))
        if rng.random() < 0.5:
            foot = rng.uniform(0.3, 0.48) * max(w, d)
            out.append(
                loft(
                    ring(foot, 24), ring(foot * rng.uniform(0.5, 1), 24), 0, rng.uniform(0.02, 0.06)
                )
            )
        else:
            count = int(rng.integers(3, 6))
            for a in 2 * math.pi * np.arange(count) / count:
                end = 0.5 * max(w, d) * rng.uniform(0.85, 1.1)
                tip = (end * math.cos(a), end * math.sin(a), r)
                out.append(bar((0, 0, rng.uniform(0.05, 0.16)), tip, r, 0.6 * r))
        return out
    if style == "panels":
        t = rng.uniform(0.015, 0.04)
        return [box(s * w / 2 - t, s * w / 2 + t, -d / 2, d / 2, 0, high) for s in (-0.9, 0.9)]
    splay = rng.uniform(0, 0.12) * (rng.random() < 0.5)
    inset = rng.uniform(0.78, 0.98)
    square = rng.random() < 0.5
    thin = rng.uniform(0.5, 1.0)
    for x in (-1, 1):
        for y in (-1, 1):
            head_ = np.array([x * inset * w / 2, y * inset * d / 2])
            foot_ = head_ + splay * np.array([x, y])
            sides = ring(r * 1.3, 4, math.pi / 4) if square else ring(r, 12)
            out.append(loft(foot_ + thin * sides, head_ + sides, 0, high))
    if style == "frames" or rng.random() < 0.25:
        z = rng.uniform(0.02, 0.5) * high
        for x in (-1, 1):
            ends = [
                (
                    x * (inset * w / 2 + splay * (1 - z / high)),
                    y * (inset * d / 2 + splay * (1 - z / high)),
                    z,
                )
                for y in (-1, 1)
            ]
            out.append(bar(ends[0], ends[1], 0.6 * r))
    return out


def chair(rng: Rng) -> Made:
    """A seat, its back, its legs, perhaps arms."""
    w, d, high = rng.uniform(0.38, 0.62), rng.uniform(0.38, 0.58), rng.uniform(0.3, 0.52)
    thick = rng.uniform(0.02, 0.12)
    top = high + thick
    pieces: list[tuple[str, Piece]] = []
    if rng.random() < 0.2:
        outline = ring(max(w, d) / 2, 28)
        w = d = max(w, d)
    else:
        front = w * rng.uniform(0.95, 1.15)
        outline = np.array(
            [(-w / 2, -d / 2), (w / 2, -d / 2), (front / 2, d / 2), (-front / 2, d / 2)]
        )
    pieces.append(("seat", loft(outline * rng.uniform(0.9, 1), outline, high, top)))
    pieces += [("legs", each) for each in _legs(rng, w, d, high)]
    tall, lean = rng.uniform(0.25, 0.65), rng.uniform(0, 0.35)
    t = rng.uniform(0.012, 0.06)
    y0, y1 = -d / 2, -d / 2 + t
    style = rng.choice(["slab", "slats", "rungs", "low", "shell"])
    back: list[Piece] = []
    if style == "slab":
        back.append(box(-w / 2, w / 2, y0, y1, top - 0.01, top + tall))
    elif style == "shell":
        bend = np.linspace(-1, 1, 9)
        deep = rng.uniform(0.03, 0.18)
        arc = np.stack([bend * w / 2, y0 + deep * bend**2], 1)
        for a, b in pairwise(arc):
            strip = np.stack([a, b, b + np.array([0, t]), a + np.array([0, t])])
            back.append(loft(strip, strip, top - 0.01, top + tall))
    elif style == "low":
        gap = rng.uniform(0.3, 0.6) * tall
        back.append(box(-w / 2, w / 2, y0, y1, top + gap, top + tall))
        for x in (-0.35, 0.35) if rng.random() < 0.7 else (0.0,):
            back.append(box(x * w - 0.02, x * w + 0.02, y0, y1, top - 0.02, top + gap))
    else:
        post = rng.uniform(0.014, 0.03)
        for s in (-1, 1):
            x = s * (w / 2 - post)
            back.append(box(x - post, x + post, y0, y0 + 2 * post, top - 0.01, top + tall))
        rail = rng.uniform(0.03, 0.1)
        back.append(box(-w / 2, w / 2, y0, y1, top + tall - rail, top + tall))
        count = int(rng.integers(2, 7))
        for n in range(count):
            at = (n + 1) / (count + 1)
            if style == "slats":
                x = (at - 0.5) * (w - 2 * post)
                back.append(box(x - 0.012, x + 0.012, y0, y1, top - 0.01, top + tall - rail))
            else:
                z = top + at * (tall - rail)
                back.append(box(-w / 2, w / 2, y0, y1, z - 0.016, z + 0.016))
    pieces += [("back", leaned(each, lean, top)) for each in back]
    if rng.random() < 0.4:
        rise, r = rng.uniform(0.14, 0.26), rng.uniform(0.014, 0.035)
        solid = rng.random() < 0.25
        for s in (-1, 1):
            x, far = s * (w / 2 + 0.5 * r), d / 2 * rng.uniform(0.5, 0.95)
            behind = -d / 2 - lean * rise * 0.8
            if solid:
                pieces.append(("arms", box(x - r, x + r, -d / 2, far, high, top + rise)))
                continue
            pieces.append(("arms", box(x - r, x + r, behind, far, top + rise - r, top + rise)))
            pieces.append(
                ("arms", bar((x, far - r, top - 0.02), (x, far - r, top + rise), 0.7 * r))
            )
    return _whole("chair", pieces)


def table(rng: Rng) -> Made:
    """A top, what it stands on, perhaps drawers."""
    w, d = rng.uniform(0.6, 1.2), rng.uniform(0.4, 0.8)
    high, thick = rng.uniform(0.25, 0.75), rng.uniform(0.015, 0.07)
    round_ = rng.random() < 0.3
    if round_:
        squash = rng.uniform(0.6, 1) if rng.random() < 0.3 else 1.0
        outline = ring(w / 2, 36, squash=squash)
        pieces = [("top", loft(outline, outline, high, high + thick))]
        w, d = 0.66 * w, 0.66 * w * squash
    else:
        pieces = [("top", box(-w / 2, w / 2, -d / 2, d / 2, high, high + thick))]
    pieces += [("legs", each) for each in _legs(rng, w, d, high)]
    if not round_ and rng.random() < 0.35:
        deep, wide = rng.uniform(0.1, 0.75) * high, rng.uniform(0.22, 0.4) * w
        for s in (-1, 1) if rng.random() < 0.4 else (rng.choice([-1, 1]),):
            x = s * (w / 2 - wide / 2 - 0.04)
            pieces.append(
                ("drawers", box(x - wide / 2, x + wide / 2, -0.44 * d, 0.44 * d, high - deep, high))
            )
    elif rng.random() < 0.3:
        deep = rng.uniform(0.04, 0.1)
        pieces.append(("top", box(-0.42 * w, 0.42 * w, -0.42 * d, 0.42 * d, high - deep, high)))
    return _whole("table", pieces)


def lamp(rng: Rng) -> Made:
    """A foot, a pole and a shade; it stands, is bent, or hangs."""
    style = rng.choice(["stands", "bent", "hangs", "vase"], p=[0.4, 0.25, 0.15, 0.2])
    tall = rng.uniform(0.5, 1.2)
    r = rng.uniform(0.008, 0.025)
    foot, rise = rng.uniform(0.1, 0.25) * tall, rng.uniform(0.015, 0.06)
    wide, deep = rng.uniform(0.12, 0.36) * tall, rng.uniform(0.12, 0.34) * tall
    narrow = wide * rng.uniform(0.3, 1.0)
    t = 0.006 + 0.01 * rng.random()
    shade = lathe([(wide, 0), (narrow, deep), (max(narrow - t, 1e-3), deep), (wide - t, 0)])
    if rng.random() < 0.2:
        a = np.linspace(-math.pi / 2, math.pi / 2, 12)
        ball = [(wide * math.cos(x), wide * (1 + math.sin(x))) for x in a]
        shade, deep = lathe(ball, convex=True), 2 * wide
    pieces: list[tuple[str, Piece]] = []
    if style == "hangs":
        pieces.append(("shade", shade))
        pieces.append(("pole", bar((0, 0, 0.6 * deep), (0, 0, tall), r * 0.7)))
        pieces.append(("base", loft(ring(foot * 0.6, 24), ring(foot * 0.6, 24), tall, tall + rise)))
        return _whole("lamp", pieces)
    if style == "vase":
        z = np.linspace(0, 0.55 * tall, 12)
        swell = foot * (0.45 + 0.5 * np.sin(np.pi * (z / z[-1]) ** rng.uniform(0.6, 1.6)))
        profile = [(1e-3, 0.0), *zip(swell.tolist(), z.tolist(), strict=True), (1e-3, float(z[-1]))]
        pieces.append(("base", lathe(profile)))
        pieces.append(("pole", bar((0, 0, 0.54 * tall), (0, 0, tall), r)))
        pieces.append(("shade", moved(shade, 0, 0, tall - 0.7 * deep)))
        return _whole("lamp", pieces)
    n = int(rng.choice([4, 24, 24]))
    pieces.append(
        (
            "base",
            loft(
                ring(foot, n, math.pi / 4),
                ring(foot * rng.uniform(0.4, 1), n, math.pi / 4),
                0,
                rise,
            ),
        )
    )
    if style == "stands":
        pieces.append(("pole", bar((0, 0, rise), (0, 0, tall), r)))
        pieces.append(("shade", moved(shade, 0, 0, tall - deep * rng.uniform(0.5, 1))))
        return _whole("lamp", pieces)
    reach = rng.uniform(0.2, 0.6) * tall
    if rng.random() < 0.5:
        elbow = (-0.3 * reach, 0.0, rng.uniform(0.4, 0.7) * tall)
        end = np.array([reach, 0, rng.uniform(0.6, 0.95) * tall])
        pieces += [("pole", bar((0, 0, rise), elbow, r)), ("pole", bar(elbow, tuple(end), r))]
    else:
        a = np.linspace(0, math.pi * rng.uniform(0.5, 0.9), 12)
        arc = np.stack(
            [reach * (1 - np.cos(a)) / 2, 0 * a, tall - reach / 2 + reach / 2 * np.sin(a)], 1
        )
        path = np.concatenate([[[0, 0, rise], [0, 0, tall - reach / 2 - 0.01]], arc])
        pieces.append(("pole", tube(path, r)))
        end = arc[-1]
    points, faces, convex = moved(shade, 0, 0, -deep)
    bow = rng.uniform(-0.2, 1.0)
    cos, sin = math.cos(bow), math.sin(bow)
    turn = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
    pieces.append(("shade", (0.7 * points @ turn.T + end, faces, convex)))
    return _whole("lamp", pieces)


def mug(rng: Rng) -> Made:
    """A body that is hollow, and a handle."""
    r, high, t = rng.uniform(0.3, 0.5), rng.uniform(0.5, 1.1), rng.uniform(0.02, 0.06)
    foot = r * rng.uniform(0.7, 1.05)
    belly = r * rng.uniform(-0.05, 0.12)
    z = np.linspace(0, 1, 8)
    out = foot + (r - foot) * z + belly * np.sin(np.pi * z)
    outer = [(1e-3, 0.0), *zip(out.tolist(), (z * high).tolist(), strict=True)]
    floor = rng.uniform(1, 2) * t
    inner = [
        (max(x - t, 0.01), max(y * high, floor)) for x, y in zip(out[::-1], z[::-1], strict=True)
    ]
    pieces = [("body", lathe([*outer, *inner, (1e-3, floor)], 32))]
    far, width = rng.uniform(0.2, 0.42), rng.uniform(0.5, 0.85) * high / 2
    a = np.linspace(-1, 1, 14)
    power = rng.uniform(2, 4)
    bend = (1 - np.abs(a) ** power) ** (1 / power)
    middle = high * rng.uniform(0.42, 0.58)
    at = np.interp(middle + a * width, z * high, out) - 0.4 * t
    path = np.stack([at + far * bend, 0 * a, middle + a * width], 1)
    pieces.append(("handle", tube(path, rng.uniform(0.03, 0.07), squash=rng.uniform(0.6, 1.6))))
    return _whole("mug", pieces)


@cache
def _head() -> Head:
    return load_head()


def head(rng: Rng) -> Made:
    """Someone's head: face with its ears, hair, neck."""
    made = _head()
    traits = people.drawn(rng, 1)[0]
    whole = hair.dressed(made, made.shape(people.identity(traits)), people.look(traits).style)
    count = len(made.mean)
    part = np.full(len(whole.vertices), PARTS["head"].index("face"))
    low = made.mean[:, 1] < -0.125
    grown = hair.growth(made, people.look(traits).style) > 0.5
    part[:count][grown] = PARTS["head"].index("hair")
    part[:count][low] = PARTS["head"].index("neck")
    part[count:] = PARTS["head"].index("hair")
    points = whole.vertices[:, [0, 2, 1]] * (1, -1, 1)
    inner = np.isin(whole.region, [2, 3, 4])  # teeth, tongue, lashes
    of = np.sort(part[whole.faces], 1)[:, 1]
    pieces, names = [], []
    for n, name in enumerate(PARTS["head"]):
        faces = whole.faces[(of == n) & ~inner]
        if len(faces):
            used, at = np.unique(faces, return_inverse=True)
            pieces.append((points[used].astype(float), at.reshape(-1, 3), False))
            names.append(name)
    return Made("head", pieces, names)


def _whole(kind: str, pieces: list[tuple[str, Piece]]) -> Made:
    return Made(kind, [piece for _, piece in pieces], [part for part, _ in pieces])


MAKERS: dict[str, Callable[[Rng], Made]] = {
    "chair": chair,
    "table": table,
    "lamp": lamp,
    "mug": mug,
    "head": head,
}


def cloud(made: Made, count: int, rng: Rng) -> tuple[Array, Array]:
    """Points on what is seen of a thing [count, 3], and the part of each, into its ``PARTS``."""
    parted = made.parted()
    which = np.repeat(np.arange(len(made.pieces)), [len(f) for _, f, _ in made.pieces])
    points, face = sampled(parted.surface.corners, 2 * count, rng)
    hidden = np.zeros(len(points), bool)
    for n, (vertices, faces, convex) in enumerate(made.pieces):
        if convex:
            piece = Surface(vertices, faces)
            spans = piece.spans
            spans /= np.maximum(np.linalg.norm(spans, axis=1, keepdims=True), 1e-12)
            heights = points @ spans.T - (piece.corners[:, 0] * spans).sum(1)
            hidden |= (heights < -1e-6).all(1) & (which[face] != n)
    seen = np.flatnonzero(~hidden)
    seen = rng.choice(seen, count, replace=len(seen) < count)
    return points[seen], parted.part[face[seen]]


def clouds(count: int, points: int, seed: int, kinds: Sequence[str] = KINDS) -> tuple[Array, ...]:
    """Things of each kind in turn: points [n, points, 3], parts [n, points], kinds [n]."""
    rng = np.random.default_rng(seed)
    found = []
    for n in range(count):
        kind = kinds[n % len(kinds)]
        found.append((*cloud(MAKERS[kind](rng), points, rng), KINDS.index(kind)))
    places, parts, kind_of = zip(*found, strict=True)
    return np.stack(places).astype(np.float32), np.stack(parts), np.array(kind_of)
