"""What a mouth does for phones: learned from few who are seen, to teach for many who are not.

Phones and loudness are the same in all voices. So the motion of one talking man, told by them, can
be told for any speech whose phones are known, and the network that has only sound to go by learns
from all these voices as if they were seen (distillation: Hinton, Vinyals and Dean, 2015).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from avtool.models.layers import Body
from avtool.models.speech_frontend import PHONES
from avtool.pipelines.lips.model import LoudnessContext
from avtool.training.phone_alignment import SILENCE
from avtool.values import Array

STEPS, BATCH = 1200, 24
PEAK, DECAY = 2e-3, 0.02


class Teacher(nn.Module):
    """Phones to amounts of a mouth's shapes.

    Shape:
        input: ``cues``; output: [batch, shapes, frames], 50 a second
    """

    def __init__(self, shapes: int, width: int = 128) -> None:
        super().__init__()
        self.front = nn.Conv1d(len(PHONES) + 1, width, 5, padding=2)
        self.pace = LoudnessContext(2, width)
        self.body = Body(width, (1, 2, 2, 2))
        self.out = nn.Conv1d(width, shapes, 1)

    def forward(self, cues: Tensor) -> Tensor:
        """See the class's shapes."""
        pace = self.pace(cues[:, [PHONES.index(SILENCE), -1]])
        amounts: Tensor = self.out(self.body(self.front(cues) + pace))
        return amounts

    @torch.inference_mode()
    def predict(self, cues: Tensor) -> Tensor:
        """The mean of what it says with loudness and without."""
        self.eval()
        return (
            (self(cues) + self(_mute(cues, torch.ones(len(cues), dtype=torch.bool)))) / 2
        ).clone()


def cues(phones: Tensor, heard: Tensor) -> Tensor:
    """What a teacher goes by: [batch, phones + 1, frames].

    Shape:
        phones: int64 [batch, frames], 50 a second
        heard: [batch, mels + 1, 2 * frames], of ``speech_frontend.normalised``
    """
    said = functional.one_hot(phones, len(PHONES)).to(heard.dtype).transpose(1, 2)
    return torch.cat([said, functional.avg_pool1d(heard[:, -1:], 2)], 1)


def taught(
    given: Tensor, true: Tensor, shapes: int, losses: Callable[[Tensor, Tensor], Tensor]
) -> Teacher:
    """A teacher of clips, two minutes on one core.

    Args:
        given: ``cues`` of the clips, [clips, phones + 1, frames]; true: what the mouth does.
        losses: of amounts [batch, shapes, frames] and their rows of ``true``.
    """
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    model, kept = Teacher(shapes), Teacher(shapes)
    kept.load_state_dict(model.state_dict())
    optimiser = torch.optim.AdamW(model.parameters(), PEAK, weight_decay=DECAY)
    for step in range(STEPS):
        rate = PEAK * min(1, (step + 1) / 50) * 0.5 * (1 + math.cos(math.pi * step / STEPS))
        for group in optimiser.param_groups:
            group["lr"] = rate
        rows = rng.choice(len(given), min(BATCH, len(given)), replace=False)
        seen = torch.stack([_shifted(given[row], int(rng.integers(-1, 2))) for row in rows])
        mute = torch.from_numpy(np.asarray(rng.random(len(rows)) < 0.5))
        loss = losses(model(_mute(seen, mute)), true[rows])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        with torch.no_grad():
            follow = min(0.99, (step + 1) / (step + 10))
            for slow, fast in zip(kept.parameters(), model.parameters(), strict=True):
                slow.lerp_(fast, 1 - follow)
    return kept.eval()


def _shifted(seen: Tensor, by: int) -> Tensor:
    """Phones a frame sooner or later, as no alignment is exact."""
    return torch.cat([seen[:-1].roll(by, 1), seen[-1:]])


def _mute(seen: Tensor, rows: Tensor) -> Tensor:
    """Without loudness in some rows."""
    return torch.cat([seen[:, :-1], seen[:, -1:] * ~rows[:, None, None]], 1)


def spoken_moves(teacher: Teacher, phones: Array, heard: Tensor) -> Array:
    """What it says of one recording: int64 [frames] -> float16 [frames, shapes]."""
    found = teacher.predict(cues(torch.from_numpy(phones)[None], heard))
    return found[0].T.numpy().astype(np.float16)
