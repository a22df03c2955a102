"""Exact search that leaves most pairs unmeasured: short vectors prove that they are too far apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.neighbors.numba_best_rows import Best, distances_of, nothing_yet
from patchcore_plugin.neighbors.numba_product_search import search_products
from patchcore_plugin.neighbors.numba_pruned_scan import Budget, scan
from patchcore_plugin.neighbors.owned_bank import own_bank
from patchcore_plugin.neighbors.short_bank import shorten_bank
from patchcore_plugin.neighbors.short_queries import GROUP, shorten_queries
from patchcore_reference.checks import require_count, require_queries
from patchcore_reference.numba_kernels import alike, nearest_checked_rows, ready

if TYPE_CHECKING:
    from patchcore_plugin.arrays import Distances, Embeddings, Rows
    from patchcore_plugin.neighbors.short_bank import ShortBank

_LEAST_WIDTH, _LEAST_ROWS = 48, 256  # below, measuring all pairs takes no longer
_ROWS_PER_NEIGHBOR = 128  # with fewer rows for each of k, too few could be left out
_QUERIES = 4096  # at a time: what is learnt about pruning is learnt anew for these
_PROBE = 4 * GROUP  # queries that show whether pruning pays
_FEW = 2 * GROUP  # queries left over for which a pass over the whole bank does not pay
_UNLIMITED = Budget(2.0, 2.0)


@dataclass(frozen=True, kw_only=True)
class PrunedExact:
    """What numpy-exact finds, up to rounding, at a small part of its cost; equal distances by the lower row.

    Features of images lie close to few directions, so a distance along these directions alone shows most pairs to be
    too far apart. Where that is not so, as with random numbers, it costs what plain matrix products cost. Small banks,
    narrow rows and float64 are measured pair by pair.
    """

    def build(self, bank: Embeddings) -> PrunedExactIndex:
        """Copy a bank (M, D), so that the caller may change or drop its own, and find its directions.

        Cost: O(M*D*192 + D^3) time; 192 + 48 values for each row (64 + 24 where D < 512) beside the copy.
        """
        rows = ready(own_bank(bank))
        pays = rows.dtype == np.float32 and rows.shape[1] >= _LEAST_WIDTH and len(rows) >= _LEAST_ROWS
        return PrunedExactIndex(bank=rows, short=shorten_bank(rows) if pays else None)


@dataclass(frozen=True, kw_only=True, eq=False)
class PrunedExactIndex:
    """A bank of its own, checked and shortened, ready to be asked."""

    bank: Embeddings
    short: ShortBank | None  # None: measured pair by pair

    def query(self, queries: Embeddings, k: int = 1) -> tuple[Distances, Rows]:
        """Find the k rows nearest to each of (Q, D) queries: distances and rows (Q, k), nearest first."""
        asked = as_numpy(queries, "queries")
        require_queries(asked, self.bank)
        require_count(k, len(self.bank), "k")
        rows = ready(asked)
        if self.short is None or rows.dtype != np.float32 or k * _ROWS_PER_NEIGHBOR > len(self.bank):
            return nearest_checked_rows(*alike(rows, self.bank), k)
        best = nothing_yet(len(rows), k, len(self.bank))
        for first in range(0, len(rows), _QUERIES):
            part = slice(first, first + _QUERIES)
            _search(ready(rows[part]), self.short, Best(best.squares[part], best.rows[part]))
        return distances_of(rows, self.bank, best), best.rows


def _search(queries: Embeddings, bank: ShortBank, best: Best) -> None:
    """Prune; then answer the queries that keep too many rows by products, unless they are only a few."""
    left = _prune(queries, bank, best, _budget(bank.rows.shape[1]))
    if not len(left):
        return
    asked, part = ready(queries[left]), Best(best.squares[left], best.rows[left])
    if len(left) > _FEW:
        search_products(asked, bank.rows, bank.bound, part)
    else:
        _prune(asked, bank, part, _UNLIMITED)
    best.squares[left], best.rows[left] = part


def _budget(width: int) -> Budget:
    """What a query may keep before whole products are clearly faster; one longer vector costs like 2,500 values."""
    return Budget(max(0.3, width / 2500), 0.1)


def _prune(queries: Embeddings, bank: ShortBank, best: Best, budget: Budget) -> Rows:
    """Answer what the budget allows; return the queries that are left. The first ones decide whether to go on."""
    given_up = np.zeros(len(queries), dtype=np.bool_)
    for part in (slice(0, _PROBE), slice(_PROBE, None)):
        if 2 * np.count_nonzero(given_up[:_PROBE]) > _PROBE:
            given_up[part] = True
        elif len(queries[part]):
            asked = shorten_queries(queries[part], bank)
            scan(asked, bank, budget, Best(best.squares[part], best.rows[part]), given_up[part])
    return np.flatnonzero(given_up)
