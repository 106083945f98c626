"""Spearman's rank correlation of the rows of two matrices; ties get their average rank."""

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]


def average_ranks(values: NDArray[np.floating]) -> _Floats:
    """Return the rank of each value in its row, from 0; equal values get the average of their ranks.

    Returns: float64, the shape of `values`, which is (rows, columns).

    >>> average_ranks(np.array([[0.3, 0.1, 0.3, 0.9]])).tolist()
    [[1.5, 0.0, 1.5, 3.0]]
    """
    order = np.argsort(values, axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=1)
    places = np.arange(values.shape[1])
    changes = ordered[:, 1:] != ordered[:, :-1]
    edge = np.ones((len(values), 1), np.bool_)
    first = np.maximum.accumulate(np.where(np.hstack([edge, changes]), places, 0), axis=1)
    closing = np.where(np.hstack([changes, edge]), places, places[-1:])
    last = np.minimum.accumulate(closing[:, ::-1], axis=1)[:, ::-1]
    ranks = np.empty(values.shape, np.float64)
    np.put_along_axis(ranks, order, (first + last) / 2, axis=1)
    return ranks


def spearman(a: NDArray[np.floating], b: NDArray[np.floating]) -> _Floats:
    """Return Spearman's rank correlation of each row of `a` with the same row of `b`, -1 to 1.

    It is Pearson's correlation of the average ranks.

    Returns: float64 (rows,); NaN (undefined) where either row is constant.

    >>> spearman(np.array([[1, 2, 3], [1, 2, 3], [1, 2, 3]]), np.array([[2, 4, 9], [9, 4, 2], [5, 5, 5]])).tolist()
    [1.0, -1.0, nan]
    """
    left, right = (ranks - ranks.mean(axis=1, keepdims=True) for ranks in (average_ranks(a), average_ranks(b)))
    scale = np.sqrt((left**2).sum(axis=1) * (right**2).sum(axis=1))
    agreement: _Floats = np.divide((left * right).sum(axis=1), scale, out=np.full(len(a), np.nan), where=scale > 0)
    return agreement
