"""Words of a sentence, and their numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence


def words(text: str) -> list[str]:
    """The words of a sentence, in small letters, without marks.

    >>> words("A man's dog , number 3 , runs .")
    ['a', "man's", 'dog', 'number', '3', 'runs']
    """
    return re.findall(r"[a-z0-9]+(?:'[a-z]+)?", text.lower())


# Words that say nothing of what is seen.
EMPTY = frozenset(
    words(
        "a an the of in on at to with and is are his her its their it he she they that this which "
        "while as by for from into onto up down out over under through near next behind front "
        "against along across around off one other another some each who what being be has have "
        "having there very something someone it's"
    )
)


class Vocabulary:
    """Words by number; 0 fills, 1 begins, 2 ends, 3 is any word that is not known."""

    FILL, BEGIN, END, UNKNOWN = range(4)

    def __init__(self, known: Sequence[str]) -> None:
        self.words = ("", "", "", "", *known)
        self._numbers = {word: n for n, word in enumerate(self.words) if word}

    @classmethod
    def of(cls, sentences: Iterable[Sequence[str]], least: int = 5) -> Vocabulary:
        """The words that occur ``least`` times, most frequent first."""
        counts = Counter(word for sentence in sentences for word in sentence)
        common = [word for word, count in counts.items() if count >= least]
        return cls(sorted(common, key=lambda word: (-counts[word], word)))

    def __len__(self) -> int:
        return len(self.words)

    def numbers(self, sentence: Sequence[str]) -> list[int]:
        """Of each word.

        >>> Vocabulary(["a", "dog"]).numbers(["a", "cat"])
        [4, 3]
        """
        return [self._numbers.get(word, self.UNKNOWN) for word in sentence]
