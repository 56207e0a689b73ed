"""How likely a picture is of the world that was learned from: people, dogs, sport, out of doors.

A network says something of any picture. Four signs tell that it should not be believed: the vector
lies far from those it learned from, within the directions in which these differ and beside them
(Lee et al., "A simple unified framework for detecting out-of-distribution samples and adversarial
attacks", 2018; Wang et al., "ViM: out-of-distribution with virtual-logit matching", 2022);
ImageNet's kinds are unsure; and the words are. A logistic regression makes one probability of them
and of where the vector lies in those directions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from avtool.models.backbone import Look
from avtool.pipelines.caption.beam import Said
from avtool.pipelines.caption.model import Caption

UNSURE = 0.5  # below it the sentence is said to be a guess


@torch.no_grad()
def signs(model: Caption, look: Look, said: Said) -> Tensor:
    """What speaks for or against each picture, [pictures, doubt + 4].

    Where it lies in the known directions, in their spreads; how far within them and beside, how
    unsure of kinds and of words.
    """
    away = look.vector - model.mean
    along = away @ model.known.T
    place = along / model.spread
    within = place.square().mean(1)
    beside = away.square().sum(1) - along.square().sum(1)
    kinds = look.kinds.log_softmax(1)
    unsure = -(kinds.exp() * kinds).sum(1)
    words = (said.words[:, 0] > 0).sum(1)
    unlikely = -said.likely[:, 0].sum(1) / words
    far = (each.clamp_min(1e-6).log() for each in (within, beside))
    return torch.cat([place, torch.stack([*far, unsure, unlikely], 1)], 1)


def known(model: Caption, look: Look, said: Said) -> Tensor:
    """The probability that it knows what each picture shows, [pictures]."""
    return torch.sigmoid(signs(model, look, said) @ model.doubt[:-1] + model.doubt[-1])
