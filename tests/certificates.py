"""The judge of coresets and neighbours: recomputes everything in float64 along the subject's own choices.

Row numbers are never compared with another implementation's: where distances are equal up to rounding, several answers
are right. ``unit`` is the unit roundoff of the arithmetic under test; 0 asks for exactness, as on small whole numbers.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

FLOAT32, FLOAT64, EXACT = 2.0**-24, 2.0**-53, 0.0
_ROOT = 4 * FLOAT64  # what taking a root and squaring it again may cost


class Rejected(AssertionError):  # noqa: N818 - a verdict, not an error
    """The answer under test is wrong."""


def require_farthest_first(points, rows, *, unit):
    """Each row must be as far from the rows before it as any row is, within the rounding of sums of D squares."""
    points, rows = np.asarray(points, dtype=np.float64), np.asarray(rows)
    _require_distinct_rows(rows, len(points))
    slack = _slack(points.shape[1], unit)
    squares = np.full(len(points), np.inf)
    for step, (chosen, following) in enumerate(pairwise(rows), start=1):
        np.minimum(squares, _squares(points, points[chosen]), out=squares)
        if squares[following] < squares.max() * (1 - slack) / (1 + slack):
            raise Rejected(f"choice {step} lies at {squares[following]}, but a row lies at {squares.max()} (squared)")


def require_anchored(points, rows, anchors, *, unit):
    """Each row must have the largest of min(mean distance to the anchors, distance to the rows before it)."""
    points, rows = np.asarray(points, dtype=np.float64), np.asarray(rows)
    _require_distinct_rows(rows, len(points))
    slack = _slack(points.shape[1], unit) + _ROOT
    squares = np.mean([np.sqrt(_squares(points, points[anchor])) for anchor in anchors], axis=0) ** 2
    for step, chosen in enumerate(rows):
        if squares[chosen] < squares.max() * (1 - slack) / (1 + slack):
            raise Rejected(f"choice {step} counts {squares[chosen]}, but a row counts {squares.max()} (squared)")
        np.minimum(squares, _squares(points, points[chosen]), out=squares)


def require_nearest(queries, bank, distances, rows, k, *, unit):
    """Distances must belong to their rows, and the j-th must be the j-th smallest, each within rounding."""
    queries, bank = np.asarray(queries, dtype=np.float64), np.asarray(bank, dtype=np.float64)
    if distances.shape != (len(queries), k) or rows.shape != (len(queries), k):
        raise Rejected(f"shapes {distances.shape} and {rows.shape}, but {(len(queries), k)} was asked for")
    slack = _slack(bank.shape[1], unit) + _ROOT
    for query, measured, found in zip(queries, np.asarray(distances, dtype=np.float64) ** 2, rows, strict=True):
        _require_row_numbers(found, len(bank))
        if len(set(found.tolist())) != k:
            raise Rejected("a row was returned twice")
        if (np.diff(measured) < 0).any():
            raise Rejected("not sorted, nearest first")
        truth = _squares(bank, query)
        if (np.abs(measured - truth[found]) > slack * truth[found]).any():
            raise Rejected("a distance does not belong to its row")
        smallest = np.sort(truth)[:k]
        if (np.abs(measured - smallest) > slack * smallest).any():
            raise Rejected("a nearer row was missed")


def cover_radius(points, rows):
    """Distance from the farthest point to its nearest chosen row."""
    points = np.asarray(points, dtype=np.float64)
    return float(np.sqrt(np.min([_squares(points, points[row]) for row in rows], axis=0).max()))


def _require_distinct_rows(rows, total):
    _require_row_numbers(rows, total)
    if len(set(rows.tolist())) != len(rows):
        raise Rejected("a row was chosen twice")


def _slack(width, unit):
    return (width + 6) * unit


def _squares(rows, point):
    return ((rows - point) ** 2).sum(axis=1)


def _require_row_numbers(rows, total):
    if rows.dtype != np.int64:
        raise Rejected(f"row numbers are {rows.dtype}, not int64")
    if (rows < 0).any() or (rows >= total).any():
        raise Rejected(f"a row number lies outside 0..{total - 1}")
