"""What a lens with a wide opening makes of a picture that is sharp everywhere.

The picture is taken apart into layers by depth. Each is blurred by a disc, as wide as its circle of
confusion, and they are laid on each other from the farthest to the nearest, so that what is near
covers what is far and nothing in focus bleeds into what is not (as Barron et al., "Fast
bilateral-space stereo for synthetic defocus", 2015, and Wadhwa et al., "Synthetic depth-of-field
with a single-camera mobile phone", 2018). What a nearer layer hides is filled from its surroundings
by pulling and pushing (Gortler et al. 1996).

Light is added up, not its display: pictures are made linear, and near white they stand for more
than they show, so that lamps become discs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from avtool.signal.fill import filled, half
from avtool.values import Array

FINE = 3.0  # pixels of a disc, below which a layer is drawn at the picture's own size
SHARP = 0.7  # pixels of a disc that nobody sees: what is blurred less stays as it is
BLOOM = 0.9  # how far white stands for more light than it shows: 1 / (1 - BLOOM) times as much
LOOSE = 0.02  # of the short side, around a mask, that may hold hair which it lacks
UNDER = 0.06  # of the short side: how far what is in focus goes on under what is nearer
WIDEST = 25  # pixels of a disc, beyond which it is drawn at half the size


@dataclass(frozen=True, eq=False)
class Layer:
    """What is seen at one depth.

    Shape:
        alpha: float32 [h, w], how much of each part of the (shrunken) picture is of it, 0 to 1.
    """

    alpha: Array
    blur: float  # diameter of its circle of confusion, in pixels of the picture
    goes_on: bool = False  # a place may be of this and of the next such layer by parts


def refocused(image: Array, layers: Sequence[Layer], sharp: Array, step: float) -> Array:
    """A picture with its layers out of focus.

    Args:
        layers: from the farthest to the nearest; those below ``FINE`` follow each other.
        step: pixels of the picture that a layer's pixel is wide.

    Shape:
        image: uint8 RGB [height, width, 3]; sharp: float32 [height, width], the alpha of all layers
        below ``FINE``, at the picture's own size. Returns uint8 [height, width, 3], in which what
        is wholly in focus has the very pixels of the image.
    """
    fine = [n for n, layer in enumerate(layers) if layer.blur < FINE]
    first, last = (fine[0], fine[-1] + 1) if fine else (len(layers), len(layers))
    high, wide = layers[0].alpha.shape
    small = cv2.resize(image, (wide, high), interpolation=cv2.INTER_AREA)
    light = cv2.LUT(small, _LIGHT)
    hidden = _hidden(layers)
    ahead = _ahead(layers[:first]) if first else hidden[last - 1]  # of what is farthest
    plate = filled(light, _clear(ahead)) if ahead.any() else light
    behind = _laid(plate, light, layers[:first], hidden[:first], step)
    size = image.shape[1], image.shape[0]
    out: Array = cv2.resize(behind, size, interpolation=cv2.INTER_LINEAR)
    if fine:
        near, focused = hidden[last - 1], np.sum([layers[n].alpha for n in fine], 0)
        picture = _softened(image, layers[first:last], size)
        _lay_focused(out, picture, small, _shown(plate), sharp, focused, near)
    if last < len(layers) and fine:
        _lay_front(out, light, layers[last:], hidden[last:], step)
    return out


def _ahead(layers: Sequence[Layer]) -> Array:
    """How much of the farthest layer is hidden, but by the one that it goes on to, [h, w]."""
    shown = layers[0].alpha
    if layers[0].goes_on:
        shown = shown + next((each.alpha for each in layers[1:] if each.goes_on), np.float32(0))
    return np.asarray(np.clip(1 - shown, 0, 1))


def _hidden(layers: Sequence[Layer]) -> list[Array]:
    """How much of each layer is hidden by nearer ones, [h, w] each."""
    found, total = [], np.zeros_like(layers[0].alpha)
    for layer in reversed(layers):
        found.append(total)
        total = np.minimum(total + layer.alpha, 1)
    return found[::-1]


def _laid(
    plate: Array, light: Array, layers: Sequence[Layer], hidden: Sequence[Array], step: float
) -> Array:
    """Blurred layers on each other, the first of them everywhere, as a plate: uint8 [h, w, 3]."""
    made = blurred(plate, layers[0].blur / step) if layers else plate
    for layer, covered in zip(layers[1:], hidden[1:], strict=True):
        colour, alpha = _spread(light, layer, covered, step)
        made = made * (1 - alpha) + colour
    return _shown(made)


def _clear(hidden: Array) -> Array:
    """Where nothing hides what is behind, nor a loose hair of it, [h, w]."""
    side = 2 * max(1, round(LOOSE * min(hidden.shape))) + 1
    return np.asarray(np.clip(1 - 4 * cv2.blur(hidden, (side, side)), 0, 1))


def _spread(light: Array, layer: Layer, covered: Array, step: float) -> tuple[Array, Array]:
    """A layer's blurred light, times its blurred alpha, and that: [h, w, 3], [h, w, 1].

    What nearer layers hide goes on as it is beside them.
    """
    alpha = layer.alpha[..., None]
    soft = blurred(np.concatenate([light * alpha, alpha], 2), layer.blur / step)
    share = soft[..., 3:]
    if covered.any():
        seen = np.maximum(blurred(1 - covered, layer.blur / step), 0.05)
        share = np.minimum(share / seen[..., None], 1)
    return soft[..., :3] / np.maximum(soft[..., 3:], 1e-4) * share, share


def _softened(image: Array, layers: Sequence[Layer], size: tuple[int, int]) -> Array:
    """The picture for those layers that are almost in focus: each part as soft as it is."""
    if all(layer.blur < SHARP for layer in layers):
        return image
    soft = cv2.filter2D(image, -1, disc(FINE), borderType=cv2.BORDER_REFLECT_101)
    amount = sum(
        layer.alpha * np.float32(np.clip((layer.blur - SHARP) / (FINE - SHARP), 0, 1))
        for layer in layers
    ) / np.maximum(sum(layer.alpha for layer in layers), 1e-3)
    amount = cv2.resize(np.asarray(amount, np.float32), size)
    return np.asarray(cv2.blendLinear(soft, image, amount, 1 - amount))


def _lay_focused(
    out: Array,
    picture: Array,
    small: Array,
    outside: Array,
    sharp: Array,
    focused: Array,
    near: Array,
) -> None:
    """Lay what is in focus on what is behind it, in place.

    At its edge a pixel is partly of what is behind; it is taken apart into the two first, else the
    old background, ``outside``, uint8 [h, w, 3], would shine around the hair (Forte, "Approximate
    fast foreground colour estimation", 2021).
    """
    size = out.shape[1], out.shape[0]
    cv2.copyTo(picture, (sharp >= 1).astype(np.uint8), out)
    some: Array = (sharp > 0) & (sharp < 1)
    beneath = _beneath(focused, near, size)
    if beneath is not None:
        some |= (beneath > 0) & (sharp < 1)
    rows, columns = np.nonzero(some)
    if not len(rows):
        return
    alpha = sharp[rows, columns][:, None]
    inside = filled(small, np.clip(2 * focused - 1, 0, 1))
    inside = inside.clip(0, 255).astype(np.uint8)
    ahead, back = (
        cv2.resize(each, size)[rows, columns].astype(np.float32) for each in (inside, outside)
    )
    pixel = picture[rows, columns].astype(np.float32)
    own = np.clip(ahead + alpha * (pixel - alpha * ahead - (1 - alpha) * back), 0, 255)
    made: Array = alpha * own + (1 - alpha) * out[rows, columns]
    if beneath is not None:
        made += beneath[rows, columns][:, None] * (ahead - out[rows, columns])
    out[rows, columns] = made.clip(0, 255) + 0.5


def _beneath(focused: Array, near: Array, size: tuple[int, int]) -> Array | None:
    """How far what is in focus goes on under what is nearer, which will not hide all of it.

    Shape:
        focused, near: float32 [h, w]; returns float32 [height, width], or None: nowhere.
    """
    if not near.any():
        return None
    reach = max(3, round(UNDER * min(near.shape)))
    seen = np.maximum(cv2.blur(1 - near, (reach, reach)), 0.02)
    share = near * np.minimum(cv2.blur(focused, (reach, reach)) / seen, 1)
    share[share < 1 / 64] = 0
    return np.asarray(cv2.resize(share, size)) if share.any() else None


def _lay_front(
    out: Array, light: Array, layers: Sequence[Layer], hidden: Sequence[Array], step: float
) -> None:
    """Lay blurred layers on what is in focus, in place."""
    size = out.shape[1], out.shape[0]
    for layer, covered in zip(layers, hidden, strict=True):
        colour, share = _spread(light, layer, covered, step)
        flat = _shown(colour / np.maximum(share, 1e-3))
        share = cv2.resize(share[..., 0], size)
        share[share < 1 / 512] = 0
        made = cv2.blendLinear(cv2.resize(flat, size), out, share, 1 - share)
        cv2.copyTo(made, (share > 0).astype(np.uint8), out)


def blurred(picture: Array, diameter: float) -> Array:
    """A picture float32 [h, w] or [h, w, n] under a disc so many pixels wide."""
    if diameter < 1:
        return picture
    if diameter > WIDEST and min(picture.shape[:2]) > 32:
        made = blurred(half(picture), diameter / 2)
        return np.asarray(cv2.resize(made, picture.shape[1::-1]))
    return np.asarray(cv2.filter2D(picture, -1, disc(diameter), borderType=cv2.BORDER_REFLECT_101))


def disc(diameter: float) -> Array:
    """A disc of sum 1, its edge smooth, float32 [n, n]; to an eighth of a pixel."""
    return _disc(max(1, round(8 * diameter)))


@lru_cache(64)
def _disc(eighths: int) -> Array:
    diameter, fine = eighths / 8, 8
    side = int(np.ceil(diameter)) | 1
    across = (np.arange(side * fine) + 0.5) / fine - side / 2
    inside = across[:, None] ** 2 + across**2 <= diameter**2 / 4
    cells = inside.reshape(side, fine, side, fine).mean((1, 3))
    return np.asarray(cells / cells.sum(), np.float32)


def _lights() -> Array:
    shown = np.arange(256, dtype=np.float32) / 255
    linear = shown**2
    return np.asarray(linear / (1 - BLOOM * linear), np.float32)


_LIGHT = _lights()


def _shown(light: Array) -> Array:
    """What ``_LIGHT`` made linear, as uint8."""
    linear = light / (1 + BLOOM * light)
    return np.asarray(cv2.sqrt(np.maximum(linear, 0)) * 255 + 0.5).astype(np.uint8)
