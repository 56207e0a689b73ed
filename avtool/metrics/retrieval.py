"""How often the right one is found among others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from avtool.values import Array


def retrieval(near: Array, at: Sequence[int] = (1, 5, 10)) -> list[float]:
    """How often the right one is among the nearest, for each of ``at`` (R@k).

    Shape:
        near: [queries, gallery], how alike; the right one of a query has the query's number.

    >>> retrieval(np.array([[3.0, 1.0, 2.0], [2.0, 1.0, 0.0], [0.0, 1.0, 2.0]]), (1, 2))
    [0.6666666666666666, 1.0]
    """
    right = near[np.arange(len(near)), np.arange(len(near))]
    # Among those that are as near the place is any, so that one answer for all is chance.
    before, alike = (near > right[:, None]).sum(1), (near == right[:, None]).sum(1)
    return [float(np.clip((k - before) / alike, 0, 1).mean()) for k in at]


def retrieval_of_many(near: Array, owner: Array, at: Sequence[int] = (1, 5, 10)) -> list[float]:
    """R@k where several queries belong to one of the gallery: how often it is among the nearest of
    each query, for each of ``at``, and then how often one of its queries is among its own nearest.

    Shape:
        near: [queries, gallery], how alike; owner: int [queries], to which each belongs
    """
    own = near[np.arange(len(owner)), owner]
    before = (near > own[:, None]).sum(1)
    best = np.full(near.shape[1], -np.inf)
    np.maximum.at(best, owner, own)
    ahead = (near > best).sum(0)
    return [float((each < k).mean()) for each in (before, ahead) for k in at]
