"""Answers from what other commands found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from avtool.pipelines.ask.facts import Fact
from avtool.pipelines.ask.values import CANNOT, Heard, Known, Person

SOON = 0.3  # seconds: who begins so soon after the first begins at about the same time
EVEN = 0.9  # of the most: who speaks so much speaks about as much
TOLD = 6  # sounds, or times, in an answer
SPEECH = "Speech"


class Told(NamedTuple):
    """An answer; see ``values.Reply``."""

    answer: str
    source: str
    why: str
    sure: float | None = None
    shown: Sequence[Person] = ()


def answered(fact: Fact, known: Known) -> Told:
    """What is asked for, of what is known."""
    if fact.kind == "length":
        return _length(known)
    if fact.kind in ("heard", "sound"):
        return _sounds(fact, known)
    if fact.kind == "speaking" and known.people is None:
        return _speech(known)
    if known.people is None:
        return Told(CANNOT, "", "it has no pictures, so nobody is seen in it")
    return PEOPLE[fact.kind](known, known.people)


def _length(known: Known) -> Told:
    if known.seconds is None:
        return Told(CANNOT, "", "a picture has no length, or the file does not say its own")
    minutes, seconds = divmod(known.seconds, 60)
    text = f"{known.seconds:.2f} seconds"
    if minutes:
        text = f"{minutes:.0f} min {seconds:.0f} s"
    return Told(text, "info", "as avtool info reads the file")


def _count(known: Known, people: Sequence[Person]) -> Told:
    if not people:  # not 0: backs and far figures have no face
        return Told(CANNOT, "", "avtool faces finds no face; who turns away or is far off has none")
    why = "faces that avtool faces finds; who turns away or is far off is not counted"
    return Told(str(len(people)), "faces", why, shown=people)


def _anybody(known: Known, people: Sequence[Person]) -> Told:
    if not people:
        return Told("no face is seen", "faces", "avtool faces finds none; who turns away has none")
    faces = "a face" if len(people) == 1 else f"{len(people)} faces"
    return Told("yes", "faces", f"avtool faces finds {faces}", shown=people)


def _speakers(known: Known, people: Sequence[Person]) -> Told:
    if why := _mute(known, people):
        return Told(CANNOT, "", why)
    speak = [each for each in people if each.speaking]
    why = "faces that speak, as avtool faces finds by their lips; others may be heard"
    return Told(str(len(speak)), "faces", why, shown=speak)


def _first(known: Known, people: Sequence[Person]) -> Told:
    if why := _mute(known, people):
        return Told(CANNOT, "", why)
    begins = {each.face: min(each.speaking)[0] for each in people if each.speaking}
    if not begins:
        return Told("nobody who is seen", "faces", "avtool faces finds no face that speaks")
    first = min(begins.values())
    named = [each for each in people if begins.get(each.face, first + 1) <= first + SOON]
    times = ", ".join(f"face {face} from {at:.1f} s on" for face, at in [*begins.items()][:TOLD])
    who = " and ".join(_called(each, known) for each in named)
    also = ", at about the same time" if len(named) > 1 else ""
    return Told(who + also, "faces", f"{times}, as avtool faces finds by the lips", shown=named)


def _most(known: Known, people: Sequence[Person]) -> Told:
    if why := _mute(known, people):
        return Told(CANNOT, "", why)
    most = max((each.spoken for each in people), default=0.0)
    if not most:
        return Told("nobody who is seen", "faces", "avtool faces finds no face that speaks")
    named = [each for each in people if each.spoken >= EVEN * most]
    times = ", ".join(f"face {each.face} {each.spoken:.1f} s" for each in people[:TOLD])
    who = " and ".join(_called(each, known) for each in named)
    also = ", about as much" if len(named) > 1 else ""
    return Told(who + also, "faces", f"{times}, as avtool faces finds by the lips", shown=named)


def _anybody_speaks(known: Known, people: Sequence[Person]) -> Told:
    speak = [each for each in people if each.speaking]
    if not speak:
        return _speech(known)
    spans = _times(sorted(chain.from_iterable(each.speaking for each in speak)))
    who = " and ".join(_called(each, known) for each in speak)
    return Told("yes", "faces", f"{who}: {spans}, as avtool faces finds by the lips", shown=speak)


PEOPLE: Mapping[str, Callable[[Known, Sequence[Person]], Told]] = {
    "people": _count,
    "anybody": _anybody,
    "speakers": _speakers,
    "first": _first,
    "most": _most,
    "speaking": _anybody_speaks,
}


def _mute(known: Known, people: Sequence[Person]) -> str:
    """Why nobody can be said to speak; empty where somebody can."""
    if not known.sound:
        return "it has no sound, so nobody is heard"
    return "" if people else "avtool faces finds no face, so who speaks is not seen"


def _called(person: Person, known: Known) -> str:
    """Face 1, on the left: by thirds of the picture."""
    if known.size is None:
        return f"face {person.face}"
    middle = (person.box[0] + person.box[2]) / 2 / known.size[0]
    where = (
        "on the left" if middle < 1 / 3 else "on the right" if middle > 2 / 3 else "in the middle"
    )
    return f"face {person.face}, {where}"


def _speech(known: Known) -> Told:
    """Whether any voice is heard, seen or not."""
    return _sounds(Fact("sound", SPEECH), known)


def _sounds(fact: Fact, known: Known) -> Told:
    if known.heard is None:
        return Told(CANNOT, "", "it has no sound, and by its pictures this is not known")
    if fact.kind == "heard":
        if not known.heard:
            return Told("nothing that is certain", "sounds", "avtool sounds tells no kind of sound")
        best: dict[str, float] = {}
        for each in known.heard:
            best[each.kind] = max(best.get(each.kind, 0.0), each.confidence)
        names = [_short(kind) for kind in sorted(best, key=lambda kind: -best[kind])]
        why = "as avtool sounds hears, the likeliest first"
        return Told(", ".join(names[:TOLD]), "sounds", why)
    mine = [each for each in known.heard if each.kind == fact.what]
    name = _short(fact.what)
    if not mine:
        return Told("none is heard", "sounds", f"avtool sounds does not hear '{name}'; by ear only")
    spans = _times([(each.start, each.end) for each in mine])
    why = f"'{name}' at {spans}, as avtool sounds hears; by ear only"
    return Told("yes", "sounds", why, max(each.confidence for each in mine))


def heard_of(found: Sequence[Mapping[str, object]]) -> list[Heard]:
    """The sounds of the json of `avtool sounds`."""
    return [
        Heard(str(each["kind"]), *(float(str(each[n])) for n in ("start", "end", "confidence")))
        for each in found
    ]


def _short(kind: str) -> str:
    return kind.split(",")[0].lower()


def _times(spans: Sequence[tuple[float, float]]) -> str:
    told = [f"{start:.1f} to {end:.1f} s" for start, end in spans[:TOLD]]
    return ", ".join([*told, *(["and later"] if len(spans) > TOLD else [])])
