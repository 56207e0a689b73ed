"""Scores of sentences, against nltk, and against what COCO's scripts gave."""

from __future__ import annotations

import numpy as np
import pytest
from nltk.stem.porter import PorterStemmer
from nltk.translate.bleu_score import corpus_bleu
from nltk.translate.meteor_score import meteor_score

from avtool.metrics.captions import Cider, bleu, cider, meteor, stem
from avtool.models.vocabulary import words

SAID = [
    "a dog runs in the deep snow",
    "two men are playing with a ball",
    "a girl swims in the water",
    "a man in a red shirt",
]
TRUE = [
    "a brown dog is running through snow|the dog runs in the deep snow|a dog plays",
    "two boys play with a red ball|two men play ball on a field|men are kicking a ball",
    "a girl is swimming in a pool|the girl swims underwater|a young swimmer in blue water",
    "a woman climbs a rock|someone is climbing|a climber on a steep cliff",
]
TOLD = [words(each) for each in SAID]
REFERENCES = [[words(each) for each in true.split("|")] for true in TRUE]
COCOS = [3.565405, 1.954024, 1.452159, 0.0]


def drawn(count: int) -> tuple[list[list[str]], list[list[list[str]]]]:
    """Sentences by chance out of a few words and their forms.

    Of four words or more, for in shorter ones nltk counts an n-gram that is not there.
    """
    rng = np.random.default_rng(0)
    known = words("a the dog dogs running run jump jumped snow")
    made = [[list(rng.choice(known, rng.integers(4, 12))) for _ in range(4)] for _ in range(count)]
    return [each[0] for each in made], [each[1:] for each in made]


class NoSynonyms:
    def synsets(self, *_: object, **__: object) -> list[object]:
        return []


class Stems:
    def stem(self, word: str) -> str:
        return stem(word)


@pytest.mark.parametrize("case", [(TOLD, REFERENCES), drawn(60)])
def test_bleu_and_meteor_are_nltks(case: tuple[list[list[str]], list[list[list[str]]]]) -> None:
    told, references = case
    for n, own in enumerate(bleu(told, references), 1):
        theirs = corpus_bleu(references, told, weights=[1 / n] * n)
        assert own == pytest.approx(theirs, abs=1e-9)
    each = [
        meteor_score(true, said, stemmer=Stems(), wordnet=NoSynonyms())
        for said, true in zip(told, references, strict=True)
    ]
    assert meteor(told, references) == pytest.approx(np.mean(each), abs=1e-9)


def test_stems_are_porters() -> None:
    porter = PorterStemmer(mode=PorterStemmer.ORIGINAL_ALGORITHM)
    text = (
        "carrying played hopping hoping dresses ponies agreed feed sized flying sky eyed bed sing"
    )
    text += " running dogs grass sliding watches falling buses biking tied red bring hitting trees"
    for word in words(text):
        assert stem(word) == porter._step1c(porter._step1b(porter._step1a(word))), word


def test_cider_is_cocos() -> None:
    """What pycocoevalcap 1.2 (Cider) said of these sentences."""
    score = Cider(REFERENCES)
    each = [score(said, n) for n, said in enumerate(TOLD)]
    assert each == pytest.approx(COCOS, abs=1e-6)
    assert cider(TOLD, REFERENCES) == pytest.approx(np.mean(COCOS), abs=1e-6)
    # Another picture's sentence is worth less.
    assert cider(TOLD[1:] + TOLD[:1], REFERENCES) < 0.1 * cider(TOLD, REFERENCES)


def test_nothing_in_common_is_worth_nothing() -> None:
    told = [["tree"], []]
    references = [[["a", "dog"]], [["a", "cat"]]]
    assert bleu(told, references) == [0.0] * 4
    assert meteor(told, references) == cider(told, references) == 0.0
