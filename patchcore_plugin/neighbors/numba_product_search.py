"""Exact search where pruning does not pay: products of all pairs, tile by tile, and what could be nearest measured.

Products are taken of centred rows, so that a mean common to all does not drown what tells rows apart. They are computed
by the scan's own inner loop rather than by the BLAS: two sets of threads that take turns every millisecond, each
waiting busily for its next turn, would cost more than the products.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import get_num_threads, njit, prange
from numba.np.ufunc.parallel import get_thread_id

from patchcore_plugin.kernel_sources import kernel_sources
from patchcore_plugin.lower_bound import UNIT
from patchcore_plugin.neighbors import numba_margin
from patchcore_plugin.neighbors.numba_best_rows import meet
from patchcore_plugin.neighbors.numba_margin import LEAST_SPREAD, Scale, product_limit, reach
from patchcore_plugin.neighbors.numba_pruned_scan import begin, meet_lowest
from patchcore_plugin.neighbors.numba_vector_scan import append_low
from patchcore_plugin.numba_product_block import BLOCK_COLUMNS, BLOCK_ROWS, VECTOR, Product, product_block
from patchcore_reference.numba_kernels import one_at_a_time

if TYPE_CHECKING:
    from patchcore_plugin.arrays import Embeddings
    from patchcore_plugin.lower_bound import LowerBound
    from patchcore_plugin.neighbors.numba_best_rows import Best

_TILE = 2048 // BLOCK_COLUMNS * BLOCK_COLUMNS  # bank rows at a time
_GROUP = 12 * BLOCK_ROWS  # queries that read a block of them while it lies in the second-level cache
_COLUMNS = 256  # of a block that meet all queries of a group while they lie in the first-level cache
_EXTREME = np.float32(2.0**40)  # in units of the bound's scale, as in ``lower_bound``: squares stay inside float32
_CENTRED = 2.1 * UNIT  # of a row's length: what centring may be off by
_ANY_ORDER = {"reassoc", "contract", "nsz"}


def search_products(queries: Embeddings, bank: Embeddings, bound: LowerBound, best: Best) -> None:
    """Bring the best rows of queries up to date with the whole bank.

    Shapes: queries float32 (Q, D), bank float32 (M, D), best of Q queries, which is written.
    Cost:   O(Q*M*D) time; the queries once more, a tile of the bank and of products in memory.
    """
    width = bank.shape[1]
    scale = Scale(bound.scale, numba_margin.loss(width), LEAST_SPREAD)
    room = -(-len(queries) // BLOCK_ROWS) * BLOCK_ROWS
    left, panels = np.zeros(room * width, dtype=np.float32), np.zeros(_TILE * width, dtype=np.float32)
    single = np.float32(bound.scale)
    with one_at_a_time:
        lengths = _centre(queries, 0, len(queries), bound.centre, single, left, 1)
        for start in range(0, len(bank), _TILE):
            count = min(_TILE, len(bank) - start)
            squares = _centre(bank, start, count, bound.centre, -single, panels, VECTOR)
            halves = numba_margin.halves(squares, _CENTRED * np.sqrt(squares), LEAST_SPREAD, width, _TILE)
            _scan(queries, bank, left, panels, halves, lengths, scale, start, get_num_threads(), best)


@njit(cache=True, parallel=True, fastmath=_ANY_ORDER)
def _centre(rows, start, count, centre, scale, target, lanes):  # type: ignore[no-untyped-def]
    """Write centred rows in panels of ``lanes`` rows; return their squared lengths in float64."""
    width = rows.shape[1]
    squares = np.zeros(count)
    for panel in prange(-(-count // lanes)):
        for first in range(0, width, _COLUMNS):
            last = min(width, first + _COLUMNS)
            for row in range(panel * lanes, min(count, (panel + 1) * lanes)):
                place, total = panel * lanes * width + row % lanes, np.float32(0)
                for d in range(first, last):
                    value = (rows[start + row, d] - centre[d]) * scale
                    value = min(max(value, -_EXTREME), _EXTREME)
                    target[place + d * lanes] = value
                    total += value * value
                squares[row] += total
    return squares


@njit
def _multiply(left, first, last, panels, width, halves, tile, bounds):  # type: ignore[no-untyped-def]
    """Write ``half(row) - query * row`` for a group of queries and a tile of rows."""
    for row in range(0, tile, BLOCK_COLUMNS):
        for d in range(0, width, _COLUMNS):
            run, panel = min(_COLUMNS, width - d), row * width + d * VECTOR
            for q in range(first, last, BLOCK_ROWS):
                place = (q - first) * tile + row
                if d == 0:
                    task = Product(q * width, width, run, panel, width * VECTOR, row, 0, place, tile)
                    product_block(left, panels, halves, bounds, task)  # type: ignore[call-arg]  # Numba adds one
                else:
                    task = Product(q * width + d, width, run, panel, width * VECTOR, place, tile, place, tile)
                    product_block(left, panels, bounds, bounds, task)  # type: ignore[call-arg]


@njit
def _look(queries, q, bank, bounds, place, start, tile, length, scale, found, best):  # type: ignore[no-untyped-def]
    """Find what one tile adds to the best rows of one query."""
    if start == 0:
        begin(queries, q, False, bank, bounds, place, tile, best)
    if best.rows.shape[1] == 1:
        meet_lowest(queries, q, bank, bounds, place, start, tile, found, best)
    far = reach(best.squares[q, -1], bank.shape[1], scale, _CENTRED * np.sqrt(length))
    limit = product_limit(far, length, scale)
    kept = append_low(bounds, place, tile // VECTOR, limit, found)  # type: ignore[call-arg, var-annotated]
    for n in range(kept):
        meet(queries, q, bank, start + found[n], best)


def _compiled_for(sources: str) -> Any:
    """Entries to compiled code; see ``kernel_sources``."""

    @njit(cache=True, parallel=True)
    def scan(queries, bank, left, panels, halves, lengths, scale, start, threads, best):  # type: ignore[no-untyped-def]
        """Meet a tile of the bank, of which ``halves`` ends with infinities where the bank ends."""
        sources  # noqa: B018
        tile = -(-(min(_TILE, len(bank) - start)) // BLOCK_COLUMNS) * BLOCK_COLUMNS
        all_bounds, all_found = np.empty((threads, _GROUP * _TILE), np.float32), np.empty((threads, _TILE), np.int32)
        for group in prange(-(-len(queries) // _GROUP)):
            thread = get_thread_id()  # type: ignore[no-untyped-call]
            bounds, found = all_bounds[thread], all_found[thread]
            first = group * _GROUP
            last = min(len(queries), first + _GROUP)
            _multiply(left, first, last, panels, queries.shape[1], halves, tile, bounds)
            for q in range(first, last):
                _look(queries, q, bank, bounds, (q - first) * tile, start, tile, lengths[q], scale, found, best)

    return scan


_scan = _compiled_for(kernel_sources())
