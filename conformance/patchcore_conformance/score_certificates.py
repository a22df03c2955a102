"""The judge of image scores: what Eq. 6 and 7 allow an image to score, recomputed in float64.

Where patches or rows are equally far, up to rounding, any of them may be taken: every choice is gone through, and a
score is right when it fits one of them. The rows around m* that are equally far from it may be chosen in any way too,
which leaves a range for each choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from patchcore_conformance.numerics import Doubles, Numerics, squares_between

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True)
class Choices:
    """What one image may score: one entry for each choice of patch and m*, all (C,).

    stars        the distance between the two, s*.
    lows, highs  the least and the largest score, over all ways to choose the rows around m*.
    slacks       how far rounding may move the score.
    star_slacks  how far rounding may move s*.
    """

    stars: Doubles
    lows: Doubles
    highs: Doubles
    slacks: Doubles
    star_slacks: Doubles

    def excess(self, score: float) -> tuple[float, float]:
        """Return how far a score is from the choice that fits it best, and how far it may be."""
        errors = np.maximum(np.maximum(self.lows - score, score - self.highs), 0)
        best = int(np.argmin(errors / np.maximum(self.slacks, 1e-300)))
        return float(errors[best]), float(self.slacks[best])

    @property
    def settled(self) -> bool:
        """True where all choices give one score."""
        return bool(self.highs.max() - self.lows.min() <= self.slacks.min())


def choices_of(patches: Doubles, bank: Doubles, neighbors: int, numerics: Numerics, share: float) -> Choices:
    """Go through all choices for one image: patches (P, D), bank (M, D); ``share`` of a score is always forgiven.

    Cost: O((P + C) M D).
    """
    measure, count = _Measure(bank, numerics), min(neighbors, len(bank))
    squares, slack = measure.of(np.unique(patches, axis=0))
    reach = (squares + slack).min(axis=1)
    first_of_equal = np.unique(bank, axis=0, return_index=True)[1]
    found = [
        _scored(squares[patch], slack[patch], row, measure, count, share)
        for patch in np.flatnonzero(reach >= (squares - slack).min(axis=1).max())
        for row in first_of_equal
        if squares[patch, row] - slack[patch, row] <= reach[patch]
    ]
    return Choices(*np.array(found, dtype=np.float64).T)


@dataclass(frozen=True)
class _Measure:
    """Squared distances to the rows of a bank, and how far rounding may move them."""

    bank: Doubles
    numerics: Numerics

    def of(self, points: Doubles) -> tuple[Doubles, Doubles]:
        centre = self.numerics.centre(self.bank)
        squares = squares_between(points, self.bank)
        ends = self.numerics.lengths(points, centre)[:, None] + self.numerics.lengths(self.bank, centre)
        return squares, self.numerics.slack(squares, ends, self.bank.shape[1])


def _scored(
    squares: Doubles, slack: Doubles, row: int, measure: _Measure, count: int, share: float
) -> tuple[float, float, float, float, float]:
    """Score one choice: squared distances (M,) from the patch, and the row that is m*."""
    distances, errors = np.sqrt(squares), _root_errors(squares, slack)
    star, error = float(distances[row]), float(errors[row])
    if count == 1:
        return star, star, star, share * star + error, error
    sure, free = _around(row, measure, count)
    with np.errstate(over="ignore"):
        terms = np.exp(distances - star)
        rest = np.sort(terms[free])
        open_places = count - int(sure.sum())
        least = terms[sure].sum() + rest[:open_places].sum()
        most = terms[sure].sum() + rest[len(rest) - open_places :].sum()
    known = sure | free
    moved = float(np.expm1(np.minimum(errors[known].max() + error, 5.0)))
    weight_error = min(1.0, (moved + share) / max(float(least), 1.0))
    return star, star * (1 - 1 / least), star * (1 - 1 / most), share * star + error + star * weight_error, error


def _around(row: int, measure: _Measure, count: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return which rows belong to N_b(m*) for sure, m* itself among them, and which others may."""
    squares, slack = (one[0] for one in measure.of(measure.bank[row : row + 1]))
    low, high = squares - slack, squares + slack
    sure = high < np.sort(low)[count] if count < len(low) else np.ones(len(low), dtype=bool)
    sure[row] = True
    if sure.sum() > count:  # m* is tied with others at the edge
        sure = np.arange(len(low)) == row
    free = (low <= np.sort(high)[count - 1]) & ~sure
    return sure, free


def _root_errors(squares: Doubles, slack: Doubles) -> Doubles:
    """Turn errors of squares into errors of distances."""
    roots = np.sqrt(squares)
    return np.asarray(np.maximum(roots - np.sqrt(np.maximum(squares - slack, 0)), np.sqrt(squares + slack) - roots))
