"""One person's mouth, moved in a picture."""

from __future__ import annotations

import cv2
import numpy as np

from avtool.pipelines.lips.warp import mouth_interior as inside
from avtool.pipelines.lips.warp.displacement import Motion, Slit
from avtool.pipelines.lips.warp.splines import eased
from avtool.pipelines.lips.warp.topology import EYES, MOUTH, Pose, edges
from avtool.values import Array

SOFT = 0.014  # head units over which a lip's edge ends
LASH = np.array([0.40, 0.46, 0.50], np.float32)  # of the light that lashes take
WIDE = 0.12  # head units of an open mouth that shows all there is to see
DEEP = np.array([0.36, 0.18, 0.16])  # of the skin's light, what is left between lips
LUMA = np.array([0.30, 0.59, 0.11])
PALER = 0.75  # of an eye's white that is seen between lids
CHEEKS = [50, 280, 205, 425, 101, 330, 36, 266]


class Painter:
    """Moves one person's mouth, and paints what the lips uncover."""

    def __init__(self) -> None:
        self._plates: inside.MouthLayers | None = None
        self._rest: tuple[float, float] | None = None
        self._best = 0.0
        self._level = 0.0  # of the light on the face that the plates are from

    def learn(self, image: Array, points: Array, drop: float, least: float = -1.0) -> None:
        """Keep the inside of this picture's mouth if none was open wider and sharper so far, with
        more teeth in sight.

        Args:
            image, points, drop: as for ``paint``, of the picture as it is.
            least: of the open mouth, more than which must be teeth; a negative one asks for none.
        """
        pose = Pose.of(points)
        upper, lower = edges(MOUTH, points, pose.unit)
        gap = float(np.hypot(*(lower - upper).T).max()) / pose.unit
        worth = 0.0
        if gap > 0.05 and (shown := _teeth(image, points)) > least:
            worth = min(gap, WIDE) * _sharpness(image, points) * (0.2 + shown)
        if worth > self._best:
            skin = _light(image, points)[1]
            plates = inside.taken(image, points, drop, self._where(pose), skin)
            if plates is not None:
                self._plates, self._best, self._level = plates, worth, _level(image, points)

    def paint(self, image: Array, points: Array, target: Array, drop: float) -> Array:
        """The picture with the face's points moved to the target, and all else as it was.

        Args:
            image: uint8 RGB [height, width, 3]; points, target: float32 [468, 3], the mesh in
                pixels as it is and as it shall be; drop: how far the chin hangs in the target
                below that of the closed mouth, in head units.

        Returns:
            uint8 RGB [height, width, 3], a new array.
        """
        out = image.copy()
        motion = Motion(points, target)
        if motion.box is not None:
            rows, columns = motion.box.inside(*image.shape[:2])
            if out[rows, columns].size:
                out[rows, columns] = motion.box.fetched(image, motion.field(motion.box))
        for opening in motion.openings:
            slit = motion.slit(opening)
            rows, columns = slit.grid.inside(*image.shape[:2])
            if out[rows, columns].size:
                part = out[rows, columns]
                part[:] = self._opened(image, points, part, motion, slit, drop)
        return out

    @staticmethod
    def region(image: Array, points: Array, target: Array) -> Array:
        """Where ``paint`` may change the picture, bool [height, width]."""
        height, width = image.shape[:2]
        mask = np.zeros((height, width), bool)
        motion = Motion(points, target)
        if motion.region is not None:
            mask[:] = motion.radius(np.arange(width), np.arange(height)) < 1
        for opening in motion.openings:
            mask[motion.slit(opening).grid.inside(height, width)] = True
        return mask

    def _opened(
        self, image: Array, points: Array, behind: Array, motion: Motion, slit: Slit, drop: float
    ) -> Array:
        """The skin on both sides of an opening and what is between, uint8 [h, w, 3]."""
        unit = motion.pose.unit
        above, below, within = slit.covers(image.shape, max(1.0, SOFT * unit))
        skin = cv2.blendLinear(
            slit.grid.fetched(image, slit.upper),
            slit.grid.fetched(image, slit.lower),
            above,
            below,
        )
        if slit.opening is not MOUTH:
            _lash(skin, above, slit.closed * within, unit)
        open_ = 1 - above - below
        x, y, width, height = cv2.boundingRect((open_ > 1 / 255).astype(np.uint8))
        if not width:
            return np.asarray(skin)
        part = slice(y, y + height), slice(x, x + width)
        share = open_[part][..., None]
        if slit.opening is MOUTH:
            rows, columns = slit.grid.inside(*image.shape[:2])
            if self._plates is None:
                self._draw(image, points)
            assert self._plates is not None
            filled = self._plates.at(
                motion.pose, drop, columns.start + x, rows.start + y, width, height
            )
            filled *= self._brighter(image, points)
            # What is in the shade is lit by flesh alone.
            lit = _shadow(open_, unit, self._plates.seen)[part]
            deep = DEEP * _light(image, points)[1]
            filled = deep + (filled - deep) * lit
        else:
            filled = behind[part].astype(np.float32)
        # A donor in a brighter light may pass white, and 256 is no brighter than 0.
        skin[part] = np.clip(np.round(skin[part] * (1 - share) + filled * share), 0, 255)
        return np.asarray(skin)

    def _where(self, pose: Pose) -> tuple[float, float]:
        """Where this person's lips meet, by the first picture."""
        if self._rest is None:
            upper, lower = pose.own[13], pose.own[14]
            x, y = (0.8 * upper + 0.2 * lower)[:2]
            self._rest = float(x), float(y)
        return self._rest

    def _brighter(self, image: Array, points: Array) -> float:
        """Than where the plates are from is the light on this face."""
        return float(np.clip(_level(image, points) / max(self._level, 1.0), 0.6, 1.5))

    def _draw(self, image: Array, points: Array) -> None:
        pose = Pose.of(points)
        white, skin = _light(image, points)
        self._level = _level(image, points)
        self._plates = inside.drawn(pose.unit, self._where(pose), white, skin)


def _around(points: Array, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The box of the lips, as far as the picture has it."""
    lips = points[[*MOUTH.upper[0], *MOUTH.lower[0]], :2]
    size = np.array(shape[1::-1])
    x0, y0 = np.clip(np.floor(lips.min(0)), 0, size).astype(int)
    x1, y1 = np.clip(np.ceil(lips.max(0)), 0, size).astype(int)
    return slice(y0, y1), slice(x0, x1)


def _sharpness(image: Array, points: Array) -> float:
    """Of the mouth: how much is left of it without what is blurred."""
    box = image[_around(points, image.shape)]
    return float(cv2.Laplacian(box, cv2.CV_32F).std()) if box.size else 0.0


def _teeth(image: Array, points: Array) -> float:
    """How much of the open mouth is bright, and less red than skin, 0 to 1."""
    rows, columns = _around(points, image.shape)
    upper, lower = edges(MOUTH, points, Pose.of(points).unit)
    outline = np.round(np.concatenate([upper, lower[-2:0:-1]])).astype(np.int32)
    box = image[rows, columns].astype(np.float32)
    mask = np.zeros(box.shape[:2], np.uint8)
    if mask.size:
        cv2.fillPoly(mask, [outline - [columns.start, rows.start]], 1)
    if not mask.any():
        return 0.0
    _, skin = _light(image, points)
    red, green, _ = box[mask > 0].T
    pale = red * skin[1] < 0.9 * green * skin[0]  # a tongue is as red as skin, or more so
    return float((pale & (box[mask > 0] @ LUMA > 0.55 * float(skin @ LUMA))).mean())


def _level(image: Array, points: Array) -> float:
    """How bright the skin around the lips is."""
    rows, columns = _around(points, image.shape)
    reach = max(1, (columns.stop - columns.start) // 5)
    above = image[max(0, rows.start - reach) : rows.start, columns]
    below = image[rows.stop : rows.stop + reach, columns]
    seen = np.concatenate([above.reshape(-1, 3), below.reshape(-1, 3)])
    return float(seen.mean()) if len(seen) else 0.0


def _lash(skin: Array, above: Array, strength: Array, unit: float) -> None:
    """Darken the rim of an upper lid that has come down, in place: its lashes."""
    rim = cv2.GaussianBlur(above, (0, 0), 0.014 * unit)
    dark = LASH * (strength * 4 * rim * (1 - rim))[..., None]
    skin[:] = np.round(skin * (1 - dark))


def _shadow(open_: Array, unit: float, seen: bool) -> Array:
    """How much light reaches each pixel between the lips, float32 [h, w, 1]: little near them,
    least under the upper one. A plate cut out of a picture has most of that in itself.
    """
    near = cv2.GaussianBlur(open_, (0, 0), 0.028 * unit)
    lowered = np.array([[1, 0, 0], [0, 1, 0.018 * unit]])
    near = cv2.warpAffine(near, lowered, near.shape[::-1], flags=cv2.INTER_LINEAR)
    lit = eased((near - 0.05) / 0.60)
    least = 0.55 if seen else 0.25
    return np.asarray(least + (1 - least) * lit[..., None], np.float32)


def _light(image: Array, points: Array) -> tuple[Array, Array]:
    """What white and this person's skin look like in the light on the face, float [3] each.

    The colour of white is that of the eyes where they are least like skin, made paler by as much
    as lids and iris mix into it; how bright it is, what skin and eyes tell together.
    """
    height, width = image.shape[:2]
    x, y = np.round(points[CHEEKS, :2]).astype(int).T
    inside_ = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    skin = np.median(image[y[inside_], x[inside_]], 0) if inside_.any() else np.full(3, 128.0)
    eyes = np.zeros((height, width), np.uint8)
    for eye in EYES:
        outline = [*eye.upper[-1], *eye.lower[-1][-2:0:-1]]
        cv2.fillPoly(eyes, [np.round(points[outline, :2]).astype(np.int32)], 1)
    seen = image[eyes > 0].astype(np.float64) + 1
    colour, level = np.ones(3), 1.12 * float(skin @ LUMA)
    if len(seen) > 20:
        bright, blue = seen @ LUMA, seen[:, 2] / seen.sum(1)
        pale = (blue >= np.quantile(blue, 0.6)) & (bright >= np.quantile(bright, 0.5))
        if pale.any():
            colour = (seen[pale].mean(0) / seen[pale].mean()) ** PALER
        level = max(level, 1.1 * float(np.quantile(bright, 0.95)))
    return np.minimum(colour / (colour @ LUMA) * level, 245), skin
