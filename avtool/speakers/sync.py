"""Lips against voices: what the lip-voice match says of each face in a window of the sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from avtool.face import Track
from avtool.face.lip_points import lip_window, move
from avtool.values import Array

if TYPE_CHECKING:
    from torch import Tensor

    from avtool.models.lipvoice import LipVoice

UNSEEN = 0.3  # log-odds per frame against a face that is not seen, or whose mouth rests


@dataclass(frozen=True, eq=False)
class LipScore:
    """A face's lips in a window. Shape: lips: [frames, size], None at rest; seen: bool [frames]."""

    lips: Tensor | None
    seen: Tensor

    @property
    def shown(self) -> Tensor:
        """Lips that move, 0 where they are not seen."""
        assert self.lips is not None
        return self.lips * self.seen[:, None]

    def odds(self, lipvoice: LipVoice, heard: Tensor, spoken: Tensor) -> tuple[Tensor, Tensor]:
        """Log-odds, a frame, that voices are this face's, and how many frames late each is.

        Shape:
            heard: [voices, frames, size]; spoken: bool [voices, frames]
        """
        import torch

        away = -UNSEEN * (spoken & ~self.seen if self.lips is not None else spoken)
        if self.lips is None:  # a mouth that is still says nothing
            return away, torch.zeros(len(heard), dtype=torch.long, device=away.device)
        told, late = lipvoice.odds(self.lips, heard, spoken & self.seen)
        return told + away, late


def voice_of(lipvoice: LipVoice, sound: Array) -> Tensor:
    """Voices [voices, time] of whole frames as the match hears them, [voices, frames, size]."""
    import torch

    return lipvoice.voice(torch.from_numpy(sound).to(lipvoice.device))


def mouths(lipvoice: LipVoice, tracks: Sequence[Track], first: int, frames: int) -> list[LipScore]:
    """Each face's, from a frame on."""
    import torch

    found = []
    for track in tracks:
        lips, seen = lip_window(track, first, frames)
        moving = torch.from_numpy(lips)[None].to(lipvoice.device) if move(lips[seen]) else None
        embedded = None if moving is None else lipvoice.lips(moving)[0]
        found.append(LipScore(embedded, torch.from_numpy(seen).to(lipvoice.device)))
    return found
