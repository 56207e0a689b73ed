"""Who says what: the sound taken apart in windows, each voice weighed against each face.

A network tells how many people speak in a window and splits it into as many voices, with and
without seeing the moving lips (``models.separator``); another weighs each voice against each face's
lips (``models.lipvoice``), and the best sequence of assignments is taken
(``speakers.assignment``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from avtool.errors import InputError
from avtool.face import Track
from avtool.signal.resample import at_rate
from avtool.speakers.assignment import GIVEN, State, Window, assign, states
from avtool.speakers.sync import LipScore, mouths, voice_of
from avtool.spool import Spool
from avtool.values import FPS, FRAME_SAMPLES, RATE, Array, Audio

if TYPE_CHECKING:
    from torch import Tensor

    from avtool.models.lipvoice import LipVoice
    from avtool.models.separator import Separator

WINDOW, STEP = 8, 6  # seconds of sound that are looked at together, and from one to the next
SHORTEST_SAMPLES = 3200  # at 16 kHz; the transforms need something to stand on
ACTIVE = 0.01  # power of a frame against the loudest one of the sound, above which one speaks
SHORTEST, PAUSE = 0.3, 0.4  # seconds of speech that count, and pauses that do not
MOST = 3  # voices that are told apart
NONE, ONE = 0.8, 0.2  # how likely it must be that nobody speaks, or that only one does


class Models(NamedTuple):
    """The networks that hear; see ``load``."""

    separator: Separator
    lipvoice: LipVoice
    device: str


def load(weights: str | None = None, device: str = "auto") -> Models:
    """The networks, once for many sounds.

    Args:
        weights: a separator of the user's own; device: auto, cpu, cuda or mps.

    Raises:
        InputError: the weights cannot be read, or there is no such device.
    """
    from avtool.models import weights as loaded
    from avtool.models.lipvoice import LipVoice
    from avtool.models.separator import Separator

    device = loaded.device(device)
    separator = loaded.load(Separator, weights, device)
    lipvoice = loaded.load(LipVoice, device=device)
    config, size = separator.config, lipvoice.config.size
    if set(config.heads) != {2, MOST} or config.lips != size:
        raise InputError(
            f"{weights}: must separate 2 and {MOST} voices and see lips of {size} numbers; train "
            "one with its recipe's sizes"
        )
    return Models(separator, lipvoice, device)


@dataclass(frozen=True, eq=False)
class SeparatedWindows:
    """What was found in a sound.

    Args:
        windows: of the sound, in order; chosen: for each, the face (its place in ``tracks``) of
            each voice, or -1: nobody's.
        parts: the separated windows, float32 [time at 16 kHz, voices + 1] one after the other.
        seen: for each face, when it is seen, bool [frames].
    """

    windows: list[Window]
    chosen: list[State]
    parts: Spool
    seen: list[Array]

    def speaking(self, place: int) -> list[tuple[float, float]]:
        """When a face's voice is heard while it is seen, [start, end] in seconds of the sound."""
        heard = np.zeros(len(self.windows) * STEP * FPS + WINDOW * FPS, bool)
        for number, (window, row) in enumerate(zip(self.windows, self.chosen, strict=True)):
            for voice, who in enumerate(row):
                if who == place:
                    first = number * STEP * FPS
                    heard[first : first + window.active.shape[1]] |= window.active[voice]
        seen = self.seen[place][: len(heard)]
        heard[: len(seen)] &= seen
        heard[len(seen) :] = False
        return spans(heard)


def hear(
    audio: Audio,
    tracks: Sequence[Track],
    models: Models,
    voices: int | None = None,
    *,
    blind: bool = False,
) -> SeparatedWindows:
    """Take a sound apart and give its voices to faces.

    Args:
        voices: how many people speak at once at most, 1 to 3; None finds out.
        blind: the separator does not see the lips; they only tell whose voice is whose.
    """
    spool = Spool()
    found = list(look(audio, tracks, models, voices, spool, blind))
    return SeparatedWindows(found, assign(found), spool, [visible(track) for track in tracks])


def look(
    audio: Audio,
    tracks: Sequence[Track],
    models: Models,
    voices: int | None,
    spool: Spool,
    blind: bool,
) -> Iterator[Window]:
    """Separate window by window, weigh the voices against the faces, keep them in the spool."""
    import torch

    before: Array | None = None
    for first, sound in windows(audio):
        length = -(-sound.shape[1] * RATE // audio.rate)  # never none
        mono = at_rate(sound, audio.rate, RATE, length).mean(0)
        with torch.inference_mode():
            frames = _whole_frames(mono[None]).shape[1] // FRAME_SAMPLES
            faces = mouths(models.lipvoice, tracks, round(first * FPS / audio.rate), frames)
            window, parts = _split(models, mono, faces, voices, blind)
        spool.append(parts.T.astype(np.float32))
        if before is not None:
            window = replace(window, follows=_correlation(before[:, STEP * RATE :], parts[:-1]))
        before = parts[:-1]
        yield window


def _split(
    models: Models,
    mono: Array,
    faces: Sequence[LipScore],
    most: int | None,
    blind: bool,
) -> tuple[Window, Array]:
    """A window's parts, float32 [MOST + 1, time], and what the faces' lips say of them.

    Whoever speaks alone gets all that is speech, as one voice would only be torn by splitting it.
    Two or more are told apart twice, without lips and with them. The two err in different ways, so
    whose voice is whose is told by both and their mean, and the voices are a mean of both too, in
    which the split without lips counts double, as it learned from more speakers; where that mean
    fits the faces no better than the split without lips, the lips led astray and it stands alone.
    """
    import torch

    separator, lipvoice, device = models
    mixture = torch.from_numpy(np.pad(mono, (0, max(0, SHORTEST_SAMPLES - len(mono)))))[None]
    mixture = mixture.to(device)
    spectrum, trunk = separator.heard(mixture)
    count = _count(separator.count(trunk).softmax(-1)[0].cpu().numpy(), most)
    head = max(2, count)

    def parts_of(trunk: Tensor) -> Array:
        parts = separator.parts(mixture, spectrum, trunk, head)[0, :, : len(mono)].cpu().numpy()
        whole = np.zeros((MOST + 1, len(mono)), np.float32)
        whole[:head], whole[-1] = parts[:-1], parts[-1]
        return whole

    parts = parts_of(trunk)
    if count == 1:
        parts[0], parts[1:-1] = parts[:-1].sum(0), 0
    if count == 0:
        parts[-1], parts[:-1] = parts.sum(0), 0
    found, late = _weighed(lipvoice, mono, parts, faces)
    moving = [k for k, each in enumerate(faces) if each.lips is not None and each.seen.any()]
    if count < 2 or blind or not moving:
        return found, parts
    fits = found.evidence[:, :head]
    some = sorted(moving, key=lambda k: -fits[k].max())[:head]
    # In the order of the faces, and in time with the voice that fits each best.
    shown = [_late(faces[k].shown, int(late[k, fits[k].argmax()])) for k in sorted(some)]
    seen = parts_of(separator.features(spectrum, torch.stack(shown)[None]))
    alike = _correlation(parts[:head], seen[:head])
    order = max(permutations(range(head)), key=lambda o: sum(alike[o[k], k] for k in range(head)))
    places = [*order, *range(head, MOST)]
    same = parts[[*places, MOST]]
    mean, _ = _weighed(lipvoice, mono, (same + seen) / 2, faces)
    only, _ = _weighed(lipvoice, mono, seen, faces)
    told = (found.evidence[:, places] + mean.evidence + only.evidence) / 3
    if states(mean)[0][1] > states(found)[0][1]:
        return replace(mean, evidence=told), (2 * same + seen) / 3
    return replace(found, evidence=told[:, np.argsort(places)]), parts


def _late(shown: Tensor, frames: int) -> Tensor:
    """Lips [frames, size] that many frames later; what comes in is not seen."""
    import torch

    return torch.nn.functional.pad(shown, (0, 0, frames, -frames))


def _count(likely: Array, most: int | None) -> int:
    """How many voices a window is split into; ``likely``: of none, one, two, three."""
    if likely[0] > NONE:
        return 0
    if likely[1] > ONE * likely[1:].sum():
        return 1
    return min(2 + int(likely[3] > likely[2]), most or MOST)


def _weighed(
    lipvoice: LipVoice, mono: Array, parts: Array, faces: Sequence[LipScore]
) -> tuple[Window, Array]:
    """What lips say of a window's parts, and how late each voice is, in frames [faces, voices]."""
    import torch

    active = _active(parts[:-1])
    some = active.any(1)
    evidence, late = np.zeros((2, len(faces), len(active)))
    if some.any():
        heard = voice_of(lipvoice, _whole_frames(parts[:-1][some]))
        spoken = torch.from_numpy(active[some]).to(heard.device)
        for row, each in enumerate(faces):
            odds, lags = each.odds(lipvoice, heard, spoken)
            evidence[row, some], late[row, some] = odds.sum(1).cpu(), lags.cpu()
            if each.lips is None:
                evidence[row] -= GIVEN  # which is for lips that move
    level = (parts[:-1] ** 2).mean(1) / max(float((mono**2).mean()), 1e-12)
    return Window(len(mono), evidence, level, np.zeros((len(active),) * 2), active), late


def _active(voices: Array) -> Array:
    """Where each of voices [voices, time] is heard beside the loudest moment: bool [.., frames]."""
    blocks = _whole_frames(voices).reshape(len(voices), -1, FRAME_SAMPLES)
    loud = np.square(blocks).mean(2)
    found: Array = loud > max(ACTIVE * float(loud.max(initial=0)), 1e-9)
    return found


def visible(track: Track) -> Array:
    """When a face is seen or only hidden for a moment, bool [frames]."""
    found = np.zeros(int(track.frames[-1]) + 1 if len(track.frames) else 0, bool)
    found[track.frames] = True
    for first, last in track.gaps:
        if last - first < PAUSE * FPS:
            found[first : last + 1] = True
    return found


def _whole_frames(parts: Array) -> Array:
    """[parts, time] with silence after it up to whole frames of the pictures, one at least."""
    length = max(1, -(-parts.shape[1] // FRAME_SAMPLES)) * FRAME_SAMPLES
    return np.pad(parts, ((0, 0), (0, length - parts.shape[1])))


def _correlation(before: Array, after: Array) -> Array:
    """Of what two windows say about the same time: [voices before, voices after], 0 to 1."""
    shared = min(before.shape[1], after.shape[1])
    a, b = before[:, :shared], after[:, :shared]
    size = np.sqrt((a**2).sum(1))[:, None] * np.sqrt((b**2).sum(1))
    loud = np.sqrt((a**2).sum(1)).max(initial=1e-9)
    active = np.minimum(1.0, np.sqrt((a**2).sum(1)) / loud * 3)[:, None]
    result: Array = np.clip(a @ b.T / np.maximum(size, 1e-9), 0, 1) * active
    return result


def spans(active: Array) -> list[tuple[float, float]]:
    """Where someone speaks, bool [frames], as [start, end] in seconds.

    >>> spans(np.repeat([True, False, True, False], [25, 5, 20, 25]))
    [(0.0, 2.0)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]]).astype(np.int8)))
    found: list[tuple[float, float]] = []
    for start, end in edges.reshape(-1, 2).tolist():
        if found and start / FPS - found[-1][1] < PAUSE:
            found[-1] = (found[-1][0], end / FPS)
        else:
            found.append((start / FPS, end / FPS))
    return [span for span in found if span[1] - span[0] >= SHORTEST]


def windows(audio: Audio) -> Iterator[tuple[int, Array]]:
    """First sample and samples [channels, time] of each window that is heard at once."""
    return audio.windows(WINDOW * audio.rate, STEP * audio.rate)
