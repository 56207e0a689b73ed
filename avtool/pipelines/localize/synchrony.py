"""Which points of a picture move with the sound.

Each point's history is held against what is heard, at every lag. For jointly normal signals the
mutual information is -log(1 - r^2) / 2 (Hershey & Movellan, "Audio vision: using audio-visual
synchrony to locate sounds", 1999); jolts against onsets is the coincidence of events (Barzelay &
Schechner, "Harmony in motion", 2007). The best lag within 5 frames counts, less what the same
point reaches at lags where nothing can agree: what moves all the time agrees with everything a
little. What a mover covers when it sounds, as a floor is by a ball, agrees too: the mover, wherever
it is by now, explains that away.
"""

from __future__ import annotations

import cv2
import numpy as np

from avtool.pipelines.localize.optical_flow import Histories
from avtool.values import Array

LAG, FAR = 5, 25  # frames: lags that count, and how many beyond them are the control on each side
SPREAD = 25.0  # frames: of the moments around the middle that count
ENOUGH = 50  # frames, of fewer of which more agree by chance
LIKELY = 3.0  # frames: how far sound and picture are apart, about
STILL = (0.1, 1.0)  # spread of a jolt's and a brightness's root that is hardly any
BESIDE = 2.0  # cells apart within which two points are in one place
MOST = 600  # points that may explain each other; the best
BARELY = 1e-4  # liveliness below which a point is not looked at
NEAR = 11  # cells around a point in which the liveliest one sets the scale


def sounding(levels: Array) -> Array:
    """What of a sound can go with motion: its loudness, and its onsets.

    Shape:
        levels: float [4 * frames, bands], dB, four rows a picture
        output: float32 [2, frames]
    """
    levels = levels[: len(levels) // 4 * 4]
    if not len(levels):
        return np.zeros((2, 0), np.float32)
    levels = np.maximum(levels, max(float(levels.max()) - 40, -90))
    rise = np.maximum(0, np.diff(levels, axis=0, prepend=levels[:1])).mean(1)
    loud = (10 ** (levels / 10)).sum(1) ** 0.25
    found = [loud.reshape(-1, 4).mean(1), rise.reshape(-1, 4).max(1)]
    return np.stack(found).astype(np.float32)


def synchrony(histories: Histories, middle: int, sound: Array, shape: tuple[int, int]) -> Array:
    """How much more each point agrees with the sound than by chance, 0 and up.

    Shape:
        sound: float [2, frames + 2 * (LAG + FAR)] of ``sounding``; it begins LAG + FAR frames
        before the histories do, whose cells are those of frame ``middle``
        shape: (rows, columns); output: float32 [rows, columns]
    """
    frames = histories.moves.shape[2]
    lags = np.arange(-LAG - FAR, LAG + FAR + 1)
    weight = np.exp(-0.5 * ((np.arange(frames) - middle) / SPREAD) ** 2).astype(np.float32)
    weight /= weight.sum()
    moves, spread = _standard(np.sqrt(histories.moves), weight)
    views = np.lib.stride_tricks.sliding_window_view(sound, frames, axis=1)  # [2, lags, frames]
    heard, _ = _standard(views, weight)
    likely = np.exp(-0.5 * (lags / LIKELY) ** 2).astype(np.float32)
    near = np.abs(lags) <= LAG
    now = np.sqrt(histories.moves[..., max(0, middle - 4) : middle + 5].mean(-1))
    found = np.zeros(shape[0] * shape[1], np.float32)
    for move, size, still, lately in zip(moves, spread[..., 0], STILL, now, strict=True):
        lively = size / (size + still) * _of_liveliest(size.reshape(shape))
        lively *= _of_liveliest(lately.reshape(shape), 0.05)
        some = np.flatnonzero(lively > BARELY)
        agree = (move[some] * weight) @ heard.reshape(-1, frames).T
        bits = -0.5 * np.log(1 - np.square(np.clip(agree, 0, 0.99)))
        bits = bits.reshape(len(some), 2, len(lags))
        best = (bits * likely)[..., near].max(-1) - bits[..., ~near].mean(-1)
        found[some] += np.maximum(best, 0).sum(1) * lively[some]
    onsets = sound[1, LAG + FAR : LAG + FAR + frames]
    found *= 1 - _explained(found, histories.places, weight, onsets)
    found *= min(1.0, frames / ENOUGH)  # as agreement by chance is about 1 / frames
    smooth: Array = cv2.GaussianBlur(
        found.reshape(shape), (3, 3), 0, borderType=cv2.BORDER_REPLICATE
    )
    return smooth


def _explained(found: Array, places: Array, weight: Array, onsets: Array) -> Array:
    """How far another point explains what each one agrees with, 0 to 1, [points].

    It does where it was in the same place when something was heard, agrees too, and travels more.
    """
    explained = np.zeros_like(found)
    some = np.argsort(-found)[:MOST]
    some = some[found[some] > 0.2 * found.max(initial=0)]
    if not len(some):
        return explained
    paths, agree = places[:, some], found[some]
    middles = np.tensordot(weight, paths, 1)
    travel = np.sqrt(np.tensordot(weight, np.square(paths - middles).sum(-1), 1))
    heard = weight * onsets**2
    heard /= heard.sum() + 1e-9
    paths = paths - middles.mean(0)  # so that squares stay small
    at = (paths * np.sqrt(heard)[:, None, None]).transpose(1, 0, 2).reshape(len(some), -1)
    size = np.square(at).sum(1)
    apart = np.maximum(size[:, None] + size - 2 * at @ at.T, 0)  # mean square, in cells
    together = np.exp(-0.5 * apart / BESIDE**2)
    as_good = np.minimum(agree / (0.5 * agree[:, None]), 1)
    more = np.maximum(2 * travel / (travel + travel[:, None] + 0.2) - 1, 0)
    explained[some] = (together * as_good * np.sqrt(more)).max(1)
    return explained


def _standard(signals: Array, weight: Array) -> tuple[Array, Array]:
    """Signals [..., frames] with mean 0 and spread 1, and their spread [..., 1]."""
    signals = signals - (signals @ weight)[..., None]
    spread = np.sqrt(np.square(signals) @ weight)[..., None]
    return signals / (spread + 1e-3 * (1 + spread.max(initial=0))), spread


def _of_liveliest(plane: Array, least: float = 1e-3) -> Array:
    """Each cell of [rows, columns] as a part of the greatest one around it, flat."""
    top = cv2.dilate(plane.astype(np.float32), np.ones((NEAR, NEAR), np.uint8))
    part: Array = (plane / (top + least)).ravel()
    return part
