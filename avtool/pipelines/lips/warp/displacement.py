"""From a mesh and where it shall be to fields of displacement, and to where nothing moves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from avtool.pipelines.lips.warp.splines import Grid, Spline, eased
from avtool.pipelines.lips.warp.topology import EYES, FACE, JAW, MOUTH, SKULL, Opening, Pose, edges
from avtool.values import Array

STILL = 0.01  # pixels
# Ellipses in head coordinates, centre and radii: what moves with the jaw, and with the head.
LOWER_FACE = ((0.0, 1.0), (1.05, 0.85))
HEAD = ((0.0, 0.35), (2.0, 2.4))
FULL, NONE = 0.45, 0.9  # parts of the radius: up to the first all moves, from the second nothing
UPPERMOST = 0.0  # y in head coordinates of the points that hold the lower face
RING = 1.3  # the jaw's outline, grown so much, does not follow the jaw
FINE = 0.03  # head units between nodes around an opening
WIPE = 0.009  # head units of an open mouth's lips that show inside as much as lip
MORE = 0.012  # the same where lips close, between which no tooth may be left
LINE = 0.008  # head units on each side of closed lips that are in their shade
LASHES = 0.05  # head units above an eye that show lashes more than skin

Edges = tuple[Array, Array]  # of an opening, upper and lower


@dataclass(frozen=True, eq=False)
class Slit:
    """How the skin around an opening moves: one field above its edges, one below.

    Shape:
        upper, lower: float32 [rows, columns, 2], displacement in pixels at the grid's nodes;
        edge_upper, edge_lower: float64 [n, 2], the edges in the new picture, in pixels.
    """

    opening: Opening
    grid: Grid
    upper: Array
    lower: Array
    edge_upper: Array
    edge_lower: Array
    closed: float  # how much more than in the source, 0 to 1

    def covers(self, shape: tuple[int, ...], soft: float) -> tuple[Array, Array, Array]:
        """How much of each pixel the upper and the lower skin cover, and how far it is from the
        corners, 0 beyond them to 1 in the middle, float32 [h, w] each.
        """
        rows, columns = self.grid.inside(*shape[:2])
        first, across = self.edge_upper[0], self.edge_upper[-1] - self.edge_upper[0]
        long = float(np.hypot(*across))
        right = across / max(long, 1e-6)
        x = np.arange(columns.start, columns.stop) - first[0]
        y = np.arange(rows.start, rows.stop)[:, None] - first[1]
        along = (x * right[0] + y * right[1]).astype(np.float32)
        down = (y * right[0] - x * right[1]).astype(np.float32)
        upper, lower = (
            _curve(edge - first, right, along) for edge in (self.edge_upper, self.edge_lower)
        )
        above = np.clip((upper - down) / soft + 0.5, 0, 1)
        below = np.clip((down - lower) / soft + 0.5, 0, 1)
        within = eased(3 * np.minimum(along, long - along) / max(long, 1e-6))
        return above.astype(np.float32), below.astype(np.float32), within


@dataclass(frozen=True, eq=False)
class Motion:
    """What moves between two meshes float32 [468, 3] of one face, in pixels."""

    points: Array
    target: Array

    @cached_property
    def pose(self) -> Pose:
        return Pose.of(self.target)

    @cached_property
    def head(self) -> Array | None:
        """From a place in the new picture to where the head's motion has it from: [3, 2]."""
        old, new = (k[SKULL, :2].astype(np.float64) for k in (self.points, self.target))
        if np.abs(old - new).max() < STILL:
            return None
        wide = np.column_stack([new, np.ones(len(new))])
        return np.asarray(np.linalg.lstsq(wide, old - new, rcond=None)[0])

    def carried(self, places: Array) -> Array:
        """The head's motion at places [n, 2] of the new picture, displacement [n, 2]."""
        if self.head is None:
            return np.zeros_like(places)
        return np.asarray(np.column_stack([places, np.ones(len(places))]) @ self.head)

    @cached_property
    def openings(self) -> list[Opening]:
        """The openings whose edges move by themselves."""
        return [each for each in (MOUTH, *EYES) if self._moves(each)]

    def _moves(self, opening: Opening) -> bool:
        index = [point for ring in opening.upper + opening.lower for point in ring]
        new = self.target[index, :2].astype(np.float64)
        off = self.points[index, :2] - new - self.carried(new)
        # A turning head moves the eyes a little against its outline; that is no blink.
        least = STILL if opening is MOUTH else max(STILL, 0.01 * self.pose.unit)
        return bool(np.abs(off).max() > least)

    @cached_property
    def region(self) -> tuple[tuple[float, float], tuple[float, float]] | None:
        """The ellipse outside of which nothing but eyelids moves."""
        if self.head is not None:
            return HEAD
        moved = np.abs(self.target - self.points)[FACE, :2].max() > STILL
        return LOWER_FACE if moved or MOUTH in self.openings else None

    def radius(self, xs: Array, ys: Array) -> Array:
        """Where columns xs and rows ys lie in the ellipse, 1 on its rim, float [h, w]."""
        assert self.region is not None
        centre, radii = self.region
        axes = self.pose.axes[:, :2] * radii
        back = np.linalg.inv(axes)
        x, y = xs - self.pose.place(*centre, 0)[0], (ys - self.pose.place(*centre, 0)[1])[:, None]
        own = back[0, 0] * x + back[0, 1] * y, back[1, 0] * x + back[1, 1] * y
        return np.asarray(np.hypot(*own))

    @cached_property
    def box(self) -> Grid | None:
        """The ellipse's box."""
        if self.region is None:
            return None
        centre, radii = self.region
        reach = np.hypot(*(self.pose.axes[:, :2] * radii).T)
        middle = self.pose.place(*centre, 0)
        return Grid.over(middle - reach, middle + reach, 0.05 * min(radii) * self.pose.unit)

    @cached_property
    def _anchors(self) -> tuple[Array, Array]:
        """Places in the new picture and their displacement, without those around openings."""
        face = FACE if self.region is HEAD else FACE[self.pose.own[FACE, 1] > UPPERMOST]
        index = np.concatenate([face, MOUTH.upper[0], MOUTH.lower[0][1:-1]])
        new = self.target[index, :2].astype(np.float64)
        middle = self.pose.place(0, 0.3, 0.3)
        ring = middle + RING * (self.target[JAW, :2] - middle)
        moved = np.concatenate([self.points[index, :2] - new, self.carried(ring)])
        return np.concatenate([new, ring]), moved

    @cached_property
    def _skin(self) -> Spline:
        return Spline.fit(*self._anchors)

    def field(self, grid: Grid, spline: Spline | None = None) -> Array:
        """The skin's displacement at a grid's nodes, float32 [rows, columns, 2]."""
        if self.region is None and spline is None:
            return np.zeros((grid.rows, grid.columns, 2), np.float32)
        moved = (spline or self._skin)(grid.xs, grid.ys)
        if self.region is not None:
            fades = eased((NONE - self.radius(grid.xs, grid.ys)) / (NONE - FULL))
            moved = moved * fades[..., None]
        return np.asarray(moved, np.float32)

    def slit(self, opening: Opening) -> Slit:
        """How the skin moves around an opening."""
        unit = self.pose.unit
        new = edges(opening, self.target, unit)
        old = edges(opening, self.points, unit)
        closed = float(closing(new, old).max())
        old = _lips(new, old, unit) if opening is MOUTH else _lids(new, old, unit)
        both = np.concatenate([*new, *old])
        margin = opening.margin * unit
        low, high = both.min(0) - margin, both.max(0) + margin
        grid = Grid.over(low, high, FINE * unit)
        places, moved = self._anchors
        base = self.field(grid)
        inner = [
            eased(np.minimum(k - a, b - k) / margin)
            for k, a, b in ((grid.xs, low[0], high[0]), (grid.ys, low[1], high[1]))
        ]
        near = (inner[1][:, None] * inner[0])[..., None]
        fields = []
        for rings, edge, from_edge in zip((opening.upper, opening.lower), new, old, strict=True):
            index = [point for ring in rings[:-1] for point in ring]
            own = self.target[index, :2].astype(np.float64)
            spline = Spline.fit(
                np.concatenate([places, own, edge]),
                np.concatenate([moved, self.points[index, :2] - own, from_edge - edge]),
            )
            fields.append(base + near * (self.field(grid, spline) - base))
        # Beyond the corners there is one skin.
        upper, lower = fields
        first, across = new[0][0], new[0][-1] - new[0][0]
        long = max(float(np.hypot(*across)), 1e-6)
        along = (
            (grid.xs - first[0]) * across[0] + (grid.ys - first[1])[:, None] * across[1]
        ) / long
        beyond = eased(np.maximum(-along, along - long) / (0.10 * unit))[..., None]
        half = (lower - upper) / 2 * beyond
        return Slit(opening, grid, upper + half, lower - half, *new, closed)


def _lips(new: Edges, old: Edges, unit: float) -> Edges:
    """Where the edges' skin comes from: lips end in pixels that are half tooth or shade, and
    those that part show what was not in the dark line between them.
    """
    gap = old[1] - old[0]
    wide = np.maximum(np.hypot(*gap.T), 1e-6)
    wipe = (WIPE + MORE * closing(new, old)) * unit
    part = np.minimum(0.8, wipe / wide)[:, None]
    opens = new[1] - new[0]
    widest = opens[np.hypot(*opens.T).argmax()]
    line = widest * min(0.2, LINE * unit / max(float(np.hypot(*widest)), 1e-6))
    line = line * (np.hypot(*opens.T) > 0)[:, None]
    return old[0] - part * gap - line, old[1] + part * gap + line


def _lids(new: Edges, old: Edges, unit: float) -> Edges:
    """The same for an eye: lids that close are of the skin beyond lashes and corners."""
    across = old[0][-1] - old[0][0]
    right = across / max(float(np.hypot(*across)), 1e-6)
    shut = closing(new, old)
    reach = LASHES * unit * shut[:, None]
    upper = old[0] + reach * np.array([right[1], -right[0]])
    lower = old[1] - 0.5 * reach.max() * np.array([right[1], -right[0]])
    out = 0.5 * LASHES * unit * float(shut.max()) * right
    for edge in (upper, lower):
        edge[0] -= out
        edge[-1] += out
    return upper, lower


def closing(new: Edges, old: Edges) -> Array:
    """By how much an opening is more closed than it was, 0 to 1 along it, 0 at its corners."""
    was, is_ = (np.hypot(*(pair[1] - pair[0]).T) for pair in (old, new))
    return np.asarray(np.clip(1 - is_ / np.maximum(was, 1e-6), 0, 1) * (was > 1e-3))


def _curve(edge: Array, right: Array, along: Array) -> Array:
    """How far down an edge is at distances along the opening, in pixels, [h, w]."""
    tangent = np.gradient(edge, axis=0)
    t = np.linspace(0, 1, 8, endpoint=False)[:, None]
    h00, h10 = 2 * t**3 - 3 * t**2 + 1, t**3 - 2 * t**2 + t
    h01, h11 = 3 * t**2 - 2 * t**3, t**3 - t**2
    pieces = [
        h00 * a + h10 * u + h01 * b + h11 * v
        for a, b, u, v in zip(edge[:-1], edge[1:], tangent[:-1], tangent[1:], strict=True)
    ]
    fine = np.concatenate([*pieces, edge[-1:]])
    x = np.maximum.accumulate(fine @ right)
    return np.asarray(np.interp(along, x, fine @ np.array([-right[1], right[0]])))
