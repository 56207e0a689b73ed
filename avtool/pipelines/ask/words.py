"""The words that the network knows, and those that mean the same."""

from __future__ import annotations

import re
from difflib import get_close_matches

SHAPES = ("circle", "rectangle", "triangle", "cross", "star")
COLOURS = ("red", "blue", "green", "yellow", "black", "gray", "teal", "brown")
SIZES = ("small", "large")
MOST = 6  # things on a scene
UNCLEAR = "cannot tell"  # what is asked about is not there, or is there twice
ANSWERS = ("yes", "no", *map(str, range(MOST + 1)), *COLOURS, *SHAPES, *SIZES, UNCLEAR)
# 0 fills a question that is shorter than others.
WORDS = (
    "",
    *SHAPES,
    *COLOURS,
    *SIZES,
    *("a", "above", "and", "are", "as", "below", "behind", "contain", "do", "does", "fewer"),
    *("front", "have", "how", "image", "in", "is", "it", "left", "many", "more", "no", "not", "of"),
    *("or", "present", "right", "same", "shape", "size", "colour", "than", "that", "the", "there"),
    *("thing", "to", "what", "which"),
)
LONGEST = 20  # words of a question
SAME = {
    "color": "colour",
    "colored": "colour",
    "coloured": "colour",
    "grey": "gray",
    "big": "large",
    "bigger": "large",
    "little": "small",
    "tiny": "small",
    "object": "thing",
    "item": "thing",
    "something": "thing",
    "anything": "thing",
    "picture": "image",
    "scene": "image",
    "photo": "image",
    "an": "a",
    "any": "a",
    "one": "thing",
    "disc": "circle",
    "disk": "circle",
    "square": "rectangle",
    "less": "fewer",
    "under": "below",
    "beneath": "below",
    "over": "above",
    "hidden": "behind",
}
PLURALS = {"crosses": "cross", "discs": "circle"}
NUMBERS = {word: n for n, word in enumerate(WORDS)}
CLOSE = 0.83  # how alike a misspelt word of four letters or more is to the one that is meant


def tokens(question: str) -> list[str]:
    """The words of a question as the network knows them; others are left as they are.

    >>> tokens("What's the COLOR of the big circles?")
    ['what', 'is', 'the', 'colour', 'of', 'the', 'large', 'circle']
    """
    return [meant(word) for word in said(question)]


def said(question: str) -> list[str]:
    """The words of a question as it has them, in small letters, as many as ``tokens`` gives."""
    text = question.lower().replace("\u2019", "'").replace("what's", "what is")
    text = text.replace("there's", "there is")
    return re.findall(r"[a-z0-9]+(?:'[a-z]+)?", text)


def meant(word: str) -> str:
    """A word, its singular, what means the same, or what it was meant to be."""
    for each in (word, PLURALS.get(word, ""), word.removesuffix("s")):
        if each and (each in NUMBERS or each in SAME):
            return SAME.get(each, each)
    alike = [each for each in (*NUMBERS, *SAME) if each[:1] == word[0]]  # bright is not right
    near = get_close_matches(word, alike, 1, CLOSE) if len(word) > 3 else []
    return SAME.get(near[0], near[0]) if near else word


def unknown(words: list[str]) -> list[str]:
    """Those that the network does not know."""
    return [word for word in words if word not in NUMBERS]


def numbers(words: list[str]) -> list[int]:
    """Of known words, filled up to the longest question."""
    return [NUMBERS[word] for word in words] + [0] * (LONGEST - len(words))
