"""What is behind the lips: teeth and tongue on two plates, one on the skull and one on the jaw.

The plates of a person who was seen to open the mouth are cut out of that picture, as Video Rewrite
did (Bregler, Covell and Slaney 1997); else they are drawn, in the light that falls on the face.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from avtool.pipelines.lips.warp.splines import eased
from avtool.pipelines.lips.warp.topology import MOUTH, Pose, edges
from avtool.values import Array

DEPTH = -0.22  # z of the front teeth in head coordinates
LEFT, TOP, WIDE, HIGH = -0.42, -0.25, 0.84, 0.65  # a plate, head units around the closed lips
FINEST = 500.0  # pixels of a plate to a head unit at most
DARK = np.array([0.20, 0.09, 0.08])  # of the skin's light, deep in a mouth
DIP = 0.7  # of the teeth's brightness: what is darker is a gap below them
SHORTEST, LONGEST = 0.02, 0.085  # head units below where lips meet, that upper teeth reach
JAW = 0.9  # how far the lower teeth sink for a chin that sinks by 1

# Widths of the teeth from the middle outwards, in head units of some 90 mm.
ENAMEL = np.array([0.98, 0.96, 0.92])  # beside what is white
GAP = 0.24  # of the light that is missing between two teeth
CORNER = (0.10, 0.27)  # head units from the middle, from where teeth get dark to where they are
UPPER = (0.094, 0.074, 0.082, 0.076, 0.074, 0.1)
LOWER = (0.060, 0.064, 0.074, 0.076, 0.076, 0.1)


@dataclass(frozen=True, eq=False)
class MouthLayers:
    """Premultiplied uint8 RGBA [h, w, 4] each, and the colour behind both, uint8 [3].

    ``rest`` is where closed lips meet, x and y in head coordinates; ``density`` pixels to a unit.
    """

    upper: Array
    lower: Array
    dark: Array
    rest: tuple[float, float]
    density: float
    seen: bool  # cut out of a picture, with that picture's own shadows

    def at(self, pose: Pose, drop: float, left: int, top: int, width: int, height: int) -> Array:
        """Both over the dark, as this head holds them, float32 RGB [height, width, 3]."""
        axes = pose.axes[:, :2] / self.density
        out = np.empty((height, width, 3), np.float32)
        out[:] = self.dark
        for plate, down in ((self.lower, JAW * drop), (self.upper, 0.0)):
            corner = pose.place(self.rest[0] + LEFT, self.rest[1] + TOP + down, DEPTH)
            matrix = np.column_stack([axes, corner - (left, top)])
            held = cv2.warpAffine(plate, matrix, (width, height), flags=cv2.INTER_LINEAR)
            out *= 1 - held[..., 3:] * np.float32(1 / 255)
            out += held[..., :3]
        return out


def drawn(unit: float, rest: tuple[float, float], white: Array, skin: Array) -> MouthLayers:
    """Teeth and tongue for a face of this size in the light in which white and skin look so."""
    density = min(unit, FINEST)
    x = (np.arange(round(WIDE * density)) + 0.5) / density + LEFT
    y = ((np.arange(round(HIGH * density)) + 0.5) / density + TOP)[:, None]
    soft = max(0.008, 1.2 / density)
    dark = DARK * skin
    gum = np.array([0.62, 0.36, 0.36]) * skin
    flesh = np.array([0.60, 0.34, 0.33]) * skin

    def cover(distance: Array, width: float = soft) -> Array:
        return np.clip(distance / width + 0.5, 0, 1)

    def arch(widths: tuple[float, ...], half: float) -> tuple[Array, Array, Array]:
        """Along x: the tooth's number, the place in it from -1 to 1, and how far it faces us."""
        turn = np.arcsin(np.clip(np.abs(x) / half, 0, 0.999))
        along = half * (turn + 0.35 * turn**2)
        ends = np.cumsum(widths)
        number = np.minimum(np.searchsorted(ends, along), len(widths) - 1)
        wide = np.array(widths)[number]
        # Beyond the last tooth there is none.
        return number, np.clip(2 * (along - ends[number]) / wide + 1, -1, 1), np.cos(turn)

    def teeth(number: Array, place: Array, facing: Array, edge: Array, root: Array) -> Array:
        """RGBA of one row of teeth between its biting edge and its root (y of each x)."""
        way = np.sign(root - edge)
        from_edge, from_root = (y - edge) * way, (root - y) * way
        tall = np.clip(from_edge / np.abs(root - edge), 0, 1)
        form = 1 - 0.10 * place**2 - GAP * np.abs(place) ** 10
        # What the cheeks keep from the light, towards the corners.
        shade = (1 - 0.72 * eased((np.abs(x) - CORNER[0]) / (CORNER[1] - CORNER[0]))) * form
        shade = shade * (0.90 + 0.10 * eased(tall / 0.25)) * (1 - 0.10 * eased(tall * 1.3 - 0.3))
        enamel = white * ENAMEL * shade[..., None]
        enamel = enamel * (1 - eased(tall)[..., None] * np.array([0.0, 0.02, 0.06]))
        pink = gum * (0.55 + 0.45 * eased(facing))[None, :, None]
        mixed = pink + cover(from_root, 2.5 * soft)[..., None] * (enamel - pink)
        alpha = cover(from_edge) * eased((facing - 0.12) / 0.25)
        return np.concatenate([np.clip(mixed, 0, 255), 255 * alpha[..., None]], -1)

    number, place, facing = arch(UPPER, 0.335)
    edge = 0.052 - np.array([0.0, 0.008, 0.002, 0.006, 0.008, 0.010])[number]
    edge = edge - 0.014 * np.abs(place) ** 6 - 0.45 * x**2
    root = -0.088 + 0.022 * place**2 - 0.012 * (number == 1)
    upper = teeth(number, place, facing, edge, root)

    number, place, facing = arch(LOWER, 0.30)
    edge = 0.012 + 0.008 * np.abs(place) ** 5 + 0.02 * (1 - facing)
    root = 0.100 - 0.015 * place**2
    row = teeth(number, place, facing, edge, root)
    row[..., :3] *= 0.86
    # The tongue lies behind the lower teeth and sinks into the dark.
    rise = (y + 0.075) - 0.10 * (x / 0.24) ** 2 + 0.012 * np.exp(-((x / 0.02) ** 2))
    lit = eased(rise / 0.15)[..., None]
    tongue = dark + lit * (0.80 * flesh - dark)
    alpha = eased(rise / 0.08) * cover(0.30 - np.abs(x), 0.08) * cover(0.12 - y)
    share = row[..., 3:] / 255
    lower = np.concatenate(
        [row[..., :3] * share + tongue * (1 - share), 255 * np.maximum(share, alpha[..., None])], -1
    )
    blur = max(0.4, 0.004 * density)
    upper, lower = (cv2.GaussianBlur(_held(plate), (0, 0), blur) for plate in (upper, lower))
    return MouthLayers(upper, lower, dark.astype(np.uint8), rest, density, seen=False)


def taken(
    image: Array, points: Array, drop: float, rest: tuple[float, float], skin: Array
) -> MouthLayers | None:
    """The inside of this picture's open mouth; None if it is too small to be cut out."""
    pose = Pose.of(points)
    density = min(pose.unit, FINEST)
    axes = pose.axes[:, :2] / density
    corner = pose.place(rest[0] + LEFT, rest[1] + TOP, DEPTH)
    size = (round(WIDE * density), round(HIGH * density))
    back = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    plate = cv2.warpAffine(
        image, np.column_stack([axes, corner]), size, flags=back, borderMode=cv2.BORDER_REPLICATE
    )
    upper, lower = edges(MOUTH, points, pose.unit)
    outline = np.concatenate([upper, lower[-2:0:-1]])
    outline = np.linalg.solve(axes, (outline - corner).T).T
    mouth = np.zeros(size[::-1], np.uint8)
    cv2.fillPoly(mouth, [np.round(outline).astype(np.int32)], 255)
    # The rim shows lip as much as inside, and lies in its shadow.
    rim = max(1, round(0.012 * density))
    mouth = cv2.erode(mouth, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim + 1,) * 2))
    rows = np.flatnonzero(mouth[:, round(-LEFT * density)])
    if len(rows) < 5:
        return None
    shaded = len(rows) // 6
    mouth[shaded:] = np.minimum(
        mouth[shaded:], mouth[: len(mouth) - shaded]
    )  # not the shadow under the upper lip
    # What lies outside goes on as the nearest inside does, and gets dark.
    far, nearest = cv2.distanceTransformWithLabels(
        255 - mouth, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    colours = np.zeros((nearest.max() + 1, 3), np.uint8)
    colours[nearest[mouth > 0]] = plate[mouth > 0]
    around = cv2.GaussianBlur(colours[nearest], (0, 0), max(0.5, 0.008 * density))
    away = eased(far / (0.02 * density))[..., None]
    split, parted = between(plate, mouth, rows, density)
    dark = np.minimum(np.percentile(plate[mouth > 0], 4, axis=0), DARK * skin)
    fade = np.exp(-far / (0.05 * density))[..., None]
    whole = dark + (plate + away * (around.astype(np.float32) - plate) - dark) * fade
    down = ((np.arange(size[1])[:, None] - split) / (0.02 * density))[..., None]
    above, under = 255 * eased(0.5 - down), 255 * parted * eased(1 + down)
    held = _held(np.concatenate([whole, under], -1))
    # On the jaw, as it will be with the jaw closed.
    lift = np.array([[1, 0, 0], [0, 1, -JAW * drop * density]])
    held = cv2.warpAffine(held, lift, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    skull = _held(np.concatenate([whole, above], -1))
    return MouthLayers(skull, held, dark.astype(np.uint8), rest, density, seen=True)


def between(plate: Array, mouth: Array, rows: Array, density: float) -> tuple[Array, bool]:
    """The row below which nothing is the upper teeth's, [columns], and whether they hide what is
    below it no more.

    Args:
        plate: uint8 RGB [h, w, 3] of which ``mouth`` [h, w] shows the inside, in the middle these
            ``rows``.
    """
    columns = np.arange(plate.shape[1]) / density + LEFT
    middle = plate[rows[0] : rows[-1] + 1, np.abs(columns) < 0.07]
    light = cv2.GaussianBlur(middle.mean((1, 2))[:, None], (1, 0), 0, sigmaY=len(rows) / 12)[:, 0]
    # The upper teeth are the brightest there, and end where it is darkest below them.
    teeth = int(light[: max(1, 6 * len(light) // 10)].argmax())
    split = teeth + int(light[teeth : max(teeth + 1, 19 * len(light) // 20)].argmin())
    # No dark below them: the teeth hide all that belongs to the jaw.
    parted = bool(light[split] < DIP * light[teeth])
    split = split if parted else len(light)
    # Teeth that are clenched are two rows, one of them the jaw's, with a line between them.
    lowest = round((LONGEST - TOP) * density) - int(rows[0])
    if lowest < split:
        parted = True
        shortest = min(round((SHORTEST - TOP) * density) - int(rows[0]), lowest - 1)
        first = max(0, shortest)
        split = max(1, first + int(light[first : lowest + 1].argmin()) if lowest > 0 else 1)
    # It follows the teeth: from the middle out to both sides, where it is dark.
    grey = cv2.GaussianBlur(plate.mean(2).astype(np.float32), (0, 0), max(0.5, 0.006 * density))
    level = max(float(light.max()), 1.0)
    reach = max(1, round(0.04 * density))
    path = np.full(len(columns), rows[0] + split, np.float64)
    start = int(np.abs(columns).argmin())
    for way in (-1, 1):
        place = path[start]
        for x in range(start, len(columns) if way > 0 else -1, way):
            near = np.arange(round(place) - 1, round(place) + 2)
            near = near[(near >= 0) & (near < len(plate))]
            cost = grey[near, x] / level + 0.5 * ((near - rows[0] - split) / reach) ** 2
            if len(near) and mouth[near, x].any():
                place = float(near[cost.argmin()])
            path[x] = place
    return cv2.GaussianBlur(path[None], (0, 0), max(0.5, 0.006 * density))[0], parted


def _held(plate: Array) -> Array:
    """Straight RGBA as premultiplied uint8."""
    share = plate[..., 3:] / 255
    return np.concatenate([plate[..., :3] * share, plate[..., 3:]], -1).round().astype(np.uint8)
