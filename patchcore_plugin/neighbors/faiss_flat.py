"""Exact search by faiss: its matrix products propose, differences decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.neighbors.numba_best_rows import Best, distances_of
from patchcore_plugin.neighbors.owned_bank import own_bank
from patchcore_plugin.neighbors.placing import Placing
from patchcore_reference.checks import require_count, require_queries
from patchcore_reference.numba_kernels import alike, nearest_checked_rows, ready

if TYPE_CHECKING:
    import numpy.typing as npt

    from patchcore_plugin.arrays import Distances, Embeddings, Rows

_SPARE = (15, 240)  # rows looked at beside the k nearest: at first, and where these do not settle which are nearest
_ROUNDING = 2.0**-24


@dataclass(frozen=True, kw_only=True)
class FaissFlat:
    """What numpy-exact finds, up to rounding; equal distances by the lower row.

    faiss measures by |q|^2 - 2 q.b + |b|^2, which loses digits, and answers squares. So it is asked for some rows more
    than k, which are measured again by differences; a bound on what the products can have lost then shows that no other
    row can be nearer. A query for which it does not, as among many equal rows or far from all, is measured against
    every row.
    """

    def build(self, bank: Embeddings) -> FaissFlatIndex:
        """Copy a bank (M, D), so that the caller may change or drop its own.

        Cost: O(M*D) time; M*D values of float32 beside the copy, which is where faiss looks.
        """
        rows = ready(own_bank(bank))
        placing = Placing.of(rows)
        placed = placing.place(rows)
        index = faiss.IndexFlatL2(rows.shape[1])
        index.add(placed)
        return FaissFlatIndex(bank=rows, placing=placing, index=index, reach=_longest(placed))


@dataclass(frozen=True, kw_only=True, eq=False)
class FaissFlatIndex:
    """A bank of its own, and faiss's copy of it, ready to be asked."""

    bank: Embeddings
    placing: Placing
    index: Any  # faiss.IndexFlatL2 of the placed rows
    reach: float  # length of the longest placed row

    def query(self, queries: Embeddings, k: int = 1) -> tuple[Distances, Rows]:
        """Find the k rows nearest to each of (Q, D) queries: distances and rows (Q, k), nearest first.

        Cost: O(Q*M*D) time, in faiss's products; O(Q*k) memory, and a float32 copy of the queries.
        """
        asked = as_numpy(queries, "queries")
        require_queries(asked, self.bank)
        require_count(k, len(self.bank), "k")
        rows, bank = alike(ready(asked), self.bank)
        distances, found = np.empty((len(rows), k)), np.empty((len(rows), k), dtype=np.int64)
        left = np.arange(len(rows))
        for spare in _SPARE:
            if len(left):
                near, numbers, settled = self._propose(_taken(rows, left), bank, k, min(len(bank), k + spare))
                distances[left], found[left] = near, numbers
                left = left[~settled]
        if len(left):
            distances[left], found[left] = nearest_checked_rows(_taken(rows, left), bank, k)
        return distances, found

    def _propose(
        self, queries: Embeddings, bank: Embeddings, k: int, looked_at: int
    ) -> tuple[Distances, Rows, npt.NDArray[np.bool_]]:
        """Measure the rows that faiss holds for nearest; say for which queries no other row can be nearer."""
        placed = self.placing.place(queries)
        squares, rows = self.index.search(placed, looked_at)
        if (rows < 0).any():  # faiss was given what it could not compare
            return np.empty((len(rows), k)), rows[:, :k], np.zeros(len(rows), dtype=np.bool_)
        distances = distances_of(queries, bank, Best(None, rows))
        lost = (placed.shape[1] + 12) * _ROUNDING * (_lengths(placed) + self.reach) ** 2
        nearer = (distances[:, k - 1] * self.placing.factor) ** 2 < squares[:, -1].astype(np.float64) - lost
        return distances[:, :k], rows[:, :k], nearer | (looked_at == len(bank))


def _taken(rows: Embeddings, numbers: Rows) -> Embeddings:
    part = rows if len(numbers) == len(rows) else rows[numbers]
    part.flags.writeable = False  # one compiled version serves both
    return part


def _lengths(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    lengths: npt.NDArray[np.float64] = np.sqrt(np.einsum("nd,nd->n", rows, rows, dtype=np.float64))
    return lengths


def _longest(rows: npt.NDArray[np.float32]) -> float:
    return float(_lengths(rows).max())
