"""From a sound to what a mouth does while it says it, as motion of a mesh and as face units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from avtool.errors import InputError
from avtool.face import LIPS, LIPS_INNER, LIPS_OUTER
from avtool.head.model import UNITS, smooth
from avtool.media import Clip
from avtool.models.speech_frontend import floored, loudest, relative_bands, speech_mean
from avtool.pipelines.features import mel
from avtool.pipelines.lips.model import FPS, LipMotion
from avtool.spool import Spool
from avtool.values import Array, Audio

WINDOW, MARGIN = 3000, 80  # frames of log-mel that the network takes at once, and around them
# The 95th percentile of the lips' opening that a mesh has to be moved by, eyes' distance 1, for a
# mesh to find it to be 0.13 in the pictures, as in those of people who talk.
PEOPLE = 0.11
NARROWEST = 0.02  # the same of a network's motion, below which it tells no speech
ASLEEP = 55  # dB below the loud moments, where a mouth rests
REST = 0.12  # seconds over which a mouth comes to rest
AHEAD = 0.6  # seconds before a sound in which it may open for it
CHIN, LOWER = 152, 17  # points of the mesh
INNER_UPPER, INNER_LOWER = list(LIPS_INNER[19:10:-1]), list(LIPS_INNER[1:10])
OUTER_UPPER, OUTER_LOWER = list(LIPS_OUTER[19:10:-1]), list(LIPS_OUTER[1:10])
CORNERS = [61, 291, 78, 308]
PICTURES = 25  # a second, of faces that are looked at
DEEP = 40.0  # dB below the loudest at which a loudness-driven mouth is closed
FARTHEST = 2.0  # eyes' distances that a point may move; ours move 0.3
STAYS = 0.35  # of an upper lip beside corners, when a mouth is shut
TOUCH = 0.008  # what the mesh leaves between closed lips, eyes' distance 1
# What a mouth does when it speaks; the others are moods.
SPEAKING = (
    *("jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthRollLower", "mouthRollUpper"),
    *("mouthShrugLower", "mouthShrugUpper", "mouthLowerDownLeft", "mouthLowerDownRight"),
    *("mouthUpperUpLeft", "mouthUpperUpRight", "mouthStretchLeft", "mouthStretchRight"),
    *("mouthSmileLeft", "mouthSmileRight", "mouthPressLeft", "mouthPressRight"),
)


@dataclass(frozen=True, eq=False)
class Motion:
    """A mouth's motion.

    Shape:
        amounts: float32 [n, shapes], 50 a second; phones: float32 [n, 40], how likely each of
        ``models.speech_frontend.PHONES`` is; shapes: float32 [shapes, 468, 3]; units:
        float32 [52, 468, 3], both of the mesh in head coordinates.
    """

    amounts: Array
    phones: Array
    shapes: Array
    units: Array
    seconds: float

    def at(self, times: Array) -> Array:
        """Amounts at some times in seconds, float32 [times, shapes]."""
        place = np.clip(np.asarray(times) * FPS, 0, len(self.amounts) - 1)
        low = np.minimum(place.astype(int), max(0, len(self.amounts) - 2))
        part = (place - low)[:, None].astype(np.float32)
        high = np.minimum(low + 1, len(self.amounts) - 1)
        found: Array = self.amounts[low] * (1 - part) + self.amounts[high] * part
        return found

    def mesh(self, amounts: Array) -> Array:
        """How far the mesh's points are from the closed mouth: [..., shapes] -> [..., 468, 3]."""
        moved: Array = np.tensordot(amounts, self.shapes, 1)
        return moved

    def lips(self, amounts: Array) -> Array:
        """The same of the lips, seen from the front: [..., shapes] -> [..., 40, 2]."""
        moved: Array = np.tensordot(amounts, self.shapes[:, list(LIPS), :2], 1)
        return moved

    def drop(self, amounts: Array) -> float:
        """How far the chin hangs below that of the closed mouth, eyes' distance 1."""
        return max(0.0, float(amounts @ self.shapes[:, CHIN, 1]))

    @cached_property
    def hangs(self) -> float:
        """How far the chin goes down where the lower lip does, usually."""
        chin, lip = self.shapes[:, CHIN, 1], self.shapes[:, LOWER, 1]
        return float(chin @ lip / max(float(lip @ lip), 1e-12))

    @cached_property
    def reach(self) -> Array:
        """Which of the mesh's points speech moves, 0 to 1, float32 [468]."""
        size = np.sqrt((self.shapes[..., :2] ** 2).sum((0, 2)))
        return smooth(0.002, 0.006, size)

    def shut(self, own: Array) -> Array:
        """A face [468, 3] in head coordinates with its lips closed, by the likeliest motion that
        leaves them as thick as they are, and their corners in place.
        """
        apart = own[INNER_LOWER, 1] - own[INNER_UPPER, 1]
        parts = self.shapes[:, INNER_LOWER, 1] - self.shapes[:, INNER_UPPER, 1]
        thick = [
            self.shapes[:, outer, 1] - self.shapes[:, inner, 1]
            for outer, inner in ((OUTER_UPPER, INNER_UPPER), (OUTER_LOWER, INNER_LOWER))
        ]
        # What smiles does not stop: corners stay, and the upper lip more than the lower one.
        corners = self.shapes[:, CORNERS, :2].reshape(len(parts), -1)
        upper = STAYS * self.shapes[:, INNER_UPPER, 1]
        told = np.concatenate([parts, *thick, corners, upper], 1)
        wanted = np.zeros(told.shape[1])
        wanted[: len(apart)] = np.maximum(apart - TOUCH, 0)
        size = 1e-5 * np.eye(len(told))  # as likely as the shapes' amounts, which are about 1
        amounts = np.linalg.solve(told @ told.T + size, told @ wanted)
        return np.asarray(own - self.mesh(amounts), np.float32)

    def face_units(self, amounts: Array) -> Array:
        """The nearest mix of ARKit's units, each 0 to 1: [n, shapes] -> float32 [n, 52]."""
        places = [UNITS.index(name) for name in SPEAKING]
        basis = self.units[places, :, :2].reshape(len(places), -1)
        found = np.zeros((len(amounts), len(UNITS)), np.float32)
        wanted = self.shapes[..., :2].reshape(len(self.shapes), -1) @ basis.T
        found[:, places] = _nearest(amounts @ wanted, basis @ basis.T)
        return found


def _nearest(wanted: Array, gram: Array, steps: int = 200) -> Array:
    """Least squares with all amounts 0 to 1, a row a moment, by projected gradient (FISTA).

    Args:
        wanted: [n, units], the motion's product with each unit; gram: the units' with each other.
    """
    gram = gram + 0.02 * np.trace(gram) / len(gram) * np.eye(len(gram))  # of two alike, half each
    rate = 1 / max(np.linalg.eigvalsh(gram)[-1], 1e-12)  # of units that move nothing, too
    x = ahead = np.zeros_like(wanted)
    pace = 1.0
    for _ in range(steps):
        after = np.clip(ahead - rate * (ahead @ gram - wanted), 0, 1)
        faster = (1 + np.sqrt(1 + 4 * pace**2)) / 2
        x, ahead, pace = after, after + (pace - 1) / faster * (after - x), faster
    return x


def motion(audio: Audio, model: LipMotion) -> Motion:
    """What a mouth does while it says a sound, float32 [1, time] blocks at 16 kHz.

    Raises:
        InputError: the network's motion is nothing that a mouth can do.
    """
    spool = Spool()
    for block in mel.run(Clip("", audio, None, None), mel.SPEECH).mel.blocks():
        spool.append(block)
    seconds = max(0, spool.rows - 1) / 100
    amounts, phones = (np.concatenate(each) for each in zip(*_told(model, spool), strict=True))
    near = np.pad(amounts, ((1, 1), (0, 0)), mode="edge")
    amounts = (near[:-2] + near[1:-1] + near[2:]) / 3  # what is quicker is no muscle's doing
    moved = Motion(amounts, phones, model.shapes.cpu().numpy(), model.units.cpu().numpy(), seconds)
    far = float(np.abs(amounts).max(0) @ np.abs(moved.shapes).max((1, 2)))  # at most
    if not far <= FARTHEST:
        raise InputError(
            f"--weights moves the mouth by {far:.3g} eyes' distances, more than a face is high; "
            "give weights that were trained"
        )
    return moved


@torch.inference_mode()
def _told(model: LipMotion, spool: Spool) -> Iterator[tuple[Array, Array]]:
    """Amounts of the shapes and phones, window by window; silence closes the mouth.

    Shape:
        spool: log-mel, [frames, mels].
    """
    device = model.shapes.device
    # Those that it was learned from open their mouths less than others do, and a mean less again.
    gain = PEOPLE / max(model.config.opening, NARROWEST)
    parts = lambda: (_part(block).to(device) for block in spool.blocks())  # noqa: E731
    level = torch.cat([part.logsumexp(1) for part in parts()], 1)
    loud = loudest(level)
    mean = speech_mean(floored(part, loud) for part in parts())
    awake = _awake((level - loud)[0].cpu().numpy())
    for first in range(0, spool.rows, WINDOW):
        begin = max(0, first - MARGIN)
        log_mel = _part(spool.part(begin, first + WINDOW + MARGIN)).to(device)
        log_mel = pad(log_mel, (0, log_mel.shape[2] % 2), mode="replicate")
        skip = (first - begin) // 2
        heard = relative_bands(floored(log_mel, loud), mean)
        told = (each[0].T.cpu().numpy() for each in model.predict(heard))
        found, phones = (each[skip:][: WINDOW // 2] for each in told)
        yield gain * found * awake[first // 2 : first // 2 + len(found), None], phones


def _part(rows: Array) -> Tensor:
    """Rows of log-mel as the network takes them, [1, mels, rows]."""
    return torch.from_numpy(rows.T.copy())[None]


def _awake(level: Array) -> Array:
    """1 where there is sound near, 0 in silence, eased between: float32 [frames / 2].

    Shape:
        level: float32 [frames], nepers of power beside the loud moments.
    """
    over = level / np.float32(np.log(10) / 10)  # dB
    over = (over + ASLEEP) / 6
    reach, ahead = round(REST * 100), round(AHEAD * 100)
    near = np.pad(np.clip(over, 0, 1), (reach, ahead), mode="edge")
    near = np.lib.stride_tricks.sliding_window_view(near, reach + ahead + 1).max(1)
    window = np.hanning(2 * reach + 1)
    eased = np.convolve(np.pad(near, reach, mode="edge"), window / window.sum(), "valid")
    return np.asarray(eased[::2], np.float32)


def gap(points: Array) -> Array:
    """How far lips [..., 40, 2] have opened, mean over the inner lips: [...]."""
    lower, upper = (
        [LIPS.index(point) for point in side] for side in (LIPS_INNER[1:10], LIPS_INNER[19:10:-1])
    )
    apart: Array = (points[..., lower, 1] - points[..., upper, 1]).mean(-1)
    return apart


def loudness(audio: Audio, frames: int) -> Array:
    """How loud each picture is, 0 to 1: dB over 40 dB below the loudest, in windows of 80 ms."""
    rate, first = 4 * PICTURES, 0
    power = np.zeros(4 * frames)
    for block in audio.blocks():
        sound = block.mean(0).astype(np.float64)
        places = ((first + np.arange(len(sound))) * rate / audio.rate).astype(int)
        power += np.bincount(places, sound**2, 4 * frames)[: 4 * frames]
        first += len(sound)
    window = np.hanning(10)[1:-1]
    near = np.lib.stride_tricks.sliding_window_view(np.pad(power, 2), 8)[::4]
    level = 10 * np.log10(near @ window / window.sum() * rate / audio.rate + 1e-10)
    return np.asarray(np.clip(1 + (level - level.max()) / DEEP, 0, 1))
