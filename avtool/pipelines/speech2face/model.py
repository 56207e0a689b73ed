"""What a voice says of a face: a place in the space of faces, and how likely is each of a crowd.

After Oh et al., "Speech2Face: learning the face behind a voice" (2019): a voice encoder learns to
land in the feature space of a frozen face recogniser (``face_model``). It is also trained as a
joint embedding (van den Oord et al., 2018): of a crowd of made people, drawn as people are, it
tells how likely each one is to have this voice. So its uncertainty is a crowd that can be looked
at, counted and drawn from, and what a voice does not tell stays as mixed in it as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from avtool.models.layers import Body
from avtool.models.speech_frontend import normalised

MELS = 64


@dataclass(frozen=True)
class Config:
    """Sizes.

    Args:
        width: channels of the convolutions that find speech; hidden: of what is known of a voice.
        speaker: of ``models.speaker``'s vector; feature: of ``face_model``'s.
        keys: of the space where voices and faces meet; crowd: how many people, of how many
        traits.
    """

    width: int = 96
    hidden: int = 128
    speaker: int = 256
    feature: int = 32
    keys: int = 32
    crowd: int = 3000
    traits: int = 59

    def layout(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Tensors and their shapes, of which all sizes can be read."""
        yield "speaks.weight", (1, self.width, 1)
        yield "mean", (self.speaker,)
        yield "feature.weight", (self.feature, self.hidden)
        yield "query.weight", (self.keys, self.hidden)
        yield "traits", (self.crowd, self.traits)


class VoiceFace(nn.Module):
    """Voices to faces.

    Shape:
        mean, spread: [speaker], of the vectors it learned from
        crowd: [crowd, feature], faces of the people to choose from; traits: [crowd, traits],
        what they are, as ``head.traits`` names it.
    """

    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        self.config = config
        width, hidden = config.width, config.hidden
        self.front = nn.Sequential(
            nn.Conv1d(MELS + 1, width, 5, padding=2),
            nn.GELU(),
            nn.Conv1d(width, width, 4, stride=2, padding=1),
        )
        self.body = Body(width, (1, 2, 4))
        self.speaks = nn.Conv1d(width, 1, 1)
        # Few voices teach it: half of a vector is hidden each time, so that all of it counts.
        self.mix = nn.Sequential(
            nn.Dropout(0.5), nn.Linear(config.speaker, hidden), nn.GELU(), nn.Dropout(0.3)
        )
        self.feature = nn.Linear(hidden, config.feature)
        self.query = nn.Linear(hidden, config.keys)
        self.key = nn.Sequential(
            nn.Linear(config.feature, hidden), nn.GELU(), nn.Linear(hidden, config.keys)
        )
        self.register_buffer("mean", torch.zeros(config.speaker))
        self.register_buffer("spread", torch.ones(config.speaker))
        self.register_buffer("crowd", torch.zeros(config.crowd, config.feature))
        self.register_buffer("traits", torch.zeros(config.crowd, config.traits))
        self.mean: Tensor
        self.spread: Tensor
        self.crowd: Tensor
        self.traits: Tensor

    def speech_logits(self, log_mel: Tensor) -> Tensor:
        """Whether somebody speaks, log-odds [batch, frames / 2].

        Shape:
            log_mel: [batch, mels, frames], natural logarithm of power, 100 frames a second
        """
        odds: Tensor = self.speaks(self.body(self.front(normalised(log_mel))))[:, 0]
        return odds

    def encode(self, speaker: Tensor) -> Tensor:
        """What is known of a voice: [batch, hidden].

        Shape:
            speaker: [batch, speaker], the mean of ``models.speaker``'s vectors, of length 1
        """
        known: Tensor = self.mix((speaker - self.mean) / self.spread)
        return known

    def logits(self, known: Tensor, faces: Tensor | None = None) -> Tensor:
        """How likely each face is for a voice, log, up to a constant: [batch, faces].

        Args:
            faces: features [faces, feature]; None is the crowd.
        """
        keys = self.key(self.crowd if faces is None else faces)
        return self.query(known) @ keys.T
