"""`avtool speech2face`: a plausible face for a voice.

After Oh et al., "Speech2Face: learning the face behind a voice" (2019), with a crowd in place of a
single answer: the voice is found in the sound, a network says how likely each of some thousand made
people is to have it (``model``), and the frozen decoder of faces (``face_model``) says
what the face between them is. It is a face that such a voice may have, never the speaker's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn import functional

from avtool.errors import InputError, MediaError
from avtool.head import model as heads
from avtool.head import traits as people
from avtool.head.portrait import modelled, portrait
from avtool.head.traits import INDEX, TRAITS
from avtool.media import Clip, Spec
from avtool.models import weights as loaded
from avtool.models.speaker import Speaker, windows
from avtool.pipelines.features import mel
from avtool.pipelines.features.mel import SPEECH
from avtool.pipelines.speech2face.face_model import Face
from avtool.pipelines.speech2face.identity import Identity, person
from avtool.pipelines.speech2face.model import VoiceFace
from avtool.pipelines.speech2face.values import FaceSamples
from avtool.signal.voice_features import VoiceFacts, measure
from avtool.values import Array, Audio, Mesh

RATE = 16_000
SPEC = Spec(audio=True, rate=RATE)
PART = 10  # seconds that are looked at together
LONGEST = 120.0  # seconds of speech that are listened to, spread over a long sound
LEAST, SURE = 0.5, 1.0  # seconds of speech that a face needs, and the log-odds that it is speech
APART = 0.69  # mean likeness of a voice's vectors, below which they are of two people
# The log-odds of a man's voice by octaves of pitch over 150 Hz and of formant spacing over 1080 Hz,
# of 221 readers (logistic regression; right for 95 %), which the network does not see.
BY_PITCH, BY_FORMANTS, BY_NONE = -5.2, -3.9, 0.04
TEMPER, UNSURE = 1.5, 1.4  # of the network's log-odds; most of them where the other says nothing
HEARD_LEAST = 0.9  # of a trait's spread in the crowd: where more is left, it was not heard
FAINT = 1e-7  # power of 20 ms, -70 dB of full scale, below which nothing is heard
SAMPLES, MOST = 8, 64  # faces on a sheet
NOTE = (
    "A plausible face, not a likeness: drawn people whose made voices were like this one. It does "
    "not show who spoke, and must not be used to find or to describe a person."
)
TOLD = ("weight", "muscle")  # traits that are reported beside sex and age
LOOKS = ("origin", "skin", "hair", "iris")  # what no voice here was ever told to say


@dataclass(frozen=True)
class Options:
    """What is asked for.

    Args:
        samples: faces on the sheet; size: pixels of the portrait; seed: of the sheet's draw.
        mean: the portrait is the mean of those who may have the voice, not this voice's own draw.
        weights: a voice encoder of the user's own.

    Raises:
        InputError: a value is out of its range.
    """

    samples: int = SAMPLES
    size: int = 512
    seed: int = 0
    mean: bool = False
    weights: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.samples <= MOST:
            raise InputError(f"--samples {self.samples}: a sheet has 1 to {MOST} faces")
        if self.seed < 0:
            raise InputError(f"--seed {self.seed}: a seed is 0 or more")


class Models(NamedTuple):
    """The networks from a voice to a face; see ``load``."""

    voiceface: VoiceFace
    face: Face
    speaker: Speaker
    identity: Identity
    device: str


def load(options: Options = Options(), device: str = "auto") -> Models:
    """The networks, once for many voices.

    Raises:
        InputError: the weights cannot be read, or there is no such device.
    """
    device = loaded.device(device)
    voiceface = loaded.load(VoiceFace, options.weights, device)
    face, speaker = loaded.load(Face, device=device), loaded.load(Speaker, device=device)
    identity = loaded.load(Identity, device=device)
    config = voiceface.config
    own = config.speaker, config.feature, config.traits
    asked = speaker.config.size, face.config.feature, len(TRAITS)
    if own != asked:
        raise InputError(
            f"{options.weights}: its speaker, feature and traits are of {own} numbers, not of "
            f"{asked}; train it with its recipe"
        )
    if not (voiceface.spread > 0).all():
        raise InputError(f"{options.weights}: was never trained; let its recipe run to the end")
    return Models(voiceface, face, speaker, identity, device)


@dataclass(frozen=True, eq=False)
class VoicePosterior:
    """A voice, as the network knows it.

    Shape:
        likely: float [crowd], sums to 1; feature: float32 [feature]; mean: float32 [traits], of the
        face that is decoded from it; own: float32 [traits], of the face that is drawn for this
        voice; crowd: float32 [crowd, traits]; query: float32 [keys], whose product with a face's
        key is the odds of that face.
    """

    likely: Array
    feature: Array
    mean: Array
    own: Array
    crowd: Array
    query: Array
    facts: VoiceFacts
    voices: int


@dataclass(frozen=True, eq=False)
class Result:
    """A face for a voice.

    Args:
        face: its portrait, the plausible range, and what was heard; mesh: the head in 3D.
    """

    face: FaceSamples
    mesh: Mesh
    heard: VoicePosterior


def run(clip: Clip, options: Options = Options(), *, models: Models | None = None) -> Result:
    """Imagine the face.

    Args:
        models: what ``load`` gave; None loads them now.

    Raises:
        MediaError: nobody speaks.
    """
    heard = listen(clip, models or load(options))
    head = heads.load()
    rng = np.random.default_rng(options.seed)
    drawn = rng.choice(len(heard.likely), options.samples, p=heard.likely)
    faces = [portrait(head, heard.crowd[row], 256) for row in drawn]
    traits = heard.mean if options.mean else heard.own
    face = FaceSamples(portrait(head, traits, options.size), faces, report(heard, options.mean))
    return Result(face, modelled(head, traits), heard)


def listen(clip: Clip, models: Models) -> VoicePosterior:
    """What a sound's voice says of a face.

    Raises:
        MediaError: nobody speaks.
    """
    audio = clip.audio
    assert audio is not None
    model, face, speaker, identity, device = models
    with torch.inference_mode():
        parts = list(_speech(model, audio))
        seconds = sum(int((odds > SURE).sum()) for _, odds in parts) / 50
        if seconds < LEAST:
            raise MediaError(
                f"{clip.name}: nobody speaks in it (only {seconds:.1f} s sound like speech); give "
                "a recording of a voice, not of music or silence"
            )
        sound = np.concatenate([sound for sound, _ in parts])
        power = speaker.power(torch.from_numpy(sound)[None].to(device))[0]
        vectors = torch.cat([speaker(part) for part in windows(power).split(64)])
        voice = functional.normalize(vectors.mean(0), dim=0)
        known = model.encode(voice[None])
        likely = model.logits(known)[0].cpu().double().softmax(0).numpy()
        feature, query = model.feature(known), model.query(known)
        mean = people.believable(face.decode(face.norm(feature))[0].cpu().numpy())
        crowd, facts = model.traits.cpu().numpy(), measure(sound, RATE)
        likely = tempered(likely, crowd, facts)
        male = _male(likely, crowd) > 0.5
        own = person(likely, crowd, male, identity(voice, male).cpu().double().numpy())
    return VoicePosterior(
        likely,
        feature[0].cpu().numpy(),
        mean,
        own,
        crowd,
        query[0].cpu().numpy(),
        facts,
        voices_in(vectors.cpu().numpy()),
    )


def _speech(model: VoiceFace, audio: Audio) -> Iterator[tuple[Array, Array]]:
    """The speech of each part of a sound [time], and its log-odds, 50 a second."""
    total = audio.seconds or 0.0
    step = max(1, round(total / LONGEST)) if total > 2 * LONGEST else 1
    for number, (_, window) in enumerate(audio.windows(PART * RATE, PART * RATE)):
        sound = window.mean(0)
        if number % step or len(sound) < RATE // 4:
            continue
        log_mel = mel.run(Clip("", Audio.of(sound, RATE), None, None), SPEECH).mel.values
        frames = log_mel.shape[1] // 2 * 2
        bands = torch.from_numpy(log_mel[:, :frames])[None].to(model.mean.device)
        odds = model.speech_logits(bands)[0].cpu().numpy()
        loud = np.resize(sound, len(odds) * 320).reshape(-1, 320)
        odds[np.square(loud).mean(1) < FAINT] = -10
        said = np.convolve(odds > 0, np.ones(5), "same") > 2  # a moment alone is no speech
        if said.sum() >= 10:
            count = min(len(said), len(sound) // 320)
            kept = sound[: count * 320].reshape(-1, 320)[said[:count]]
            yield kept.ravel(), odds[said]


def voices_in(vectors: Array) -> int:
    """1, or 2 where the windows of a sound are too unlike to be one voice's.

    They are where people take turns, and mostly where they speak at once; also in much noise.

    Shape:
        vectors: [windows, size], each of length 1; each window overlaps the next one only.
    """
    place = np.arange(len(vectors))
    far = np.abs(place[:, None] - place) > 1
    return 1 + int(len(vectors) > 3 and float((vectors @ vectors.T)[far].mean()) < APART)


def report(heard: VoicePosterior, mean: bool = False) -> dict[str, Any]:
    """What was heard, with how sure it is, as JSON has it.

    Args:
        mean: the portrait is the mean face.
    """
    likely, crowd, facts = heard.likely, heard.crowd, heard.facts
    male = _male(likely, crowd)
    found: dict[str, Any] = {
        "what": NOTE,
        "sex": {"female": round(1 - male, 4), "male": round(male, 4)},
        "age": _interval(crowd[:, INDEX["age"]], likely, 0),
    }
    for name in TOLD:
        values = crowd[:, INDEX[name]]
        left = _spread(values, likely) / _spread(values, np.full(len(values), 1 / len(values)))
        found[name] = _interval(values, likely, 2) if left < HEARD_LEAST else "not heard"
    found |= dict.fromkeys(LOOKS, "not heard")
    measured = {
        "speech [s]": facts.seconds,
        "pitch [Hz]": facts.pitch,
        "pitch 10 to 90 % [Hz]": [facts.pitch_low, facts.pitch_high],
        "formants [Hz]": list(facts.formants),
        "formant spacing [Hz]": facts.spacing,
        "vocal tract [cm]": facts.tract_length,
        "spectral tilt [dB/octave]": facts.tilt,
        "syllables a second": facts.syllables,
    }
    found["measured"] = {name: _plain(value) for name, value in measured.items()}
    found["voices"] = heard.voices
    told = ["sex", "age", *(name for name in TOLD if found[name] != "not heard")]
    drawn = [name for name in TRAITS if name not in told]
    found["portrait"] = {
        "traits": {
            name: round(float(value), 3)
            for name, value in zip(TRAITS, heard.mean if mean else heard.own, strict=True)
        },
        "heard": told,
        "mean of many" if mean else "drawn for this voice": drawn,
    }
    found["embedding"] = [round(float(value), 4) for value in heard.feature]
    return found


def tempered(likely: Array, crowd: Array, facts: VoiceFacts) -> Array:
    """How likely each of the crowd is, of sex no surer than pitch and formants bear out.

    A network that few voices taught is too sure of others (temperature scaling, Guo et al. 2017);
    where a pitch lies between women's and men's, it stays near even.
    """
    men = crowd[:, INDEX["sex"]] > 0.5
    share = np.clip(np.array([likely[~men].sum(), likely[men].sum()]), 1e-12, 1)
    odds = float(np.log(share[1] / share[0])) / TEMPER
    pitch, spacing = np.log2(facts.pitch / 150), np.log2(facts.spacing / 1080)
    other = float(np.nan_to_num(BY_PITCH * pitch + BY_FORMANTS * spacing + BY_NONE))
    most = UNSURE + max(0.0, other * np.sign(odds))
    male = 1 / (1 + np.exp(-np.clip(odds, -most, most)))
    return np.asarray(likely * np.where(men, male / share[1], (1 - male) / share[0]))


def _male(likely: Array, crowd: Array) -> float:
    return float(likely @ (crowd[:, INDEX["sex"]] > 0.5))


def _interval(values: Array, likely: Array, digits: int) -> dict[str, Any]:
    low, middle, high = (round(x, digits) for x in quantiles(values, likely, (0.1, 0.5, 0.9)))
    return {"median": middle, "interval80": [low, high]}


def quantiles(values: Array, likely: Array, at: tuple[float, ...]) -> list[float]:
    """Weighted quantiles of values [n].

    >>> quantiles(np.array([3.0, 1.0, 2.0]), np.array([0.2, 0.4, 0.4]), (0.5,))
    [2.0]
    """
    order = np.argsort(values)
    total = np.cumsum(likely[order])
    places = np.minimum(np.searchsorted(total, np.array(at) * total[-1]), len(values) - 1)
    return [float(values[order[place]]) for place in places]


def _spread(values: Array, likely: Array) -> float:
    mean = likely @ values
    return float(np.sqrt(likely @ (values - mean) ** 2))


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return round(float(value), 1) if np.isfinite(value) else None
