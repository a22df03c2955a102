"""How far a bound may be off before a row is left out: the law of ``lower_bound``, cut into a query's and a row's part.

A row may be left out of a query when it is farther away than T for certain. Two short vectors may be off by their
slacks, so the short distance must exceed T + slack(query) + slack(row); and its square, computed from a product, is off
by at most loss * 2 * (|query|^2 + |row|^2). With (a + b)^2 <= a^2 (1 + s) + b^2 (1 + 1/s) for any spread s > 0, this
falls apart into what a row can have taken off beforehand and what raises the limit of a query:

    half(row) - query * row  >  (reach(T) - |query|^2 (1 - 2 loss)) / 2   means: too far.

Everything is in units of the lower bound's ``scale``, and rounded to the safe side.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from patchcore_plugin.lower_bound import UNIT

LEAST_SPREAD, _LARGEST_SPREAD = 2.0**-10, 0.25
_TYPICAL = 0.3  # distance of a nearest row, in lengths of a centred row; as a guess it can cost time, never rows
LARGEST = np.float32(3e38)  # below the infinity that stands for "no row here", above every other number
_SAFE = 1 + 16 * UNIT  # a few roundings of the numbers below
_TINY = 1e-33  # more than a sum of products loses by underflow


class Scale(NamedTuple):
    """What turns squared distances of rows into limits."""

    scale: float  # of the lower bound
    loss: float
    spread: float


def loss(width: int) -> float:
    """Say which share of (|a|^2 + |b|^2) / 2 a float32 product of two vectors may be off by."""
    return 1.02 * (width + 9) * UNIT


def spread(squares: npt.NDArray[np.float64], slacks: npt.NDArray[Any]) -> float:
    """Choose a spread for rows of these squared lengths: any is right, slack / distance cuts the least off."""
    length = np.sqrt(np.median(squares))
    best = np.median(slacks) / (_TYPICAL * length) if length > 0 else 0.0
    return float(np.clip(best, LEAST_SPREAD, _LARGEST_SPREAD))


def row_parts(slacks: npt.NDArray[Any], spread: float) -> npt.NDArray[np.float32]:
    """Say what the slack of each row may take off a squared short distance."""
    squares = slacks.astype(np.float64) ** 2 * (1 + 1 / spread)
    return np.asarray(squares * _SAFE, dtype=np.float32)


def halves(
    squares: npt.NDArray[np.float64], slacks: npt.NDArray[Any], spread: float, width: int, room: int
) -> npt.NDArray[np.float32]:
    """Half the squared length of each vector less its part of the margin; infinity in places beyond the rows.

    Shapes: squares, slacks (M,), of vectors of ``width`` values -> (room,).
    """
    values = (squares * (1 - 2 * loss(width)) - row_parts(slacks, spread)) / 2
    rounded = np.full(room, np.inf, dtype=np.float32)
    rounded[: len(squares)] = values - np.abs(values) * (2 * UNIT)
    return rounded


@njit
def reach(square, width, scale, slack):  # type: ignore[no-untyped-def]
    """Squared short distance that no row exceeds whose computed square is at most ``square``, its own slack aside."""
    true = np.float64(square) * (1 + 2 * (width + 8) * UNIT) + width * 1e-44
    return (np.sqrt(true) * scale.scale + slack) ** 2 * (1 + scale.spread) * _SAFE + _TINY


@njit
def product_limit(reach, length, scale):  # type: ignore[no-untyped-def]
    """What ``half - product`` may be at most, for a query of squared length ``length``."""
    half = (reach - length * (1 - 2 * scale.loss)) / 2
    return np.float32(min(half + abs(half) * 16 * UNIT + _TINY, LARGEST))


@njit
def difference_limit(reach, width):  # type: ignore[no-untyped-def]
    """What a square summed over differences of short vectors, less the row's part, may be at most."""
    return np.float32(min(reach * (1 + 2 * (width + 8) * UNIT) * _SAFE, LARGEST))
