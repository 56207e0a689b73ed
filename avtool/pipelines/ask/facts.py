"""Questions that other commands answer: understood by a small grammar, and answered from facts.

A question's words are brought to a few that mean the same, words that change nothing are left out,
and what remains is compared with the patterns of each kind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

from avtool.models.vocabulary import words as words_of
from avtool.models.yamnet import Kind, kinds

CLOSE = 0.8  # how alike a misspelt word of five letters or more is to the one that is meant
MEANT = {
    "person": "people persons human humans face faces head heads",
    "anybody": "anyone somebody someone they",
    "speak": "speaks speaking spoken spoke talk talks talking talked says saying",
    "speaker": "speakers voice voices",
    "hear": "hears heard hearing audible listen",
    "sound": "sounds noise noises",
    "begin": "begins begin start starts starting",
    "most": "longest mostly more",
    "last": "lasts take takes run runs running",
    "film": "video clip movie recording photo picture image audio file footage scene",
    "length": "duration runtime",
    "is": "are was were be there's",
    "does": "do did",
    "which": "what",
    "anything": "something",
}
WORDS = {word: meant for meant, words in MEANT.items() for word in [meant, *words.split()]}
KNOWN = (*WORDS, "how", "many", "who", "first", "long", "can", "there", "seen", "visible", "number")
LEFT_OUT = frozenset(
    words_of(
        "a an the in on of this that it its s please tell me you we i one could would see "
        "seen visible film here now altogether total at all any time shown to"
    )
)
# A kind of question, and the patterns of its words; ``what`` is a kind of sound.
PATTERNS: Mapping[str, tuple[str, ...]] = {
    "people": (
        r"how many person( is| there| can| does)*",
        r"(which is )?number person",
        r"count person",
    ),
    "speakers": (
        r"how many (person )?(is |does |can )?(there )?(speak|speaker)( is| there)*",
        r"how many speaker( is| there| can| hear)*",
    ),
    "first": (
        r"(who|which (person|speaker))( is| does)? (speak|begin|hear) first",
        r"(who|which (person|speaker))( is)? first (speak|speaker|hear)?",
        r"(who|which (person|speaker)) begin( speak)?",
        r"who is first",
        r"who has first word",
    ),
    "most": (
        r"(who|which (person|speaker))( is| does)? speak (most|long)( most)?",
        r"(who|which (person|speaker)) has most (speech|speak|words|say)",
    ),
    "anybody": (r"is( there)? (anybody|person)( there| can)*",),
    "length": (
        r"how long( is| does| last)*",
        r"(which is )?length( is)?",
        r"how many (seconds|minutes)( is| does| there| last| long)*",
    ),
    "speaking": (
        r"(is|does|can)?( there)? ?(anybody|person|speaker)( is)? speak",
        r"(is|does|can)?( there)? (speech|speak|speaker)( hear| is| there)*",
        r"(can )?hear (speech|speak|anybody|person|speaker)( speak)?",
    ),
    "heard": (
        r"which( sound)?( is| can| does)*( there)?( hear)( is)?",
        r"which sound( is| there| can| does)*",
        r"is (anything|sound) hear",
        r"(list|is there) sound",
    ),
    "sound": (
        r"is there (sound )?(?P<what>.+?)( hear| sound)?",
        r"is (?P<what>.+?) (hear|there)",
        r"(can |does )?hear (?P<what>.+)",
        r"does (?P<what>.+)",
        r"is (?P<what>.+ing)",
    ),
}


@dataclass(frozen=True)
class Fact:
    """What is asked for: a kind of ``PATTERNS``; ``what`` is a kind of sound by its name."""

    kind: str
    what: str = ""


def understood(question: str) -> Fact | None:
    """What a question asks of facts, or None where it asks for something else.

    >>> understood("How many poeple are in the picture?")
    Fact(kind='people', what='')
    >>> understood("Is there a dog?"), understood("What colour is the sky?")
    (Fact(kind='sound', what='Dog'), None)
    """
    text = question.lower().replace("\u2019", "'").replace("'s", " is").replace("n't", " not")
    words = [_meant(word) for word in re.findall(r"[a-z]+", text)]
    if "not" in words or "no" in words:
        return None
    said = " ".join(word for word in words if word not in LEFT_OUT)
    for kind, patterns in PATTERNS.items():
        for pattern in patterns:
            if found := re.fullmatch(pattern, said):
                if kind != "sound":
                    return Fact(kind)
                if name := sound_of(found["what"]):
                    return Fact(kind, name)
    return None


def _meant(word: str) -> str:
    if word in WORDS or word in KNOWN or word in LEFT_OUT or _sounds().get(word):
        return WORDS.get(word, word)
    alike = [each for each in KNOWN if each[0] == word[0]]
    near = get_close_matches(word, alike, 1, CLOSE) if len(word) > 4 else []
    return WORDS.get(near[0], near[0]) if near else word


@cache
def _sounds() -> Mapping[str, Kind]:
    """Kinds of sound by each of their names: "Bee, wasp, etc." is told by bee and by wasp."""
    found: dict[str, Kind] = {}
    for kind in kinds():
        for name in kind.names:
            found.setdefault(name, kind)
    return found


def sound_of(words: str) -> str:
    """The kind of sound that all the words name, or else the last that does; "" where none does.

    >>> sound_of("dogs"), sound_of("dog barking"), sound_of("car horn"), sound_of("unicorn")
    ('Dog', 'Bark', 'Vehicle horn, car horn, honking', '')
    """
    for part in (words, *reversed(words.split())):
        for name in (part.removesuffix("s"), part, part.removesuffix("ing")):  # dogs: a dog
            if name in _sounds():
                return _sounds()[name].name
    return ""
