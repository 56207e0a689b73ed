"""Localization metrics against hand-computed cases, a second implementation, and controls."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from avtool.errors import InputError
from avtool.metrics.localization import auc, auroc, ciou, pointing, success, truth_map


def slow_ciou(heat: np.ndarray, truth: np.ndarray, threshold: float) -> float:
    """Pixel by pixel, as the formula reads."""
    both = whole = 0.0
    for row in range(heat.shape[0]):
        for column in range(heat.shape[1]):
            m = 1.0 if heat[row, column] >= threshold else 0.0
            g = truth[row, column]
            both += m * g
            whole += g + (m if g == 0 else 0)
    return both / whole


def slow_truth(boxes: np.ndarray, height: int, width: int, agree: int) -> np.ndarray:
    found = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            over = sum(
                int(max(x0, 0)) <= column < int(x1) and int(max(y0, 0)) <= row < int(y1)
                for x0, y0, x1, y1 in boxes
            )
            found[row, column] = min(over / agree, 1)
    return found


def random_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    """Some reach over the edges of 20 x 30 pixels, some are turned over."""
    return rng.uniform(-5, 35, (count, 4))


@pytest.mark.parametrize("agree", [1, 2, 3])
def test_truth_map_is_the_slow_one(agree: int) -> None:
    rng = np.random.default_rng(1)
    levels = set()
    for count in (0, 1, 7, 100):
        boxes = random_boxes(rng, count)
        found = truth_map(boxes, 20, 30, agree)
        np.testing.assert_array_equal(found, slow_truth(boxes, 20, 30, agree))
        np.testing.assert_array_equal(found, truth_map(boxes[::-1], 20, 30, agree))
        levels |= set(found.ravel())
    assert levels == {n / agree for n in range(agree + 1)}  # the cases have them all


def test_ciou_by_hand() -> None:
    heat = np.arange(12.0).reshape(3, 4)  # the median chooses 6 to 11
    truth = np.zeros((3, 4))
    truth[1:, 3] = 1  # 7 and 11: both chosen; 4 chosen pixels lie outside
    assert ciou(heat, truth) == pytest.approx(2 / (2 + 4))
    truth[0, 0] = 0.5  # missed, with half a weight
    assert ciou(heat, truth) == pytest.approx(2 / (2.5 + 4))
    assert ciou(heat, truth, threshold=11) == pytest.approx(1 / 2.5)
    assert ciou(heat, truth, threshold=12) == 0
    assert ciou(heat, np.zeros((3, 4))) == 0  # an empty truth, as published


def test_ciou_is_the_slow_one() -> None:
    rng = np.random.default_rng(2)
    for size in ((20, 30), (7, 9)):  # an even and an odd number of pixels
        heat = rng.standard_normal(size)
        truth = truth_map(random_boxes(rng, 5), *size, agree=2)
        middle = sorted(heat.ravel())[heat.size // 2]
        assert ciou(heat, truth) == pytest.approx(slow_ciou(heat, truth, middle))
        for threshold in (-1.0, 0.0, 0.7):
            found = ciou(heat, truth, threshold)
            assert found == pytest.approx(slow_ciou(heat, truth, threshold))


def test_the_median_asks_for_the_order_alone() -> None:
    rng = np.random.default_rng(3)
    heat = rng.standard_normal((24, 24))
    truth = truth_map(np.array([[3, 4, 15, 17]]), 24, 24, agree=1)
    score = ciou(heat, truth)
    for same in (3 * heat - 7, np.exp(heat), heat.argsort(axis=None).argsort().reshape(24, 24)):
        assert ciou(same, truth) == pytest.approx(score)
    assert ciou(heat[:, ::-1], truth[:, ::-1]) == pytest.approx(score)
    assert ciou(heat.T, truth.T) == pytest.approx(score)
    # The controls: the other way up, and a threshold, which does depend on the scale.
    assert ciou(-heat, truth) != pytest.approx(score)
    assert ciou(3 * heat - 7, truth, 0.5) != pytest.approx(ciou(heat, truth, 0.5))


def test_the_right_place_beats_the_wrong_and_the_flat() -> None:
    y, x = np.mgrid[:32, :32]
    boxes = np.array([[2, 2, 18, 30]])
    truth = truth_map(boxes, 32, 32, agree=1)
    right, wrong = -((x - 10) ** 2 + (y - 16) ** 2), -((x - 30) ** 2 + (y - 16) ** 2)
    flat = np.zeros((32, 32))
    assert ciou(right, truth) > 0.6 > 2 * ciou(wrong, truth)
    assert ciou(flat, truth) == pytest.approx(truth.mean())  # it chooses the whole picture
    scores = [ciou(heat, truth) for heat in (right, wrong, flat)]
    assert success(np.array(scores)) == pytest.approx(1 / 3)


def test_success_and_auc_by_hand() -> None:
    # 0.3 lies on a threshold and counts from there down: 0, 0.05, ... 0.3 are 7 of 21.
    scores = np.array([0.3 + 1e-9, 0.82])
    assert success(scores) == 0.5 and success(scores, 0.3) == 1 and success(scores, 0.83) == 0
    rates = [1.0] * 7 + [0.5] * 10 + [0.0] * 4
    assert auc(scores) == pytest.approx(sklearn_metrics.auc(np.linspace(0, 1, 21), rates))
    assert auc(scores) == pytest.approx(0.05 * (6 + 0.75 + 9 * 0.5 + 0.25))
    assert success(np.array([0.5])) == 1  # the threshold itself is a success


def test_auc_nears_the_mean() -> None:
    scores = np.random.default_rng(4).uniform(0, 1, 5000)
    assert auc(scores) == pytest.approx(scores.mean(), abs=0.002)
    assert auc(scores**2) < auc(scores) - 0.1  # worse scores, a smaller area


def test_pointing() -> None:
    boxes = np.array([[10, 20, 30, 40], [50, 5, 60, 15]])
    inside = [(10, 20), (30, 40), (20, 30), (55, 10)]
    outside = [(9, 30), (31, 30), (20, 19), (20, 41), (55, 30), (20, 10)]
    assert all(pointing(peak, boxes) for peak in inside)
    assert not any(pointing(peak, boxes) for peak in outside)
    assert pointing((55, 10), boxes[::-1]) and not pointing((55, 10), boxes[:1])


def test_auroc_is_the_count_of_pairs() -> None:
    rng = np.random.default_rng(5)
    for levels in (3, 1000):  # with many ties, and with few
        scores, labels = rng.integers(0, levels, 60), rng.random(60) < 0.3
        pairs = [
            1.0 if yes > no else 0.5 if yes == no else 0.0
            for yes in scores[labels]
            for no in scores[~labels]
        ]
        assert auroc(scores, labels) == pytest.approx(np.mean(pairs))
        theirs = sklearn_metrics.roc_auc_score(labels, scores)
        assert auroc(scores, labels) == pytest.approx(theirs)
        assert auroc(-scores, labels) == pytest.approx(1 - theirs)
        assert auroc(scores, ~labels) == pytest.approx(1 - theirs)
        assert auroc(np.exp(scores / levels), labels) == pytest.approx(theirs)
    assert auroc(np.zeros(9), np.arange(9) < 2) == 0.5  # flat: chance
    assert auroc(np.arange(9), np.arange(9) > 4) == 1


def test_what_cannot_be_scored_is_refused() -> None:
    heat, truth = np.zeros((4, 4)), np.ones((4, 4))
    for bad in (heat[:3], heat[0], heat[:0, :0]):
        with pytest.raises(InputError, match="do not compare"):
            ciou(bad, truth)
    for bad_heat, bad_truth in ((heat * np.nan, truth), (heat, 2 * truth), (heat, truth * np.nan)):
        with pytest.raises(InputError, match="within 0 and 1"):
            ciou(bad_heat, bad_truth)
    with pytest.raises(InputError, match="nothing to compare"):
        ciou(heat, 0 * truth, threshold=1)
    for boxes in (np.zeros(4), np.zeros((1, 5)), np.full((1, 4), np.nan)):
        with pytest.raises(InputError, match="x0, y0, x1, y1"):
            truth_map(boxes, 4, 4)
        with pytest.raises(InputError, match="x0, y0, x1, y1"):
            pointing((0, 0), boxes)
    with pytest.raises(InputError, match="at least one annotator"):
        truth_map(np.zeros((1, 4)), 4, 4, agree=0)
    for scores in (np.zeros(0), np.array([np.nan]), np.zeros((2, 2))):
        for metric in (success, auc):
            with pytest.raises(InputError, match="scores are"):
                metric(scores)
    with pytest.raises(InputError, match="one label a score"):
        auroc(np.zeros(3), np.zeros(2))
    for labels in (np.zeros(3), np.ones(3)):
        with pytest.raises(InputError, match="all labels are the same"):
            auroc(np.zeros(3), labels)
