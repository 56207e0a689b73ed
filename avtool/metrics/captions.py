"""How near a sentence about a picture is to those that people wrote about it.

BLEU: Papineni et al., "BLEU: a method for automatic evaluation of machine translation" (2002), of a
whole corpus. CIDEr: Vedantam et al., "CIDEr: Consensus-based image description evaluation" (2015),
in the variant D that COCO's scripts compute. METEOR: Banerjee & Lavie, "METEOR: an automatic metric
for MT evaluation with improved correlation with human judgments" (2005), of equal words and equal
stems; it knows no synonyms and no paraphrases, so it lies below what COCO's scripts say.

A sentence is a list of words in small letters, without marks.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

Words = Sequence[str]
ORDER = 4  # n-grams of up to so many words
SIGMA = 6.0  # of CIDEr-D: how much another length costs, in words
RECALL, CHUNKS, PENALTY = 0.9, 3.0, 0.5  # of METEOR: alpha, beta, gamma
_VOWEL = re.compile("[aeiou]|(?<=[^aeiou])y")


def bleu(told: Sequence[Words], references: Sequence[Sequence[Words]]) -> list[float]:
    """BLEU-1 to BLEU-4 of a corpus, 0 to 1.

    Args:
        told: a sentence for each picture; references: all true ones of each.
    """
    right, all_, length, wanted = [0] * ORDER, [0] * ORDER, 0, 0
    for sentence, true in zip(told, references, strict=True):
        length += len(sentence)
        wanted += min((abs(len(r) - len(sentence)), len(r)) for r in true)[1]
        for n in range(ORDER):
            own = _grams(sentence, n + 1)
            most: Counter[tuple[str, ...]] = Counter()
            for reference in true:
                most |= _grams(reference, n + 1)
            right[n] += (own & most).total()
            all_[n] += own.total()
    short = min(1.0, math.exp(1 - wanted / length)) if length else 0.0
    parts = [a / b if b else 0.0 for a, b in zip(right, all_, strict=True)]
    return [short * math.prod(parts[: n + 1]) ** (1 / (n + 1)) for n in range(ORDER)]


class Cider:
    """CIDEr-D against the sentences of these pictures, of which it learns how usual n-grams are.

    Args:
        references: all true sentences of each picture.
    """

    def __init__(self, references: Sequence[Sequence[Words]]) -> None:
        self._usual: Counter[tuple[str, ...]] = Counter()
        for true in references:
            self._usual.update({gram for sentence in true for gram in _all(sentence)})
        self._most = math.log(len(references))
        self._references = [[self._vector(each) for each in true] for true in references]

    def __call__(self, sentence: Words, picture: int) -> float:
        """Of one sentence, 0 to 10.

        Args:
            picture: its number among ``references``.
        """
        own, norms, length = self._vector(sentence)
        true = self._references[picture]
        total = 0.0
        for other, theirs, longer in true:
            near = [0.0] * ORDER
            for gram, value in own.items():
                if gram in other:
                    near[len(gram) - 1] += min(value, other[gram]) * other[gram]
            same = sum(n / (a * b) for n, a, b in zip(near, norms, theirs, strict=True) if a * b)
            total += same * math.exp(-((length - longer) ** 2) / (2 * SIGMA**2))
        return 10 * total / len(true) / ORDER

    def _vector(self, sentence: Words) -> tuple[dict[tuple[str, ...], float], list[float], int]:
        """Weights of its n-grams, the length of each order's vector, and how long it is."""
        counts = Counter(_all(sentence))
        weights = {
            gram: count * (self._most - math.log(max(1, self._usual[gram])))
            for gram, count in counts.items()
        }
        squares = [0.0] * ORDER
        for gram, weight in weights.items():
            squares[len(gram) - 1] += weight**2
        # COCO's scripts measure length in pairs of words.
        return weights, [math.sqrt(square) for square in squares], max(0, len(sentence) - 1)


def cider(told: Sequence[Words], references: Sequence[Sequence[Words]]) -> float:
    """CIDEr-D of a corpus, a mean; 1 is what COCO's scripts call 100."""
    score = Cider(references)
    return sum(score(sentence, n) for n, sentence in enumerate(told)) / len(told)


def meteor(told: Sequence[Words], references: Sequence[Sequence[Words]]) -> float:
    """METEOR by equal words and stems, the mean over pictures of the best reference, 0 to 1."""
    best = (
        max(_meteor(sentence, reference) for reference in true)
        for sentence, true in zip(told, references, strict=True)
    )
    return sum(best) / len(told)


def _meteor(told: Words, true: Words) -> float:
    pairs: list[tuple[int, int]] = []
    own, theirs = set(range(len(told))), set(range(len(true)))  # places that have no pair yet
    for form in (list[str], _stems):  # equal words first, then equal stems among the rest
        a, b = form(told), form(true)
        for n in sorted(own, reverse=True):
            place = max((m for m in theirs if b[m] == a[n]), default=None)
            if place is not None:
                pairs.append((n, place))
                own.remove(n)
                theirs.remove(place)
    if not pairs:
        return 0.0
    pairs.sort()
    precision, recall = len(pairs) / len(told), len(pairs) / len(true)
    mean = precision * recall / (RECALL * precision + (1 - RECALL) * recall)
    chunks = 1 + sum((n + 1, m + 1) != after for (n, m), after in pairwise(pairs))
    return mean * (1 - PENALTY * math.pow(chunks / len(pairs), CHUNKS))


def _stems(sentence: Words) -> list[str]:
    return [stem(word) for word in sentence]


def stem(word: str) -> str:
    """Without its ending of number or time: the first step of Porter, "An algorithm for suffix
    stripping" (1980).

    >>> [stem(word) for word in ("ponies", "dogs", "running", "jumped", "grass", "hoping")]
    ['poni', 'dog', 'run', 'jump', 'grass', 'hope']
    """
    if word.endswith(("sses", "ies")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    if word.endswith("eed"):
        word = word[:-1] if re.search("[aeiouy][^aeiouy]", word[:-3]) else word
    else:
        short = next((word.removesuffix(e) for e in ("ed", "ing") if word.endswith(e)), "")
        word = _mended(short) if _VOWEL.search(short) else word
    return word[:-1] + "i" if word.endswith("y") and _VOWEL.search(word[:-1]) else word


def _mended(short: str) -> str:
    """What is left without "ed" or "ing", as the word is written: hop for hopp, hope for hop."""
    if short.endswith(("at", "bl", "iz")):
        return short + "e"
    if short[-1:] == short[-2:-1] and short[-1] not in "aeioulsz":
        return short[:-1]
    one = re.fullmatch("[^aeiou]*[aeiouy]+[^aeiou]+", short)
    if one and re.search("[^aeiou][aeiouy][^aeiouwxy]$", short):
        return short + "e"
    return short


def _all(sentence: Words) -> Iterator[tuple[str, ...]]:
    for n in range(1, ORDER + 1):
        yield from zip(*(sentence[k:] for k in range(n)), strict=False)


def _grams(sentence: Words, n: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(sentence[k:] for k in range(n)), strict=False))
