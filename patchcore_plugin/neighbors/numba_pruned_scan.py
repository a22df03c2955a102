"""The compiled scan of the pruned search: bounds for all pairs, and full measure for the few that they leave.

A group of queries meets a tile of the bank at a time. Products of short vectors give a bound for every pair, which
stays in the cache; a query starts from the true distances of what the query before it found (in an image, the patch
beside it) and of the rows with the lowest bounds; what is then still below the best is compared on longer vectors, and
only what these leave too is measured.

A query that keeps too many rows is given up: for it, all pairs are faster by plain products (``numba_product_search``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import get_num_threads, njit, prange
from numba.np.ufunc.parallel import get_thread_id

from patchcore_plugin.kernel_sources import kernel_sources
from patchcore_plugin.neighbors.numba_best_rows import meet
from patchcore_plugin.neighbors.numba_margin import LARGEST, difference_limit, product_limit, reach
from patchcore_plugin.neighbors.numba_vector_scan import append_low, least
from patchcore_plugin.neighbors.short_queries import GROUP
from patchcore_plugin.numba_product_block import BLOCK_COLUMNS, BLOCK_ROWS, VECTOR, Product, product_block
from patchcore_reference.numba_kernels import one_at_a_time

if TYPE_CHECKING:
    import numpy.typing as npt

    from patchcore_plugin.neighbors.numba_best_rows import Best
    from patchcore_plugin.neighbors.short_bank import ShortBank
    from patchcore_plugin.neighbors.short_queries import Asked

_TILE = (
    16_384 // BLOCK_COLUMNS * BLOCK_COLUMNS
)  # bank rows whose bounds, for a group of queries, fit a second-level cache: 1 MiB
_ANY_ORDER = {"reassoc", "contract", "nsz"}


class Budget(NamedTuple):
    """Shares of a tile that a query may keep before it is given up: by short vectors, and by longer ones."""

    short: float
    longer: float


def scan(asked: Asked, bank: ShortBank, budget: Budget, best: Best, given_up: npt.NDArray[np.bool_]) -> None:
    """Find the best rows of queries.

    Shapes: ``asked`` and ``best`` of Q queries and given_up (Q,); the last two are written. What is known of a query
            that was given up is right, but not complete.
    """
    with one_at_a_time:
        _scan(asked, bank.rows, bank.short, bank.scale, budget, get_num_threads(), best, given_up)


@njit
def _multiply(negated, head, short, start, count, bounds, tile):  # type: ignore[no-untyped-def]
    """Write ``half(row) - query * row`` for a group of queries and a tile of rows."""
    left, run = negated.reshape(-1), short.width
    for row in range(0, count, BLOCK_COLUMNS):
        for p in range(0, GROUP, BLOCK_ROWS):
            panel = (start + row) * run
            task = Product((head + p) * run, run, run, panel, run * VECTOR, start + row, 0, p * tile + row, tile)
            product_block(left, short.panels, short.halves, bounds, task)  # type: ignore[call-arg]  # Numba adds one


@njit
def begin(queries, q, follows, bank, bounds, place, count, best):  # type: ignore[no-untyped-def]
    """Meet the rows of the query before, and for k > 1 those with the k lowest bounds."""
    if follows:
        for n in range(best.rows.shape[1]):
            if best.rows[q - 1, n] < len(bank):
                meet(queries, q, bank, best.rows[q - 1, n], best)
    if best.rows.shape[1] > 1:
        for row in _lowest(bounds, place, count, best.rows.shape[1]):
            meet(queries, q, bank, row, best)


@njit
def _lowest(bounds, place, count, k):  # type: ignore[no-untyped-def]
    """Return the rows with the k lowest bounds of the first tile, or all rows where there are fewer."""
    low, rows, known = np.full(k, LARGEST, dtype=np.float32), np.zeros(k, dtype=np.int64), 0
    for row in range(count):
        value = bounds[place + row]
        if value < low[-1]:
            other = k - 1
            while other > 0 and low[other - 1] > value:
                low[other], rows[other] = low[other - 1], rows[other - 1]
                other -= 1
            low[other], rows[other] = value, row
            known = min(known + 1, k)
    return rows[:known]


@njit
def meet_lowest(queries, q, bank, bounds, place, start, count, found, best):  # type: ignore[no-untyped-def]
    """Meet the row with the lowest bound of a tile."""
    lowest = least(bounds, place, count // VECTOR)  # type: ignore[call-arg, var-annotated]
    if lowest < LARGEST and append_low(bounds, place, count // VECTOR, lowest, found):
        meet(queries, q, bank, start + found[0], best)


@njit
def _look(  # type: ignore[no-untyped-def]
    asked, q, bank, short, scale, budget, bounds, place, start, count, found, longer, best
):  # fmt: skip
    """Find what one tile adds to the best rows of one query; True if too many rows are kept to go on."""
    if best.rows.shape[1] == 1:
        meet_lowest(asked.rows, q, bank, bounds, place, start, count, found, best)
    square = best.squares[q, -1]
    far = reach(square, bank.shape[1], scale, asked.slacks[q])
    limit = product_limit(far, asked.lengths[q], scale)
    kept = append_low(bounds, place, count // VECTOR, limit, found)  # type: ignore[call-arg, var-annotated]
    if kept > budget.short * count:
        return True
    limit = difference_limit(far, short.longer.shape[1])
    kept = _widen(asked.longer, q, short, start, kept, limit, found, longer)
    if kept > budget.longer * count:
        return True
    for n in range(kept):
        if longer[n] <= limit:
            meet(asked.rows, q, bank, start + found[n], best)
            if best.squares[q, -1] < square:
                square = best.squares[q, -1]
                far = reach(square, bank.shape[1], scale, asked.slacks[q])
                limit = difference_limit(far, short.longer.shape[1])
    return False


@njit
def _widen(vectors, q, short, start, count, limit, found, longer):  # type: ignore[no-untyped-def]
    """Keep those of ``count`` found rows that longer vectors keep too, with these bounds; the lowest goes first."""
    kept = 0
    for n in range(count):
        row = found[n]
        bound = _square(vectors, q, short.longer, start + row) - short.parts[start + row]
        if bound <= limit:
            found[kept], longer[kept] = row, bound
            if bound < longer[0]:
                found[0], found[kept], longer[0], longer[kept] = row, found[0], bound, longer[0]
            kept += 1
    return kept


@njit(fastmath=_ANY_ORDER)
def _square(a, i, b, j):  # type: ignore[no-untyped-def]
    total = np.float32(0)
    for d in range(a.shape[1]):
        difference = a[i, d] - b[j, d]
        total += difference * difference
    return total


def _compiled_for(sources: str) -> Any:
    """Entries to compiled code; see ``kernel_sources``."""

    @njit(cache=True, parallel=True)
    def scan(asked, bank, short, scale, budget, threads, best, given_up):  # type: ignore[no-untyped-def]
        sources  # noqa: B018
        tile = min(_TILE, short.halves.size)
        all_bounds = np.empty((threads, GROUP * tile), dtype=np.float32)
        all_found = np.empty((threads, tile), dtype=np.int32)
        all_longer = np.empty((threads, tile), dtype=np.float32)
        for group in prange(len(asked.negated) // GROUP):
            thread = get_thread_id()  # type: ignore[no-untyped-call]
            bounds, found, longer = all_bounds[thread], all_found[thread], all_longer[thread]
            head = group * GROUP
            for start in range(0, short.halves.size, tile):
                count = min(tile, short.halves.size - start)
                _multiply(asked.negated, head, short, start, count, bounds, tile)
                for q in range(head, min(len(given_up), head + GROUP)):
                    place = (q - head) * tile
                    if start == 0:
                        begin(asked.rows, q, q > head, bank, bounds, place, count, best)
                    if not given_up[q]:
                        given_up[q] = _look(
                            asked, q, bank, short, scale, budget, bounds, place, start, count, found, longer, best
                        )

    return scan


_scan = _compiled_for(kernel_sources())
