"""`avtool ask`: a question about a picture or a film, answered, and by what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from avtool.errors import InputError
from avtool.face import Track
from avtool.media import Clip, Spec
from avtool.models import weights
from avtool.pipelines.ask.answers import answered
from avtool.pipelines.ask.facts import understood
from avtool.pipelines.ask.model import SIDE, SIZE, Ask
from avtool.pipelines.ask.values import CANNOT, Known, Person, Reply, Step
from avtool.pipelines.ask.words import ANSWERS, LONGEST, UNCLEAR, meant, numbers, said, unknown
from avtool.values import FPS, Array

SPEC = Spec(frames=True)
TEMPERATURE = 0.95  # of the answers' logits; tests/bench/ask.py fits it
ALIKE = 0.3  # how little two looks differ that are one
DRAWN = 0.0  # logit from which on a picture is a scene as the network knows them


@dataclass(frozen=True)
class Options:
    """What is asked.

    Args:
        question: in English, about people, voices and sounds, or about drawn shapes.
        threshold: how likely an answer of the network is that is told, 0 to 1.
        weights: a network of a user's own.

    Raises:
        InputError: the question is empty, or a number is out of range.
    """

    question: str = ""
    threshold: float = 0.5
    weights: str | None = None

    def __post_init__(self) -> None:
        if not self.question.strip():
            raise InputError("the question is empty; ask one, as 'how many people?'")
        if not 0 <= self.threshold < 1:
            raise InputError(f"--threshold {self.threshold:g} is not within 0 to 1; 0.5 is usual")


@dataclass(frozen=True)
class Result:
    """The answer, with how sure it is, and where it comes from."""

    reply: Reply


def load(options: Options, device: str = "auto") -> Ask:
    """The network, once for many questions."""
    return weights.load(Ask, options.weights, weights.device(device))


def run(
    clip: Clip,
    options: Options,
    *,
    tracks: Sequence[Track] = (),
    size: tuple[int, int] | None = None,
    models: Ask | None = None,
    known: Known | None = None,
) -> Result:
    """Answer a question: from facts where it asks for some, else by what the network sees.

    Args:
        tracks: of the faces; size: of the pictures; what is known where ``known`` is not given.
        models: what ``load`` gave; None loads it now.
        known: what other commands found.
    """
    fact = understood(options.question)
    picture = None
    if clip.frames is not None:
        picture = next(iter(clip.pictures().images()), None)
    if fact is None:
        return Result(looked(picture, options, models or load(options)))
    known = known or _seen(clip, tracks, size)
    told = answered(fact, known)
    # The picture is the part's first: who comes later is not on it.
    there = [each for each in told.shown if each.since <= known.start + 0.1]
    boxes = [(f"face {each.face}", each.box) for each in there]
    answer, source, why, sure, _ = told
    return Result(Reply(options.question, answer, source, sure, why, picture, boxes=boxes))


def _seen(clip: Clip, tracks: Sequence[Track], size: tuple[int, int] | None) -> Known:
    """What the tracks alone tell."""
    people = []
    for track in tracks:
        x0, y0, x1, y1 = track.boxes[0].tolist()
        since = float(track.frames[0] / FPS)
        people.append(Person(track.face, (x0, y0, x1, y1), since=since))
    return Known(clip.duration, size, False, people)


def looked(picture: Array | None, options: Options, network: Ask) -> Reply:
    """What the network says of a picture, uint8 RGB [height, width, 3]."""
    question = options.question

    def cannot(why: str, steps: Sequence[Step] = ()) -> Reply:
        return Reply(question, CANNOT, "", None, why, picture, steps)

    words = said(question)
    if strange := unknown([meant(word) for word in words]):
        named = ", ".join(f"'{word}'" for word in strange[:3])
        return cannot(f"it does not know {named}; docs/ask.md lists what can be asked")
    if picture is None:
        return cannot("it has no pictures, and its sound does not tell this")
    if not words or len(words) > LONGEST:
        return cannot(f"a question has 1 to {LONGEST} words")
    answers, drawn, steps = seen(network, picture, words)
    if drawn < DRAWN:
        return cannot("it is no drawn scene of the kind that the network knows")
    best = int(answers.argmax())
    sure = float(answers[best])
    if ANSWERS[best] == UNCLEAR:
        why = f"what is asked about is not there, or not once ({sure:.0%} sure)"
        return cannot(why, steps)
    if sure < options.threshold:
        return cannot(f"'{ANSWERS[best]}' is only {sure:.0%} likely", steps)
    why = "the network for drawn scenes"
    return Reply(question, ANSWERS[best], "network", sure, why, picture, steps)


@torch.no_grad()
def seen(network: Ask, picture: Array, words: Sequence[str]) -> tuple[Array, float, list[Step]]:
    """Probabilities [answers], the logit of its being a scene, and the looks."""
    device = network.embed.weight.device
    sees = network.see(torch.from_numpy(squared(picture))[None].to(device))
    given = torch.tensor([[numbers(list(map(meant, words)))]], device=device)
    answer = network.answer(sees, given)
    sure = (answer.logits[0, 0] / TEMPERATURE).softmax(-1)
    looks = zip(answer.fits[0, 0].cpu(), answer.spoken[0, 0].cpu(), strict=True)
    steps = [
        Step(list(zip(words, shares.tolist(), strict=False)), fits.view(SIDE, SIDE).numpy())
        for fits, shares in looks
    ]
    if np.abs(steps[0].cells - steps[-1].cells).max() < ALIKE:
        steps = steps[-1:]  # it had to look for one thing alone
    return sure.cpu().numpy(), float(sees.known), steps


def squared(picture: Array) -> Array:
    """A picture as the network sees it, uint8 RGB [SIZE, SIZE, 3].

    What is not square is laid in the middle of a square of its corners' colour.
    """
    height, width = picture.shape[:2]
    corners = picture[[0, 0, -1, -1], [0, -1, 0, -1]]
    colour = np.median(corners, 0).astype(np.uint8)
    side = max(height, width)
    image = Image.new("RGB", (side, side), tuple(colour.tolist()))
    image.paste(Image.fromarray(picture), ((side - width) // 2, (side - height) // 2))
    return np.array(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR))
