"""Questions about a drawn scene, by kind, with answers that their words alone do not give away.

The answer is drawn first, evenly, and then a question that has it is looked for: who does not see
the picture can but guess. A thing is *left of* another where its middle is, however high it
stands; where that is too near to call, nothing is asked. *Behind* is what the other hides a part
of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from avtool.pipelines.ask.train.scenes import HELD, Scene, Thing
from avtool.pipelines.ask.words import COLOURS, SHAPES, SIZES, UNCLEAR

NEAR = 1 / 8  # of the picture: nearer middles are neither left nor right
ASKED = ("colour", "shape", "size")
VALUES = {"colour": COLOURS, "shape": SHAPES, "size": SIZES}
SIDES = {"left of": (-1, 0), "right of": (1, 0), "above": (0, -1), "below": (0, 1)}
SAID = {
    "left of": ("left of", "to the left of"),
    "right of": ("right of", "to the right of"),
    "above": ("above",),
    "below": ("below",),
}
HOW = "more", "fewer", "as many"
MANY = (1, 1, 1, 2, 2, 2, 3)  # properties by which something is told
TRIES = 24  # to find a question that has the answer

Filter = dict[str, str]  # what a thing has to have, by property
# A question, its answer, the things it is about, and those that they are found from.
Made = tuple[str, str, Sequence[Thing] | None, Sequence[Thing] | None]


@dataclass(frozen=True)
class Question:
    """A question, its true answer, and its kind.

    Args:
        about: the numbers of the things that the answer is about; from_: of those that they are
            found from, as the circle of "left of the circle". None is of questions without such.
    """

    text: str
    answer: str
    kind: str
    about: tuple[int, ...] | None = None
    from_: tuple[int, ...] | None = None


def matches(thing: Thing, wanted: Filter) -> bool:
    """Whether a thing has all that is wanted."""
    return all(getattr(thing, name) == value for name, value in wanted.items())


def _count(things: Sequence[Thing], wanted: Filter) -> int:
    return sum(matches(thing, wanted) for thing in things)


class Asker:
    """Asks about one scene.

    Args:
        held: whether held-out combinations may be named.
    """

    def __init__(self, scene: Scene, rng: Random, held: bool = False) -> None:
        self.scene, self.things, self.rng, self.held = scene, scene.things, rng, held
        self.yes, self.number, self.size, self.how = False, 0, SIZES[0], HOW[0]

    def one(self, kind: str) -> Question | None:
        """A question of a kind; None where the scene gives none."""
        self.yes, self.size = self.rng.random() < 0.5, self.rng.choice(SIZES)
        self.number, self.how = self.rng.randrange(5), self.rng.choice(HOW)
        for _ in range(TRIES):
            made = KINDS[kind](self)
            if made is not None:
                text, answer, about, beside = made
                return Question(text, answer, kind, self._numbers(about), self._numbers(beside))
        return None

    def _numbers(self, things: Sequence[Thing] | None) -> tuple[int, ...] | None:
        if things is None:
            return None
        return tuple(n for n, each in enumerate(self.things) if any(each is one for one in things))

    def _fitting(self, *wanted: Filter) -> list[Thing]:
        return [thing for thing in self.things if any(matches(thing, each) for each in wanted)]

    # What is spoken of.

    def _pick(self, choices: Sequence[str]) -> str:
        return self.rng.choice(choices)

    def _pattern(self) -> list[str]:
        """Properties by which something is told."""
        return self.rng.sample(ASKED, self.rng.choice(MANY))

    def _any(self, pattern: Sequence[str]) -> Filter | None:
        """Values for a pattern; None where they are a held-out combination that is not asked."""
        made = {name: self._pick(VALUES[name]) for name in pattern}
        pair = made.get("colour", ""), made.get("shape", "")
        return made if self.held or pair not in HELD else None

    def _of(self, thing: Thing, pattern: Sequence[str]) -> Filter:
        return {name: getattr(thing, name) for name in pattern}

    def _thing(self, thing: Thing, without: str = "") -> Filter | None:
        """A description that fits this thing alone, not by the property that is asked for."""
        for _ in range(4):
            wanted = self._of(thing, [each for each in self._pattern() if each != without])
            if wanted and _count(self.things, wanted) == 1:
                return wanted
        return None

    def _some(self) -> Thing:
        return self.rng.choice(self.things)

    def _two(self) -> tuple[Thing, Thing]:
        a, b = self.rng.sample(self.things, 2)
        return a, b

    def _said(self, wanted: Filter, many: bool = False) -> str:
        """The words for it: large red circle, or red things."""
        noun = wanted.get("shape") or self._pick(("thing", "thing", "object", "shape"))
        noun += ("es" if noun.endswith("s") else "s") if many else ""
        return " ".join([*(wanted[n] for n in ("size", "colour") if n in wanted), noun])

    def _beside(self, thing: Thing, side: str, wanted: Filter) -> list[Thing] | None:
        """The things that fit on a side of another; None where one is too near to call."""
        x, y = SIDES[side]
        found = []
        for other in self.things:
            if other is thing or not matches(other, wanted):
                continue
            away = x * (other.x - thing.x) + y * (other.y - thing.y)
            if abs(away) < NEAR:
                return None
            if away > 0:
                found.append(other)
        return found

    # The kinds, each a question and its answer, or None where a try failed.

    def exist(self) -> Made | None:
        pattern = self._pattern()
        if pattern == ["size"]:
            return None
        there = self.yes
        wanted = self._of(self._some(), pattern) if there else self._any(pattern)
        if wanted is None or (_count(self.things, wanted) > 0) != there:
            return None
        what = self._said(wanted)
        if self.rng.random() < 0.15:
            no = self._pick(("is there no {}?", "is there not a {}?"))
            return no.format(what), "no" if there else "yes", self._fitting(wanted), None
        asked = ("is there a {}?", "is there a {} in the image?", "does the image contain a {}?")
        return self._pick(asked).format(what), "yes" if there else "no", self._fitting(wanted), None

    def count(self) -> Made | None:
        pattern = self._pattern() if self.rng.random() < 0.85 else []
        target = self.number if pattern else len(self.things)
        if not pattern or target:
            wanted: Filter | None = self._of(self._some(), pattern)
        else:
            wanted = self._any(pattern)
        if wanted is None or _count(self.things, wanted) != target:
            return None
        asked = ("how many {} are there?", "how many {} are in the image?")
        text = self._pick(asked).format(self._said(wanted, many=True))
        return text, str(target), self._fitting(wanted), None

    def attribute(self) -> Made | None:
        thing, asked = self._some(), self._pick(ASKED)
        wanted = self._thing(thing, asked)
        if wanted is None or (asked == "size" and thing.size != self.size):
            return None
        what = self._said(wanted)
        if asked == "shape" and "shape" in what:
            what = what.replace("shape", "thing")
        texts = [f"what {asked} is the {what}?", f"what is the {asked} of the {what}?"]
        if asked == "size":
            texts.append(f"is the {what} small or large?")
        return self._pick(texts), getattr(thing, asked), [thing], None

    def compare(self) -> Made | None:
        """More, fewer, or as many."""
        name = self._pick(("colour", "shape"))
        if self.rng.random() < 0.5:
            here = sorted({getattr(thing, name) for thing in self.things})
            pairs = [self._pick(here), self._pick(VALUES[name])]
            sides = [{name: value} for value in self.rng.sample(pairs, 2)]
        else:
            sides = [
                {each: self._pick(sorted({getattr(t, each) for t in self.things}))}
                for each in (("colour", "shape") if name == "colour" else ("shape", "colour"))
            ]
        if sides[0] == sides[1]:
            return None
        first, second = (_count(self.things, side) for side in sides)
        how, yes = self.how, self.yes
        true = {"more": first > second, "fewer": first < second, "as many": first == second}[how]
        if true != yes or (how != "as many" and first == second and self.rng.random() < 0.6):
            return None
        than = "as" if how == "as many" else "than"
        said = [self._said(side, many=True) for side in sides]
        text = f"are there {how} {said[0]} {than} {said[1]}?"
        return text, "yes" if yes else "no", self._fitting(sides[1]), self._fitting(sides[0])

    def same(self) -> Made | None:
        """Whether two things share a property."""
        (a, b), asked = self._two(), self._pick(ASKED)
        values = [getattr(thing, asked) for thing in self.things]
        if not 1 < len(set(values)) < len(values):  # else the scene gives one of the answers alone
            return None
        first, second = self._thing(a, asked), self._thing(b, asked)
        yes = self.yes
        if first is None or second is None or (getattr(a, asked) == getattr(b, asked)) != yes:
            return None
        text = f"do the {self._said(first)} and the {self._said(second)} have the same {asked}?"
        return text, "yes" if yes else "no", [b], [a]

    def side(self) -> Made | None:
        """What is left, right, above or below: a property of what alone is there."""
        thing = self._some()
        wanted = self._thing(thing)
        side, asked = self._pick(tuple(SIDES)), self._pick(ASKED)
        if wanted is None:
            return None
        pattern = [n for n in self._pattern() if n != asked] if self.rng.random() < 0.6 else []
        which = self._of(self._some(), pattern)
        found = self._beside(thing, side, which)
        if found is None or len(found) != 1 or (asked == "size" and found[0].size != self.size):
            return None
        where = f"{self._pick(SAID[side])} the {self._said(wanted)}"
        text = f"what {asked} is the {self._said(which)} {where}?"
        if asked == "shape":
            text = f"what shape is the {self._said(which).replace('shape', 'thing')} {where}?"
        return text, getattr(found[0], asked), found, [thing]

    def side_count(self) -> Made | None:
        thing = self._some()
        wanted = self._thing(thing)
        side = self._pick(tuple(SIDES))
        if wanted is None:
            return None
        found = self._beside(thing, side, {})
        if found is None or len(found) != self.number:
            return None
        what = self._pick(("things", "objects", "shapes"))
        where = f"{self._pick(SAID[side])} the {self._said(wanted)}"
        return f"how many {what} are {where}?", str(len(found)), found, [thing]

    def side_exist(self) -> Made | None:
        """Whether one thing is left, right, above or below of another."""
        a, b = self._two()
        first, second = self._thing(a), self._thing(b)
        side, yes = self._pick(tuple(SIDES)), self.yes
        if first is None or second is None:
            return None
        found = self._beside(b, side, first)
        if found is None or (a in found) != yes:
            return None
        where = f"{self._pick(SAID[side])} the {self._said(second)}"
        return f"is the {self._said(first)} {where}?", "yes" if yes else "no", [a], [b]

    def behind(self) -> Made | None:
        """A property of what is behind or in front, or whether one thing is."""
        if not self.scene.behind:
            return None
        back, front = (self.things[n] for n in self.scene.behind[0])
        turned = self.rng.random() < 0.5
        thing, other = (back, front) if turned else (front, back)
        word = "behind" if turned else "in front of"
        if self.rng.random() < 0.25:
            yes = self.yes
            known, wanted = self._thing(thing), self._thing(other)
            if known is None or wanted is None:
                return None
            told = word if yes else ("in front of" if turned else "behind")
            text = f"is the {self._said(known)} {told} the {self._said(wanted)}?"
            return text, "yes" if yes else "no", [thing], [other]
        asked, wanted = self._pick(ASKED), self._thing(other)
        if wanted is None or (asked == "size" and thing.size != self.size):
            return None
        text = f"what {asked} is the thing {word} the {self._said(wanted)}?"
        return text, getattr(thing, asked), [thing], [other]

    def unclear(self) -> Made | None:
        """What is asked about is not there, or is there twice and differs: not to be told."""
        asked = self._pick(ASKED)
        pattern = [name for name in self._pattern() if name != asked]
        twice = self.rng.random() < 0.5
        wanted = self._of(self._some(), pattern) if twice else self._any(pattern)
        if not wanted:
            return None
        found = [thing for thing in self.things if matches(thing, wanted)]
        if twice and len({getattr(thing, asked) for thing in found}) < 2:
            return None
        if not twice and found:
            return None
        what = self._said(wanted)
        if self.rng.random() < 0.3:
            side = self._pick([each for n in SIDES for each in SAID[n]] + ["behind", "in front of"])
            return f"what {asked} is the thing {side} the {what}?", UNCLEAR, None, found
        what = what.replace("shape", "thing") if asked == "shape" else what
        return f"what {asked} is the {what}?", UNCLEAR, found, None


KINDS: dict[str, Callable[[Asker], Made | None]] = {
    "exist": Asker.exist,
    "count": Asker.count,
    "attribute": Asker.attribute,
    "compare": Asker.compare,
    "same": Asker.same,
    "side": Asker.side,
    "side, count": Asker.side_count,
    "side, exist": Asker.side_exist,
    "behind": Asker.behind,
    "unclear": Asker.unclear,
}


def asked(
    scene: Scene,
    rng: Random,
    count: int,
    kinds: Sequence[str] = tuple(KINDS),
    held: bool = False,
) -> list[Question]:
    """Up to ``count`` questions about a scene, each of any of the kinds."""
    asker = Asker(scene, rng, held)
    made = [asker.one(rng.choice(kinds)) for _ in range(count)]
    return [each for each in made if each is not None]
