"""The nearest rows that are not a query's own: how good rows are scored although the bank knows them.

A row that lies in the memory bank is at distance 0 from it. A threshold made of such scores lies far too low for new
data; so rows, and images, are scored against what others left in the bank.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.errors import TooFewRowsError

if TYPE_CHECKING:
    import numpy.typing as npt

    from patchcore_plugin.arrays import Distances, Embeddings, Rows
    from patchcore_plugin.contracts import NeighborIndex


@dataclass(frozen=True, eq=False)
class OtherRows:
    """An index without some of its rows, which keeps the numbers of the others."""

    index: NeighborIndex
    own: npt.NDArray[np.bool_]  # (M,): the rows to leave out

    def query(self, queries: Embeddings, k: int = 1) -> tuple[Distances, Rows]:
        """Find the k nearest rows to each of (Q, D) queries that are not left out.

        Raises: TooFewRowsError when fewer than k are left; what the index raises.
        Cost:   as for k and as many neighbors more as there are rows to leave out.
        """
        spare = int(np.count_nonzero(self.own))
        if k > len(self.own) - spare:
            raise TooFewRowsError(
                f"{k} neighbor(s) asked for, but only {len(self.own) - spare} of {len(self.own)} bank rows come from "
                "others (n_samples is too small, or the coreset is). Fit on more images, or keep more rows."
            )
        distances, rows = (as_numpy(found) for found in self.index.query(queries, k=k + spare))
        return first_of_others(distances, rows, self.own[rows], k)


def first_of_others(distances: Distances, rows: Rows, own: npt.NDArray[np.bool_], k: int) -> tuple[Distances, Rows]:
    """Keep the first k neighbors of each query that are not its own.

    Shapes: distances, rows, own (Q, k + s), at most s of a query its own -> distances, rows (Q, k).
    Order:  as it was; a query's own row need not stand first, where others are equal to it.
    """
    kept = np.argsort(own, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, kept, axis=1), np.take_along_axis(rows, kept, axis=1)
