"""How well a sound's place was found: consensus IoU, its success rate and AUC, pointing, AUROC.

Conventions: maps are [height, width], higher where the source is thought to be; boxes are [n, 4],
x0, y0, x1, y1 in pixels. The numbers are those of the published evaluation code (Senocak et al.,
"Learning to Localize Sound Source in Visual Scenes", CVPR 2018; Chen et al., "Localizing Visual
Sounds the Hard Way", CVPR 2021; Mo & Morgado, "Localizing Visual Sounds the Easy Way", ECCV 2022),
which scales maps and boxes to 224 x 224 pixels.

A map without any sound scores well where sources are large and in the middle: report the centre
box, or the map of another clip's sound, beside every score.
"""

from __future__ import annotations

import numpy as np

from avtool.errors import InputError
from avtool.values import Array


def truth_map(boxes: Array, height: int, width: int, agree: int = 2) -> Array:
    """What the annotators say together: min(boxes over a pixel / agree, 1).

    Flickr-SoundNet has three annotators, of whom two must agree; the boxes of a VGG-SS clip are
    one annotator's, agree=1. Corners are cut to whole pixels, as in the published code; what lies
    outside the picture does not count, and a box that is turned over is empty.

    Shape:
        boxes: [n, 4] in pixels -> float64 [height, width], 0 to 1.

    Raises:
        InputError: boxes of another shape or not finite, or agree under 1.

    >>> truth_map(np.array([[0, 0, 2, 1], [1, 0, 3, 1]]), 2, 4)
    array([[0.5, 1. , 0.5, 0. ],
           [0. , 0. , 0. , 0. ]])
    """
    boxes = _boxes(boxes)
    if agree < 1:
        raise InputError(f"at least one annotator must agree, not {agree}")
    count = np.zeros((height, width))
    corners = np.clip(boxes, 0, [width, height, width, height]).astype(int)
    for x0, y0, x1, y1 in corners:
        count[y0:y1, x0:x1] += 1
    return np.asarray(np.minimum(count / agree, 1))


def ciou(heat: Array, truth: Array, threshold: float | None = None) -> float:
    """Consensus IoU: sum(m g) / (sum(g) + sum(m [g = 0])) with m = heat >= threshold.

    Without a threshold it is the map's median, so that half of the picture is chosen. A flat map
    chooses all of it. Where the truth is empty the score is 0.

    Shape:
        heat, truth: [height, width]; truth in [0, 1].

    Raises:
        InputError: shapes differ, nan, a truth outside [0, 1], or nothing to compare: an empty
            truth and no pixel over the threshold.

    >>> heat = np.array([[4.0, 3.0], [2.0, 1.0]])  # its median chooses the upper row
    >>> ciou(heat, np.array([[1.0, 0.0], [0.0, 0.0]])), ciou(heat, np.array([[1.0, 0.5], [0, 0]]))
    (0.5, 1.0)
    >>> ciou(heat, np.array([[1.0, 0.0], [0.0, 0.0]]), threshold=3.5)
    1.0
    """
    heat, g = np.asarray(heat, np.float64), np.asarray(truth, np.float64)
    if heat.shape != g.shape or heat.ndim != 2 or not heat.size:
        raise InputError(
            f"a map of shape {heat.shape} and a truth of shape {g.shape} do not compare; "
            "give both the same height and width"
        )
    if np.isnan(heat).any() or not ((g >= 0) & (g <= 1)).all():
        raise InputError("a map holds nan, or a truth is not within 0 and 1")
    if threshold is None:
        threshold = float(np.sort(heat, axis=None)[heat.size // 2])  # the upper median
    chosen = heat >= threshold
    union = g.sum() + np.count_nonzero(chosen & (g == 0))
    if not union:
        raise InputError("no box and no pixel over the threshold: there is nothing to compare")
    return float(g[chosen].sum() / union)


def success(scores: Array, at: float = 0.5) -> float:
    """The share of cIoU scores [n] that are ``at`` or more.

    >>> success(np.array([0.2, 0.5, 0.7, 0.4]))
    0.5
    """
    return float(np.mean(_scores(scores) >= at))


def auc(scores: Array) -> float:
    """Area under the success rate over thresholds 0, 0.05, ... 1, by trapezoids.

    At most 1; a score of 0.5 alone gives 0.525, as its rate falls within a step.

    >>> round(auc(np.array([0.5])), 6), auc(np.array([1.0])), auc(np.array([0.0]))
    (0.525, 1.0, 0.025)
    """
    rates = np.array([success(scores, 0.05 * n) for n in range(21)])
    return float(0.05 * (rates.sum() - (rates[0] + rates[-1]) / 2))


def pointing(peak: tuple[float, float], boxes: Array) -> bool:
    """Whether the peak (x, y) lies in any box, its edges too; both in pixels.

    >>> pointing((3, 2), np.array([[0, 0, 1, 1], [2, 2, 4, 3]])), pointing((3, 2), np.zeros((0, 4)))
    (True, False)
    """
    x, y = peak
    x0, y0, x1, y1 = _boxes(boxes).T
    return bool(((x0 <= x) & (x <= x1) & (y0 <= y) & (y <= y1)).any())


def auroc(scores: Array, labels: Array) -> float:
    """How often a true one scores over a false one, ties counted half: the area under the ROC.

    Chance is 0.5. Equals Mann and Whitney's U / (true ones * false ones).

    Shape:
        scores: [n]; labels: [n], true or false.

    Raises:
        InputError: lengths differ, nan, or all labels are the same.

    >>> auroc(np.array([0.9, 0.4, 0.4, 0.1]), np.array([1, 1, 0, 0]))
    0.875
    """
    scores, labels = _scores(scores), np.asarray(labels).astype(bool)
    if scores.shape != labels.shape:
        raise InputError(f"{scores.size} scores and {labels.size} labels; give one label a score")
    yes, no = scores[labels], np.sort(scores[~labels])
    if not len(yes) or not len(no):
        raise InputError("all labels are the same; a ROC needs true ones and false ones")
    under = np.searchsorted(no, yes, "left") + np.searchsorted(no, yes, "right")
    return float(under.mean() / (2 * len(no)))


def _boxes(boxes: Array) -> Array:
    found = np.asarray(boxes, np.float64)
    if found.ndim != 2 or found.shape[1] != 4 or not np.isfinite(found).all():
        raise InputError(
            f"boxes of shape {found.shape} are not [n, 4] finite numbers x0, y0, x1, y1"
        )
    return found


def _scores(scores: Array) -> Array:
    found = np.asarray(scores, np.float64)
    if found.ndim != 1 or not found.size or np.isnan(found).any():
        raise InputError("scores are a row of one number or more, none of them nan")
    return found
