"""How well `avtool sounds` hears, beside baselines and controls.

python tests/bench/sounds.py DATA [--only scenes,probe,soundnet,cost]

scenes: made mixtures of ESC-10's sounds and readers, whose event times are known
probe: ESC-10 by its five folds, from YAMNet's embedding, and from MFCCs
soundnet: the same from the layers of a student that seeing taught, and of its random twin
cost: seconds a minute of sound
"""

from __future__ import annotations

import argparse
import csv
import re
import time
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from PIL import Image
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from avtool.media import Clip
from avtool.metrics.events import Event, SegmentScores
from avtool.models import yamnet
from avtool.models.backbone import Seen
from avtool.models.yamnet import RATE, YAMNet, kinds, moments
from avtool.pipelines.features import mfcc
from avtool.pipelines.sounds import pipeline
from avtool.pipelines.sounds.model import SoundNet
from avtool.pipelines.sounds.probe import taught
from avtool.pipelines.sounds.train import soundnet as recipe
from avtool.save import save
from avtool.training.trainer import Trainer
from avtool.values import Array, Audio, Frames, Video

SEED = 2026
# ESC-10's kinds as AudioSet has them: what may be told; the first is the usual one.
TRUE = {
    "dog_bark": ("Dog", "Canidae, dogs, wolves", "Domestic animals, pets", "Animal"),
    "rooster": ("Chicken, rooster", "Fowl", "Livestock, farm animals, working animals", "Animal"),
    "baby_cry": ("Baby cry, infant cry", "Crying, sobbing"),
    "person_sneeze": ("Sneeze",),
    "clock_tick": ("Clock",),
    "rain": ("Rain", "Water"),
    "sea_waves": ("Ocean", "Water"),
    "fire_crackling": ("Fire",),
    "helicopter": ("Helicopter", "Aircraft", "Vehicle"),
    "chainsaw": ("Chainsaw", "Light engine (high frequency)", "Engine", "Power tool", "Tools"),
    "speech": ("Speech",),
}


def read(path: Path) -> Array:
    """Float32 [time], one channel at ``RATE``."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return soxr.resample(samples.mean(1), rate, RATE).astype(np.float32)


def labels(data: Path) -> list[dict[str, str]]:
    with (data / "esc10" / "labels.csv").open() as file:
        return list(csv.DictReader(file))


def active(sound: Array) -> list[tuple[float, float]]:
    """Where a clip sounds, in seconds: within 30 dB of its loudest, pauses below 0.5 s filled."""
    size = RATE // 20
    frames = sound[: len(sound) // size * size].reshape(-1, size)
    level = 10 * np.log10(np.square(frames).mean(1) + 1e-12)
    there = np.flatnonzero(level > level.max() - 30)
    parts = np.split(there, np.flatnonzero(np.diff(there) > 10) + 1)
    return [(part[0] / 20, (part[-1] + 1) / 20) for part in parts]


class Scene:
    """Half a minute: sounds one after the other, some over each other, over quiet noise.

    Args:
        noise: of the room, as long as the scene.
    """

    def __init__(
        self, rng: np.random.Generator, pool: dict[str, list[Array]], noise: Array
    ) -> None:
        self.sound = np.zeros(30 * RATE, np.float32)
        self.events: list[Event] = []
        at = rng.uniform(0, 2)
        while at < 27:
            for _ in range(1 + (rng.random() < 0.35)):  # two at once
                kind = str(rng.choice(sorted(pool)))
                clip = pool[kind][rng.integers(len(pool[kind]))]
                spans = active(clip)
                clip = clip[int(spans[0][0] * RATE) :][: int(rng.uniform(2, 6) * RATE)]
                gain = 0.05 * 10 ** (rng.uniform(-8, 8) / 20)
                clip = clip * (gain / (np.sqrt(np.square(clip).mean()) + 1e-6))
                first = int(at * RATE)
                part = clip[: len(self.sound) - first]
                if len(part) < RATE // 10:
                    continue
                self.sound[first : first + len(part)] += part
                offset = spans[0][0]
                for start, end in spans:
                    start, end = (
                        at + start - offset,
                        min(at + end - offset, (first + len(part)) / RATE),
                    )
                    if start < end:
                        self.events.append((kind, start, end))
            at += rng.uniform(2, 7)
        self.sound += noise
        self.sound /= max(1.0, np.abs(self.sound).max())


def pools(data: Path, folds: set[int], heldout: bool) -> dict[str, list[Array]]:
    """Clips by kind; readers that no network of this project has learned from, where held out."""
    pool: dict[str, list[Array]] = {}
    for row in labels(data):
        if int(row["fold"]) in folds:
            pool.setdefault(row["label"], []).append(read(data / "esc10" / "audio" / row["file"]))
    readers = sorted((data / "librispeech" / "train-clean-100").iterdir())
    some = readers[:40] if heldout else readers[40:120]
    pool["speech"] = [read(path) for path in some]
    return pool


def scenes(
    data: Path, folds: set[int], count: int, noise_db: float, heldout: bool
) -> Iterator[Scene]:
    pool = pools(data, folds, heldout)
    rng = np.random.default_rng(SEED + heldout)
    for _ in range(count):
        yield Scene(rng, pool, 0.05 * 10 ** (noise_db / 20) * pink(rng, 30 * RATE))


def pink(rng: np.random.Generator, length: int) -> Array:
    """Noise whose power falls by 3 dB an octave, of level 1."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    noise = np.fft.irfft(spectrum, length)
    return (noise / noise.std()).astype(np.float32)


# What counts as right in the scenes' scores: the usual kind, or one as good.
AS_GOOD = {
    "rooster": ("Chicken, rooster", "Fowl"),
    "baby_cry": ("Baby cry, infant cry", "Crying, sobbing"),
    "helicopter": ("Helicopter", "Aircraft"),
    "chainsaw": ("Chainsaw", "Light engine (high frequency)"),
}
NOISES = (-40, -10)  # dB beside a sound


def scenes_part(given: argparse.Namespace) -> None:
    """Segment scores of made scenes, and how calibrated the probabilities are."""
    learned = [
        scene for noise in NOISES for scene in scenes(given.data, {1, 2, 3}, 30, noise, False)
    ]
    slope, offset = fitted(learned)
    print(f"calibration fitted on {len(learned)} scenes of folds 1 to 3: {slope:.3f}, {offset:.3f}")
    names = {name: label for label in TRUE for name in AS_GOOD.get(label, TRUE[label][:1])}
    for noise in NOISES:
        held = list(scenes(given.data, {4, 5}, 40, noise, True))
        ways = {
            "avtool": lambda s: told(s, names),
            "its best kind of each second": lambda s: loudest(s, names),
            "another scene's sounds": lambda s, held=held: told(held[held.index(s) - 1], names),
            "speech, always": lambda s: [("speech", 0.0, 30.0)],
        }
        print(f"\n{len(held)} scenes of folds 4 and 5, pink noise at {noise} dB")
        print(f"{'':32}{'F1':>8}{'precision':>11}{'recall':>8}{'error rate':>12}")
        for way, hear in ways.items():
            scores = SegmentScores(sorted(TRUE))
            for scene in held:
                scores.add(scene.events, hear(scene), 30.0)
            found = scores.overall()
            print(
                f"{way:32}{found.f1:8.3f}{found.precision:11.3f}{found.recall:8.3f}"
                f"{found.error_rate:12.3f}"
            )
            if way == "avtool":
                print("   ", {k: round(v, 2) for k, v in scores.by_kind().items()})
        x, y = looks(held)
        raw, ours = ece(x, y), ece(expit(yamnet.SLOPE * logit(x) + yamnet.OFFSET), y)
        print(f"calibration error {ours:.3f}, of the scores themselves {raw:.3f}")


def told(scene: Scene, names: dict[str, str]) -> list[Event]:
    clip = Clip("scene", Audio.of(scene.sound, RATE), None, 30.0)
    found = pipeline.run(clip, pipeline.Options(), models=models_()).sounds
    return [(names[s.kind], s.start, s.end) for s in found.sounds if s.kind in names]


def loudest(scene: Scene, names: dict[str, str]) -> list[Event]:
    """The baseline: YAMNet as its authors show it, the highest mean score of each second."""
    every = list(moments(Audio.of(scene.sound, RATE), models_().network))
    shown = yamnet.usual(kinds())
    found = []
    for second in range(30):
        some = [each.scores for each in every if second <= each.time < second + 1]
        mean = np.mean(some, 0)
        best = max(shown, key=lambda kind: mean[kind.told].max())
        if best.name in names:
            found.append((names[best.name], float(second), second + 1.0))
    return found


@cache
def models_() -> pipeline.Models:
    return pipeline.load()


def looks(some: list[Scene]) -> tuple[Array, Array]:
    """Scores of all looks and kinds above 0.005, and whether such a sound is there.

    Kinds of the same group as a sound that is there are left out: ESC-10 does not say whether a
    dog's bark is also a yip; and half a second around its ends.
    """
    table = kinds()
    number = {kind.name: kind.number for kind in table}
    group = np.array([kind.group for kind in table])
    told_ = yamnet.usual(table)
    used = np.isin(np.arange(len(table)), [kind.number for kind in told_])
    scores, there = [], []
    for scene in some:
        every = list(moments(Audio.of(scene.sound, RATE), models_().network))
        score = np.stack([each.scores for each in every])
        for kind in told_:
            score[:, kind.number] = score[:, kind.told].max(1)
        at = np.array([each.time for each in every])
        true, unknown = np.zeros(score.shape, bool), np.zeros(score.shape, bool)
        for label, start, end in scene.events:
            on, near = (at >= start) & (at < end), (at >= start - 0.5) & (at < end + 0.5)
            for name in TRUE[label]:
                true[on, number[name]] = True
                unknown[np.ix_(near, group == table[number[name]].group)] = True
        kept = used & (true | ~unknown) & (score > 0.005)
        scores.append(score[kept])
        there.append(true[kept])
    return np.concatenate(scores).astype(float), np.concatenate(there)


def fitted(some: list[Scene]) -> tuple[float, float]:
    x, y = looks(some)
    fit = LogisticRegression(C=1e6).fit(logit(np.clip(x, 1e-6, 1 - 1e-6))[:, None], y)
    return float(fit.coef_[0, 0]), float(fit.intercept_[0])


def ece(probability: Array, there: Array) -> float:
    """Mean distance of probability and frequency, in tenths, of what is 0.05 likely or more."""
    error = 0.0
    for tenth in range(10):
        mine = (probability >= max(tenth / 10, 0.05)) & (probability < (tenth + 1) / 10)
        if mine.any():
            error += mine.sum() * abs(probability[mine].mean() - there[mine].mean())
    return error / (probability >= 0.05).sum()


def probe(given: argparse.Namespace) -> None:
    """ESC-10 by its five folds: accuracy, mean and spread."""
    rows = labels(given.data)
    clips = [padded(read(given.data / "esc10" / "audio" / row["file"])) for row in rows]
    network = YAMNet()
    every = [list(moments(Audio.of(clip, RATE), network)) for clip in clips]
    kind, number = np.array([r["label"] for r in rows]), np.array([int(r["fold"]) for r in rows])

    def accuracy(learned: Array, tried: Array) -> float:
        names = sorted(set(kind))
        taught_ = taught({k: [every[n] for n in learned if kind[n] == k] for k in names})
        right = [names[int(taught_.of(every[n]).argmax())] == kind[n] for n in tried]
        return float(np.mean(right))

    folds_ = range(1, 6)
    show(
        "YAMNet, --teach",
        [accuracy(*(np.flatnonzero(c) for c in (number != f, number == f))) for f in folds_],
    )
    rng = np.random.default_rng(SEED)
    few = []
    for draw in range(20):
        fold = draw % 5 + 1
        some = [
            rng.choice(np.flatnonzero((number != fold) & (kind == k)), 5, False)
            for k in sorted(set(kind))
        ]
        few.append(accuracy(np.concatenate(some), np.flatnonzero(number == fold)))
    show("YAMNet, --teach, 5 of each", few)
    peak = np.stack([np.max([look.embedding for look in looks_], 0) for looks_ in every])
    show("YAMNet, linear SVM on the peak", folds(peak, rows))
    cepstra = np.stack([mfccs(clip) for clip in clips])
    show("MFCC, linear SVM", folds(cepstra, rows, C=0.1))
    show("MFCC, RBF SVM", folds(cepstra, rows, linear=False))
    shuffled = [
        dict(row, label=label) for row, label in zip(rows, rng.permutation(kind), strict=True)
    ]
    show("YAMNet, labels shuffled", folds(peak, shuffled))


def mfccs(clip: Array) -> Array:
    """Mean and spread of 20 MFCCs, and spread of their changes."""
    found = mfcc.run(Clip("", Audio.of(clip, RATE), None, 5.0), mfcc.Options(n_mfcc=20, deltas=1))
    values = found.mfcc.values
    return np.concatenate([values[:20].mean(1), values.std(1)])


def cost(given: argparse.Namespace) -> None:
    """Seconds of processor a minute of sound, and how much faster than it plays."""
    rng = np.random.default_rng(SEED)
    sound = Audio.of(0.01 * rng.standard_normal(600 * RATE).astype(np.float32), RATE)
    begin = time.process_time()
    pipeline.run(Clip("", sound, None, 600.0), models=models_())
    spent = time.process_time() - begin
    print(f"{spent / 10:.2f} s of processor a minute of sound, {600 / spent:.0f} times real time")


# Pictures of ESC-10's kinds: words of Flickr8k's captions (in how many of five), and of file names
# of openclipart's pictures.
SEEN = {
    "dog_bark": (r"\bdogs?\b", 4, ""),
    "baby_cry": (r"\bbab(y|ies)\b|\binfant", 2, ""),
    "sea_waves": (r"\bocean|\bwaves?\b|\bsea\b|surf", 3, ""),
    "rain": (r"\brain|umbrella", 2, r"\brain(?!bow)|umbrella|cloud"),
    "fire_crackling": (r"\bfire\b|bonfire|campfire|flame", 2, r"fire(?!works|fox)|flame|candle"),
    "person_sneeze": (r"\bface\b|glasses|smil|close", 3, ""),
    "clock_tick": ("$^", 1, "clock|watch"),
    "rooster": ("$^", 1, r"rooster|chicken|\bhen|bird|duck"),
    "helicopter": ("helicopter", 1, "plane|aircraft|copter|airship"),
    "chainsaw": ("$^", 1, "(?<!jig)saw|hammer|drill|wrench|tools|axe|screwdriver"),
}


def pictures(data: Path, clipart: Path) -> dict[str, list[Path]]:
    """Free pictures of each kind, at most 200."""
    captions: dict[str, list[str]] = {}
    with (data / "flickr8k" / "captions.tsv").open() as file:
        for row in csv.DictReader(file, delimiter="\t"):
            captions.setdefault(row["image"], []).append(row["caption"].lower())
    drawn = sorted({path.resolve() for path in clipart.rglob("*.png")})
    found = {}
    for kind, (words, least, names) in SEEN.items():
        taken = [
            data / "flickr8k" / "images" / image
            for image, texts in captions.items()
            if sum(bool(re.search(words, text)) for text in texts) >= least
        ]
        taken += [path for path in drawn if names and re.search(names, path.stem.lower())]
        found[kind] = taken[:200]
    return found


def make_films(data: Path, clipart: Path, out: Path) -> None:
    """A film a sound of ESC-10: under it five pictures of its kind, a second each."""
    rng = np.random.default_rng(SEED)
    pool = pictures(data, clipart)
    for row in labels(data):
        path = out / row["fold"] / f"{Path(row['file']).stem}.mp4"
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        chosen = rng.choice(len(pool[row["label"]]), 5, replace=False)
        shown = [_cropped(pool[row["label"]][n], rng) for n in chosen]
        sound = padded(read(data / "esc10" / "audio" / row["file"]))
        frames = Frames(lambda shown=shown: iter(shown), Fraction(1), 224, 224)
        save(Video(frames, Audio.of(sound, RATE)), [path], name="film", title="")


def _cropped(path: Path, rng: np.random.Generator) -> Array:
    picture = Image.open(path).convert("RGBA")
    whole = Image.new("RGBA", picture.size, (255, 255, 255, 255))
    whole.alpha_composite(picture)
    side = rng.uniform(0.7, 1, 2) * picture.size
    corner = rng.uniform(0, 1, 2) * (picture.size - side)
    box = (*corner.astype(int), *(corner + side).astype(int))
    cut = np.asarray(whole.convert("RGB").crop(box).resize((224, 224)))
    return np.ascontiguousarray(cut[:, ::-1] if rng.random() < 0.5 else cut)


def padded(sound: Array) -> Array:
    """Five seconds."""
    return np.pad(sound, (0, max(0, 5 * RATE - len(sound))))[: 5 * RATE]


def folds(
    features: Array,
    rows: list[dict[str, str]],
    fold: int | None = None,
    *,
    C: float = 0.001,
    linear: bool = True,
) -> list[float]:
    """Accuracies of an SVM, learned on four folds and tried on the fifth."""
    kind, number = np.array([r["label"] for r in rows]), np.array([int(r["fold"]) for r in rows])
    found = []
    for each in range(1, 6) if fold is None else [fold]:
        svm = LinearSVC(C=C, max_iter=5000) if linear else SVC(C=10)
        machine = make_pipeline(StandardScaler(), svm)
        machine.fit(features[number != each], kind[number != each])
        found.append(machine.score(features[number == each], kind[number == each]))
    return found


def layers(model: SoundNet, clips: list[Array]) -> Array:
    """Mean and peak of layers 3 to 7 over time, logarithms: [clips, features]."""
    found = []
    for clip in clips:
        sound = torch.from_numpy(clip)[None]
        parts = [torch.cat([x.mean(-1), x.amax(-1)], 1) for x in model.heard(sound)[2:]]
        found.append(torch.cat(parts, 1)[0].log1p().numpy())
    return np.stack(found)


@torch.no_grad()
def soundnet(given: argparse.Namespace) -> None:
    """A student for each fold, from films of the four others; and its random twin."""
    films, rows = given.out / "films", labels(given.data)
    make_films(given.data, given.clipart, films)
    clips = [padded(read(given.data / "esc10" / "audio" / row["file"])) for row in rows]
    packed = given.out / "films.npz"
    if not packed.exists():
        recipe.pack(films, packed, Seen.pretrained())
    whole = recipe.load(packed)
    number = np.array(sorted(int(row["fold"]) for row in rows))  # of each film, as they are packed
    table: dict[str, list[float]] = {"student": [], "random twin": []}
    for fold in range(1, 6):
        out = given.out / f"fold{fold}"
        out.mkdir(exist_ok=True)
        trainer = Trainer(lambda: SoundNet(), "soundnet", out, peak=2e-3, decay=1e-2)
        table["random twin"] += folds(layers(trainer.average, clips), rows, fold)
        trainer.load()
        if trainer.seconds < 60 * given.minutes:
            with torch.enable_grad():
                some = whole.part(np.flatnonzero(number != fold))
                recipe.train(some, trainer, recipe.Recipe(), given.minutes)
        table["student"] += folds(layers(trainer.average, clips), rows, fold)
        print(fold, {way: [round(x, 3) for x in each] for way, each in table.items()}, flush=True)
    for way, each in table.items():
        show(way, each)


def show(way: str, each: list[float]) -> None:
    print(f"{way:32}{np.mean(each):8.1%}  +- {np.std(each):.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="data folder")
    parser.add_argument("--only", default="scenes,probe,cost")
    parser.add_argument("--clipart", type=Path, help="openclipart's pictures, for soundnet")
    parser.add_argument("--out", type=Path, default=Path("soundnet"), help="folder of its runs")
    parser.add_argument("--minutes", type=float, default=20, help="for each of its five folds")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for name in given.only.split(","):
        PARTS[name](given)


PARTS = {"scenes": scenes_part, "probe": probe, "soundnet": soundnet, "cost": cost}

if __name__ == "__main__":
    main()
