"""Exact search in plain NumPy: the search that says what the others must find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.neighbors.owned_bank import own_bank
from patchcore_reference.neighbors import nearest_rows

if TYPE_CHECKING:
    from patchcore_plugin.arrays import Distances, Embeddings, Rows


@dataclass(frozen=True, kw_only=True)
class NumpyExact:
    """Every query against every bank row, in float64; equal distances by the lower row."""

    def build(self, bank: Embeddings) -> NumpyExactIndex:
        """Copy a bank (M, D), so that the caller may change or drop its own."""
        return NumpyExactIndex(bank=own_bank(bank))


@dataclass(frozen=True, kw_only=True, eq=False)
class NumpyExactIndex:
    """A bank of its own, ready to be asked."""

    bank: Embeddings

    def query(self, queries: Embeddings, k: int = 1) -> tuple[Distances, Rows]:
        """Find the k rows nearest to each of (Q, D) queries: distances and rows (Q, k), nearest first."""
        return nearest_rows(as_numpy(queries, "queries"), self.bank, k)
