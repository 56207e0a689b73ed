"""Made people: what each of them is, as a vector of named numbers drawn from a prior.

The prior is an assumption about people, not a measurement of them: ages and both sexes evenly,
all origins, and looks that hang together as they do in life (grey with years, stubble with sex,
skin, hair and iris with origin). Every number is continuous, and the mean of many vectors is a
person too, since a network that is unsure will name the mean.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from avtool.head.hairdo import Hairdo
from avtool.head.light import COLLARS, Appearance, Colour
from avtool.head.model import ORIGINS, load
from avtool.values import Array

LOCALS = load().locals
PLAIN = ("sex", "age", "weight", "muscle", *ORIGINS)
# 0 to 1 each, but `brows` (a width, about 1) and `parting` (-1 to 1, to the head's left).
LOOKS = (
    *("melanin", "redness", "freckles", "lines", "spots"),  # skin
    *("hair_melanin", "hair_red", "grey", "hair_length", "volume", "curl", "baldness", "tied"),
    *("parting", "brows", "stubble", "beard", "iris"),  # iris: 0 blue, 0.5 green, 1 dark brown
)
TRAITS: tuple[str, ...] = (*PLAIN, *LOCALS, *LOOKS)
INDEX = {name: k for k, name in enumerate(TRAITS)}

LOCAL_SPREAD = 0.3  # standard deviation of a local shape before it is clipped to -1 to 1
# How each follows the length of the vocal tract, as a correlation given sex and age. Assumed: that
# larger bodies have longer tracts is known (Fitch and Giedd 1999); how much of it a face shows,
# and where, is our guess.
TRACT = {
    "jaw_drop": 0.4,
    "chin_height": 0.35,
    "head_height": 0.35,
    "neck_width": 0.3,
    "nose_length": 0.3,
    "weight": 0.3,
    "muscle": 0.3,
}


def drawn(
    rng: np.random.Generator,
    count: int,
    *,
    sex: float | Array | None = None,
    age: float | Array | None = None,
    tract: float | Array | None = None,
) -> Array:
    """People from the prior, float32 [count, traits].

    What is given is held, one number for all or [count].

    Args:
        sex: 0 female, 1 male; by default either, evenly.
        age: years; by default 18 to 85 evenly, and one in ten a child from 8.
        tract: how long the vocal tract is for someone of that sex and age, in standard deviations;
            by default normal. It moves seven traits by the correlations of ``TRACT`` (assumed).

    >>> two = drawn(np.random.default_rng(1), 2, sex=1, age=40)
    >>> two.shape == (2, len(TRAITS)), two[:, :2].tolist()
    (True, [[1.0, 40.0], [1.0, 40.0]])
    """
    uniform = lambda low=0.0, high=1.0: rng.uniform(low, high, count)  # noqa: E731
    # All is drawn whether given or not, so that the rest of a seed's people stay the same.
    years = np.where(uniform() < 0.1, uniform(8, 18), uniform(18, 85))
    either, longer = (uniform() < 0.5).astype(float), rng.normal(size=count)
    man = np.broadcast_to(either if sex is None else np.asarray(sex, float), count)
    years = np.broadcast_to(years if age is None else np.asarray(age, float), count)
    longer = np.broadcast_to(longer if tract is None else np.asarray(tract, float), count)
    grown = _ramp(years, 13, 19)
    old = _ramp(years, 45, 85)

    def spread(name: str = "") -> Array:
        r = TRACT.get(name, 0.0)
        return np.asarray(r * longer + np.sqrt(1 - r * r) * rng.normal(size=count))

    made: dict[str, Array] = {"sex": man, "age": years}
    made["weight"] = 0.42 + 0.10 * grown + 0.08 * _ramp(years, 25, 55) + 0.15 * spread("weight")
    made["muscle"] = 0.45 + 0.12 * grown * man - 0.10 * old + 0.13 * spread("muscle")
    # Mostly of one origin, at times of two or three.
    mixed = rng.dirichlet((1.0, 1.0, 1.0), count)
    mostly = 0.08 * mixed + 0.92 * np.eye(3)[rng.integers(0, 3, count)]
    shares = np.where((uniform() < 0.25)[:, None], mixed, mostly)
    made |= dict(zip(ORIGINS, shares.T, strict=True))
    african, asian, caucasian = shares.T
    for name in LOCALS:
        made[name] = LOCAL_SPREAD * spread(name)
    for name in ("upper_lip", "lower_lip"):
        made[name] = made[name] - 0.25 * old

    of = lambda a, b, c: african * a + asian * b + caucasian * c  # noqa: E731
    melanin = of(0.76, 0.33, 0.14 + 0.36 * rng.beta(1.1, 2.0, count)) + 0.09 * spread()
    made["melanin"] = melanin
    fair = 1 - _ramp(melanin, 0.15, 0.45)
    red_haired = (uniform() < 0.07) * fair * caucasian
    made["redness"] = 0.35 + 0.15 * spread() + 0.15 * red_haired
    made["freckles"] = fair * np.maximum(0.35 * spread() - 0.1 + 0.6 * red_haired, 0)
    made["lines"] = _ramp(years, 26, 88) ** 1.15 * (1.0 - 0.25 * african) * (1 + 0.12 * spread())
    made["spots"] = _ramp(years, 45, 90) * (0.35 + 0.5 * fair) * (1 + 0.25 * spread())

    dark = of(0.95, 0.93, 0.50 + 0.35 * (1 - fair)) + of(0.03, 0.04, 0.2) * spread()
    dark += 0.10 * _ramp(years, 8, 22) - 0.10
    made["hair_melanin"] = np.where(red_haired > 0.4, 0.45, dark)
    made["hair_red"] = np.maximum(0.12 + 0.08 * spread(), red_haired * 0.9)
    onset = 46 + 7 * spread() + of(5, 4, 0)
    dyes = (uniform() < 0.35) * (1 - man) * _ramp(76 - years, 0, 6)
    made["grey"] = np.clip((years - onset) / 26, 0, 1) * (1 - 0.9 * dyes)
    short = 0.14 + 0.10 * np.abs(spread())
    flowing = np.clip(0.78 - 0.32 * old - 0.2 * african + 0.20 * spread(), 0.2, 1)
    made["hair_length"] = man * short + (1 - man) * flowing
    made["volume"] = 0.45 + 0.17 * spread() - 0.12 * old
    made["curl"] = of(0.93, 0.05, 0.22) + of(0.05, 0.05, 0.17) * spread()
    made["baldness"] = man * np.clip((years - 18) / 55, 0, 1) * rng.beta(1.1, 1.3, count)
    made["tied"] = (1 - man) * (uniform() < 0.25)
    made["parting"] = 0.45 * spread()
    made["brows"] = 0.85 + 0.25 * man * grown + 0.13 * spread()
    habit = uniform()
    made["stubble"] = man * grown * np.where(habit < 0.5, 0.12, 0.25 + 0.6 * uniform())
    made["beard"] = man * grown * (habit > 0.82) * uniform(0.5, 1.0)
    made["iris"] = of(0.95, 0.93, 0.45 + 0.45 * (1 - fair)) + of(0.04, 0.04, 0.3) * spread()

    people = np.column_stack([made[name] for name in TRAITS]).astype(np.float32)
    return believable(people)


def believable(traits: Array) -> Array:
    """The same within their ranges, float32 [..., traits]: what a network says may lie outside."""
    low, high = _limits()
    held = np.clip(np.asarray(traits, np.float32), low, high)
    origins = slice(INDEX[ORIGINS[0]], INDEX[ORIGINS[-1]] + 1)
    shares = held[..., origins] + 1e-6
    held[..., origins] = shares / shares.sum(-1, keepdims=True)
    return held


def _limits() -> tuple[Array, Array]:
    special = {"age": (8, 90), "brows": (0.4, 1.6), "parting": (-1, 1)}
    special |= {name: (-1, 1) for name in LOCALS}
    low, high = np.array([special.get(name, (0, 1)) for name in TRAITS], np.float32).T
    return low, high


def named(traits: Array) -> dict[str, float]:
    """One person's traits [traits] by name, each within its range."""
    return dict(zip(TRAITS, believable(traits).tolist(), strict=True))


def identity(traits: Array) -> dict[str, float]:
    """What ``Head.shape`` takes of a person [traits]."""
    who = named(traits)
    return {name: who[name] for name in (*PLAIN, *LOCALS)}


def look(traits: Array) -> Appearance:
    """What ``render`` takes of a person [traits]."""
    who = named(traits)
    skin = _skin(who)
    dark, light = np.array((0.42, 0.30, 0.29)), np.array((0.56, 0.25, 0.24))
    deep = who["melanin"] ** 0.7
    fair, brown = np.array((0.88, 0.53, 0.56)), np.array((0.92, 0.62, 0.68))
    lips = np.array(skin) * (fair * (1 - deep) + brown * deep)
    paint = 0.12 * (1 - who["sex"]) * (1 - who["lines"])
    lips = lips * (1 - paint) + paint * (light * (1 - deep) + dark * deep)
    shirt, collar = _worn(who)
    return Appearance(
        skin=skin,
        shirt=shirt,
        collar=collar,
        lips=_colour(lips * (1 - 0.06 * who["lines"]) + 0.06 * who["lines"] * np.array(skin)),
        hair=_hair(who),
        iris=_blend(who["iris"], IRISES),
        style=Hairdo(
            length=who["hair_length"],
            volume=who["volume"],
            curl=who["curl"],
            baldness=who["baldness"],
            parting=who["parting"],
            tied=who["tied"] > 0.5 and who["hair_length"] > 0.35,
        ),
        brows=who["brows"],
        lashes=1 - 0.4 * who["sex"],
        stubble=who["stubble"],
        beard=who["beard"],
        freckles=who["freckles"],
        lines=who["lines"],
        spots=who["spots"],
        grey=who["grey"],
    )


# Colours in linear light at evenly spaced values of a trait; blended as logarithms, as pigments do.
SKINS = (
    (0.68, 0.475, 0.385),
    (0.59, 0.365, 0.262),
    (0.44, 0.235, 0.15),
    (0.225, 0.108, 0.060),
    (0.085, 0.040, 0.024),
)
HAIRS = ((0.42, 0.28, 0.14), (0.20, 0.115, 0.055), (0.065, 0.036, 0.020), (0.012, 0.009, 0.008))
IRISES = ((0.13, 0.20, 0.27), (0.13, 0.16, 0.10), (0.13, 0.075, 0.030), (0.045, 0.022, 0.012))


SHIRTS = (
    *((0.030, 0.050, 0.110), (0.60, 0.59, 0.56), (0.055, 0.055, 0.060), (0.150, 0.022, 0.035)),
    *((0.030, 0.085, 0.055), (0.40, 0.23, 0.050), (0.28, 0.40, 0.54), (0.48, 0.27, 0.26)),
    *((0.54, 0.47, 0.36), (0.022, 0.120, 0.130), (0.28, 0.085, 0.040), (0.30, 0.26, 0.42)),
    *((0.20, 0.21, 0.22), (0.11, 0.16, 0.25)),
)


def _worn(who: Mapping[str, float]) -> tuple[Colour, str]:
    """Clothes: any, but the same for those who look almost the same."""
    rng = np.random.default_rng(41)
    ways = rng.normal(size=(len(SHIRTS) + len(COLLARS), len(LOCALS)))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    likes = ways @ np.array([who[name] for name in LOCALS])
    return SHIRTS[likes[: len(SHIRTS)].argmax()], COLLARS[likes[len(SHIRTS) :].argmax()]


def _blend(amount: float, colours: tuple[Colour, ...]) -> Colour:
    at = np.linspace(0, 1, len(colours))
    return _colour(np.exp([np.interp(amount, at, row) for row in np.log(colours).T]))


def _colour(values: Array) -> Colour:
    red, green, blue = (float(v) for v in values)
    return red, green, blue


def _skin(who: Mapping[str, float]) -> Colour:
    flush = (who["redness"] - 0.35) * (1 - 0.6 * who["melanin"])
    return _colour(
        np.array(_blend(who["melanin"], SKINS)) * (1 + 0.05 * flush, 1 - 0.25 * flush, 1)
    )


def _hair(who: Mapping[str, float]) -> Colour:
    own = np.array(_blend(who["hair_melanin"], HAIRS))
    return _colour(
        own * (1 + 0.5 * who["hair_red"], 1 - 0.1 * who["hair_red"], 1 - 0.6 * who["hair_red"])
    )


def _ramp(x: Array, low: float, high: float) -> Array:
    return np.clip((x - low) / (high - low), 0, 1)
