"""What an approximate search declares to find: measured on queries that it was not built from.

An index of all but some bank rows is asked for the nearest neighbour of each row left out, and of points off the rows
altogether, since defects lie there; the rows left out are added afterwards. Rows that the index holds would find their
neighbours too easily: in a graph they are already joined to them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from patchcore_plugin.arrays import Distances, Embeddings, Rows

_SHARE, _MOST = 8, 512  # one row of so many is left out, and at most so many: 0.4 % is then the spread of a 0.99
_SLACK = 1e-5  # of a distance: another row as near as that counts as the nearest


class LeftOut(NamedTuple):
    """Bank rows by number: those that an index is built from at first, and those it is tried on and gets later."""

    kept: Rows
    tried: Rows

    @classmethod
    def of(cls, total: int, seed: int) -> LeftOut:
        """Leave rows out at random; none of fewer than eight."""
        order = np.random.default_rng(seed).permutation(total)
        few = min(_MOST, total // _SHARE)
        return cls(np.sort(order[few:]), np.sort(order[:few]))

    def queries(self, bank: Embeddings, seed: int) -> Embeddings:
        """Return the rows left out and as many points off the rows: each plus the difference of two others.

        Shapes: bank (M, D) -> float32 or float64 (2S, D) for S rows left out.
        """
        random = np.random.default_rng(seed)
        one, other = random.permutation(self.tried), random.permutation(self.tried)
        rows = bank[self.tried].astype(np.float64)
        off = rows + bank[one].astype(np.float64) - bank[other].astype(np.float64)
        return np.concatenate([rows, off]).astype(bank.dtype)


class Declared(NamedTuple):
    """How hard an index is searched, and the share of nearest neighbours it then finds.

    ``recall`` is the smaller of two: of rows left out, and of points off the rows. ``queries`` of 0: nothing could be
    left out, so the index is searched as hard as it can be.
    """

    effort: int
    recall: float
    queries: int


def declare(find: Callable[[int], Distances], truth: Distances, least: int, most: int, wanted: float) -> Declared:
    """Raise the effort by half at a time until the wanted share is found, or the most effort is made.

    Args:   find: distances (2S,) to the neighbour that is found with an effort; infinite where none is.
            truth: distances (2S,) to the nearest neighbour.
    """
    if not len(truth):
        return Declared(most, 1.0, 0)
    effort = min(least, most)
    while (recall := _recall(find(effort), truth)) < wanted and effort < most:
        effort = min(most, max(effort + 1, effort * 3 // 2))
    return Declared(effort, recall, len(truth))


def _recall(found: Distances, truth: Distances) -> float:
    hits = found <= truth * (1 + _SLACK)
    return float(min(half.mean() for half in np.split(hits, 2)))
