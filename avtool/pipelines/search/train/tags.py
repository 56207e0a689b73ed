"""The tags' recipe, after the joint embedding's.

``python -m avtool.pipelines.search.train.tags --data FOLDER --out FOLDER``

Which words are in any of a picture's sentences, each by a logistic regression over what the
backbone sees and where the picture lies in the space of ``joint.safetensors`` in the folder, which
then holds both. Pictures without words are drawn beside them, plain, striped, written on: of those
nothing is to be told. Log-odds are calibrated on the split dev (Platt, "Probabilistic outputs for
support vector machines", 1999), and likewise what a likeness means.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from avtool.draw.canvas import typeface
from avtool.models import weights
from avtool.models.backbone import SIZE, Seen
from avtool.models.captioned import VIEWS, Captioned, Looks, looks, read
from avtool.models.vocabulary import EMPTY, Vocabulary
from avtool.pipelines.search.model import Config, Joint
from avtool.pipelines.search.train.joint import Data, places
from avtool.training.trainer import arguments
from avtool.values import Array

TOLD = 500  # words that can be told of a picture
LEAST = 20  # pictures that have a word, for it to be told
WORDLESS = 1200  # drawn pictures


def told(captioned: Captioned, least: int = LEAST) -> list[str]:
    """The words that most pictures to learn from have in a sentence, most frequent first."""
    each = [{w for said in captioned.sentences[n] for w in said} for n in captioned.of("train")]
    known = Vocabulary.of((sorted(some - EMPTY) for some in each), least)
    return list(known.words[4 : 4 + TOLD])


def tagged(captioned: Captioned, told: Sequence[str]) -> Array:
    """Whether each word is in a sentence of each picture, bool [pictures, told]."""
    place = {word: n for n, word in enumerate(told)}
    found = np.zeros((len(captioned.names), len(told)), bool)
    for n, sentences in enumerate(captioned.sentences):
        found[n, [place[word] for said in sentences for word in said if word in place]] = True
    return found


def wordless(seed: int) -> Array:
    """A drawn picture that shows nothing, uint8 RGB [224, 224, 3]: plain, shaded, noisy, striped,
    lines of a chart, bars, or text.
    """
    rng = np.random.default_rng((7, seed))
    back, ink = (tuple(map(int, rng.integers(0, 256, 3))) for _ in range(2))
    if rng.random() < 0.5:
        # Middle grey is what the backbone takes for nothing at all, so it is drawn often.
        back = (int(rng.choice([0, 255, int(rng.integers(256)), int(rng.integers(118, 139))])),) * 3
    image = Image.new("RGB", (SIZE, SIZE), back)
    draw = ImageDraw.Draw(image)
    kind = max(0, int(rng.integers(-2, 6)))
    if kind == 1:
        steps = max(2, int(rng.integers(4, 40)))
        for n in range(0, SIZE, steps):
            draw.rectangle((n, 0, n + steps // 2, SIZE), ink)
    elif kind == 2:
        for _ in range(int(rng.integers(1, 5))):
            heights = SIZE / 2 + np.cumsum(rng.normal(0, 6, SIZE // 4))
            points = [(4 * n, float(h)) for n, h in enumerate(heights)]
            draw.line(points, tuple(map(int, rng.integers(0, 256, 3))), int(rng.integers(1, 4)))
    elif kind == 3:
        for n in range(int(rng.integers(3, 10))):
            draw.rectangle((24 * n + 8, SIZE - float(rng.uniform(20, 200)), 24 * n + 24, SIZE), ink)
    elif kind == 4:
        letters = np.array(list("abcdefghijklmnopqrstuvwxyz     "))
        for y in range(8, SIZE, int(rng.integers(14, 30))):
            draw.text((8, y), "".join(rng.choice(letters, 30)), ink, typeface(12))
    elif kind == 5:
        shade = np.linspace(0, 1, SIZE)[:, None, None]
        turned = np.array(back) * shade + np.array(ink) * (1 - shade)
        image = Image.fromarray(np.broadcast_to(turned, (SIZE, SIZE, 3)).astype(np.uint8))
        image = image.rotate(90 * int(rng.integers(4)))
    if rng.random() < 0.5:
        return np.asarray(image)
    noisy = np.asarray(image) + rng.normal(0, 10 ** rng.uniform(0, 1.8), (SIZE, SIZE, 1))
    return noisy.clip(0, 255).astype(np.uint8)


@torch.no_grad()
def drawn(network: Seen, count: int = WORDLESS) -> tuple[Tensor, Tensor]:
    """What the backbone sees in drawn pictures: grid and vector."""
    parts = [
        network.look(
            torch.from_numpy(np.stack([wordless(n) for n in range(a, min(a + 16, count))]))
        )
        for a in range(0, count, 16)
    ]
    return torch.cat([part.grid for part in parts]), torch.cat([part.vector for part in parts])


def learn(
    model: Joint, data: Data, true: Array, empty: tuple[Tensor, Tensor], epochs: int = 3
) -> None:
    """Learn the tags of a network whose towers stay as they are.

    Args:
        true: what ``tagged`` gives; empty: grid and vector of pictures without words.
    """
    train = np.array(data.captioned.of("train"))
    with torch.no_grad():
        model.eval()
        rows = []
        for view in range(VIEWS):
            for part in np.array_split(train, 16):
                grid, vector = data.seen(part, view)
                rows.append((vector, model.pictures(grid, vector)))
        rows += [(empty[1], model.pictures(*empty))] * VIEWS
    vector, place = (torch.cat(each) for each in zip(*rows, strict=True))
    nothing = np.zeros((VIEWS * len(empty[1]), true.shape[1]), bool)
    wanted = torch.from_numpy(np.concatenate([np.tile(true[train], (VIEWS, 1)), nothing]))
    learned = [*model.tag_norm.parameters(), *model.tag.parameters()]
    optimiser = torch.optim.AdamW(learned, 1e-3, weight_decay=0.05, fused=True)
    # Where it begins: each word as often as it is true.
    often = wanted.float().mean(0).clamp(1e-4, 1 - 1e-4)
    with torch.no_grad():
        model.tag.weight.zero_()
        model.tag.bias.copy_((often / (1 - often)).log())
    torch.manual_seed(0)
    model.train()
    for epoch in range(epochs):
        for group in optimiser.param_groups:
            group["lr"] = 1e-3 * (1 - epoch / epochs)
        for chosen in torch.randperm(len(wanted)).split(256):
            odds = model.tags(vector[chosen], place[chosen])
            loss = binary_cross_entropy_with_logits(odds, wanted[chosen].float())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    model.eval()


def calibrated(model: Joint, data: Data, true: Array) -> Config:
    """The network's sizes with what is calibrated on dev: the tags, and what a likeness means."""
    pictures = data.captioned.of("dev")
    grid, vector = data.seen(pictures, 0)
    with torch.no_grad():
        odds = model.tags(vector, model.pictures(grid, vector))
    slope, offset = line(odds.flatten(), torch.from_numpy(true[pictures]).flatten())
    seen, said, owner = places(model, data, pictures)
    likeness = (said @ seen.T).float()
    rng = np.random.default_rng(0)
    own = likeness[np.arange(len(owner)), owner]
    wrong = (owner + rng.integers(1, len(pictures), len(owner))) % len(pictures)
    others = likeness[np.arange(len(owner)), wrong]
    # Nine of ten are others': each of these counts nine times.
    is_own = torch.cat([torch.ones_like(own), torch.zeros_like(others)]).bool()
    fit = line(torch.cat([own, others]), is_own, torch.where(is_own, 1.0, 9.0))
    return replace(model.config, slope=slope, offset=offset, fit=fit)


def line(odds: Tensor, true: Tensor, weight: Tensor | None = None) -> tuple[float, float]:
    """Slope and offset that bring log-odds nearest to the truth, by cross-entropy."""
    found = torch.tensor([1.0, 0.0], requires_grad=True)
    search = torch.optim.LBFGS([found], max_iter=100, line_search_fn="strong_wolfe")

    def step() -> Tensor:
        search.zero_grad()
        loss = binary_cross_entropy_with_logits(found[0] * odds + found[1], true.float(), weight)
        loss.backward()
        return loss

    search.step(step)
    slope, offset = found.detach().tolist()
    return slope, offset


def main() -> None:
    """See the module. ``--minutes`` has no meaning here."""
    parser = arguments("tags", __doc__, 5)
    parser.add_argument("--looks", type=Path, help="folder of what the backbone sees [in --out]")
    given = parser.parse_args()
    captioned = read(given.data)
    seen: Looks = looks(captioned, given.looks or given.out / "looks")
    path = given.out / "joint.safetensors"
    trained = weights.load(Joint, path)
    # The towers as they are; the words that can be told are chosen here.
    model = Joint(replace(trained.config, told=told(captioned)))
    kept = {k: v for k, v in trained.state_dict().items() if not k.startswith("tag")}
    model.load_state_dict(kept, strict=False)
    data = Data.of(captioned, seen, model.config)
    true = tagged(captioned, model.config.told)
    learn(model, data, true, drawn(Seen.pretrained()))
    model.config = calibrated(model, data, true)
    tensors = {key: value.contiguous() for key, value in model.state_dict().items()}
    part = path.with_suffix(".part")
    save_file(tensors, part, {"config": json.dumps(asdict(model.config))})
    part.replace(path)


if __name__ == "__main__":
    main()
