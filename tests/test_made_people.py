"""Made people: within their ranges, held to what is given, tied to the tract as claimed."""

from __future__ import annotations

import numpy as np
import pytest

from avtool.head import model
from avtool.head import traits as people
from avtool.head.traits import INDEX, TRACT, TRAITS, drawn


def column(some: np.ndarray, name: str) -> np.ndarray:
    return some[:, INDEX[name]].astype(float)


@pytest.fixture(scope="module")
def many() -> np.ndarray:
    return drawn(np.random.default_rng(3), 4000)


def test_everyone_lies_within_the_ranges(many: np.ndarray) -> None:
    assert many.shape == (4000, len(TRAITS)) and many.dtype == np.float32
    assert len(set(TRAITS)) == len(TRAITS)
    assert np.isfinite(many).all()
    assert np.allclose(sum(column(many, name) for name in model.ORIGINS), 1, atol=1e-5)
    for name in TRAITS:
        low, high = (8, 90) if name == "age" else (-1, 2) if name == "brows" else (-1, 1)
        if name not in people.LOCALS and name != "parting":
            low = max(low, 0)
        values = column(many, name)
        assert values.min() >= low and values.max() <= high, name
        assert values.std() > 0.02, name
    for name in people.LOCALS:
        assert 0.25 < column(many, name).std() < 0.35, name


def test_all_kinds_are_there(many: np.ndarray) -> None:
    age, man = column(many, "age"), column(many, "sex") > 0.5
    assert 0.46 < man.mean() < 0.54
    assert 0.07 < (age < 18).mean() < 0.13 and age.min() < 9 and age.max() > 84
    for name in model.ORIGINS:
        assert 0.2 < (column(many, name) > 0.8).mean() < 0.4
    adult = age > 20
    assert column(many, "stubble")[adult & man].mean() > 0.15
    assert column(many, "stubble")[~man | (age < 13)].max() == 0
    assert column(many, "beard")[~man].max() == 0
    old, young = age > 70, age < 30
    assert column(many, "grey")[young].max() < 0.1 < 0.4 < column(many, "grey")[old].mean()
    assert column(many, "lines")[young].max() < 0.1 < 0.5 < column(many, "lines")[old].mean()
    assert column(many, "hair_length")[~man].mean() > column(many, "hair_length")[man].mean() + 0.3


def test_what_is_given_is_held_and_the_rest_is_not() -> None:
    ages = np.linspace(8, 85, 50)
    some = drawn(np.random.default_rng(1), 50, sex=0, age=ages)
    assert np.array_equal(column(some, "age"), ages.astype(np.float32))
    assert not column(some, "sex").any() and column(some, "nose_length").std() > 0.1
    other = drawn(np.random.default_rng(1), 50, sex=0, age=ages)
    assert np.array_equal(some, other)
    assert not np.array_equal(some, drawn(np.random.default_rng(2), 50, sex=0, age=ages))


def test_a_tract_moves_what_it_claims_and_nothing_else() -> None:
    tract = np.random.default_rng(8).normal(size=6000)
    some = drawn(np.random.default_rng(9), 6000, sex=1, age=35, tract=tract)
    for name in (*people.LOCALS, "weight", "muscle"):
        r = np.corrcoef(tract, column(some, name))[0, 1]
        assert abs(r - TRACT.get(name, 0)) < 0.05, name
    # A control: with the tracts of others nothing is tied.
    r = np.corrcoef(np.roll(tract, 1), column(some, "jaw_drop"))[0, 1]
    assert abs(r) < 0.05


def test_longer_tracts_have_longer_faces() -> None:
    head = model.load()
    lips = head.paint[:, head.paints.index("lips")] > 0.5
    short, long = (
        drawn(np.random.default_rng(4), 300, sex=1, age=35, tract=t).mean(0) for t in (-2, 2)
    )
    chins = []
    for one in (short, long):
        shape = head.shape(people.identity(one))
        middle = (np.abs(shape[:, 0]) < 0.004) & (shape[:, 2] > -0.01)
        chins.append(shape[lips, 1].mean() - shape[middle & (head.mean[:, 1] > -0.125), 1].min())
    assert chins[1] > chins[0] + 0.001


def test_anything_a_network_says_becomes_someone() -> None:
    wild = np.random.default_rng(5).normal(0, 30, (20, len(TRAITS)))
    for one in wild:
        who = people.named(one)
        assert 8 <= who["age"] <= 90 and abs(sum(who[name] for name in model.ORIGINS) - 1) < 1e-5
        look = people.look(one)
        assert all(0 < c < 1 for c in (*look.skin, *look.lips, *look.hair, *look.iris))
    assert set(people.identity(wild[0])) <= set(model.load().parameters)
