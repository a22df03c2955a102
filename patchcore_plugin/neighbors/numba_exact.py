"""Exact search, compiled: what numpy-exact finds, up to rounding, in a small part of its time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.neighbors.owned_bank import own_bank
from patchcore_reference.checks import require_count, require_queries
from patchcore_reference.numba_kernels import alike, nearest_checked_rows, ready

if TYPE_CHECKING:
    from patchcore_plugin.arrays import Distances, Embeddings, Rows


@dataclass(frozen=True, kw_only=True)
class NumbaExact:
    """Every query against every bank row by differences, on all cores; equal distances by the lower row."""

    def build(self, bank: Embeddings) -> NumbaExactIndex:
        """Copy a bank (M, D), so that the caller may change or drop its own."""
        return NumbaExactIndex(bank=ready(own_bank(bank)))


@dataclass(frozen=True, kw_only=True, eq=False)
class NumbaExactIndex:
    """A bank of its own, checked and in the form that is computed with, ready to be asked."""

    bank: Embeddings

    def query(self, queries: Embeddings, k: int = 1) -> tuple[Distances, Rows]:
        """Find the k rows nearest to each of (Q, D) queries: distances and rows (Q, k), nearest first."""
        asked = as_numpy(queries, "queries")
        require_queries(asked, self.bank)
        require_count(k, len(self.bank), "k")
        return nearest_checked_rows(*alike(ready(asked), self.bank), k)
