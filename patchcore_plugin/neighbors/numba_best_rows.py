"""The best k rows of each query, and the one measure by which they are the best.

Rows are ordered by (square, row), where the square of a pair is the one float32 number that ``_square`` makes of it.
So the answer is one and the same in whatever order, company or thread the rows are met.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit, prange

from patchcore_plugin.kernel_sources import kernel_sources
from patchcore_reference.numba_kernels import one_at_a_time

_ANY_ORDER = {"reassoc", "contract", "nsz"}  # lets sums be vectorised; the order is still one and the same every time
_PIECE = 128  # values summed before the sum is compared with what it may not exceed


class Best(NamedTuple):
    """The best rows so far, best first; where there are fewer than k, infinity and a row number beyond the bank."""

    squares: Any  # float32 (Q, k)
    rows: Any  # int64 (Q, k)


def nothing_yet(queries: int, k: int, bank_rows: int) -> Best:
    """Begin a search."""
    return Best(np.full((queries, k), np.inf, dtype=np.float32), np.full((queries, k), bank_rows, dtype=np.int64))


def distances_of(queries: npt.NDArray[Any], bank: npt.NDArray[Any], best: Best) -> npt.NDArray[np.float64]:
    """Measure the rows found in float64, and put them in order of (distance, row), also in ``best``."""
    distances = np.empty(best.rows.shape)
    with one_at_a_time:
        _measure_again(queries, bank, best.rows, distances)
    return distances


@njit
def meet(queries, q, bank, row, best):  # type: ignore[no-untyped-def]
    """Measure one row on its full width, and enter it if it belongs to the best; a row met again changes nothing."""
    square = _square(queries, q, bank, row, best.squares[q, -1])
    if square <= best.squares[q, -1]:
        _enter(best.squares[q], best.rows[q], square, row)


@njit(fastmath=_ANY_ORDER)
def _square(a, i, b, j, limit):  # type: ignore[no-untyped-def]
    """Squared distance of two rows; of one above ``limit`` only so much as shows that."""
    width, total = a.shape[1], np.float32(0)
    for start in range(0, width, _PIECE):
        part = np.float32(0)
        for d in range(start, min(start + _PIECE, width)):
            difference = a[i, d] - b[j, d]
            part += difference * difference
        total += part
        if total > limit:
            break
    return total


@njit
def _enter(squares, rows, square, row):  # type: ignore[no-untyped-def]
    k = len(squares)
    place = k
    while place > 0 and (squares[place - 1], rows[place - 1]) > (square, row):
        place -= 1
    if place == k or (place > 0 and rows[place - 1] == row and squares[place - 1] == square):
        return
    for later in range(k - 1, place, -1):
        squares[later], rows[later] = squares[later - 1], rows[later - 1]
    squares[place], rows[place] = square, row


@njit(fastmath=_ANY_ORDER)
def _distance(a, i, b, j):  # type: ignore[no-untyped-def]
    total = 0.0
    for d in range(a.shape[1]):
        difference = np.float64(a[i, d]) - np.float64(b[j, d])
        total += difference * difference
    return np.sqrt(total)


def _compiled_for(sources: str) -> Any:
    """Entries to compiled code; see ``kernel_sources``."""

    @njit(cache=True, parallel=True)
    def measure_again(queries, bank, rows, distances):  # type: ignore[no-untyped-def]
        sources  # noqa: B018
        for q in prange(len(queries)):
            for found in range(rows.shape[1]):
                row = rows[q, found]
                distance, place = _distance(queries, q, bank, row), found
                while place > 0 and (distances[q, place - 1], rows[q, place - 1]) > (distance, row):
                    distances[q, place], rows[q, place] = distances[q, place - 1], rows[q, place - 1]
                    place -= 1
                distances[q, place], rows[q, place] = distance, row

    return measure_again


_measure_again = _compiled_for(kernel_sources())
