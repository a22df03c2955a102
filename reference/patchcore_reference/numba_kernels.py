"""Compiled twins of ``distances``, ``neighbors`` and ``coreset``: same names, same signatures, same refusals.

Arithmetic: values of up to 16 bits and float32 are subtracted, squared and summed in float32, everything else in
float64; float32 values whose squares would leave float32 are taken as float64. Distances handed out are summed in
float64. No sum depends on the number of threads or on other queries. Input may be read-only, strided or of foreign byte
order; it is copied only where it is not already a C-contiguous native array of the type computed with.

Compiled code is kept beside this file (Numba's cache), so only the first call on a machine waits for the compiler.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from numba import njit, prange

from patchcore_reference.checks import require_count, require_queries, require_row_numbers, require_rows

if TYPE_CHECKING:
    from collections.abc import Callable

one_at_a_time = threading.Lock()  # Numba's thread pool aborts the process when two threads start parallel loops at once

_ANY_ORDER = {"reassoc", "contract", "nsz"}  # lets sums be vectorised; NaN keeps its meaning, unlike with fastmath=True
_QUERIES_AT_ONCE = 32  # share a tile of bank rows while it lies in the cache
_TILE_VALUES = 2**16  # of bank rows: 256 KiB in float32, well inside a second-level cache
_ROWS_AT_ONCE = 256  # rows a thread takes at a time while the coreset grows
_SHELL = 0.98  # rows within this share of the largest squared distance are looked at together; any share is right
_SHELL_ROWS = 1024  # at most so many of them, so that they stay in the cache
_CHOSEN = -1  # below every squared distance: a chosen row cannot be the farthest


def euclidean_distances(queries: npt.NDArray[Any], bank: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Measure every query against every bank row, as ``distances.euclidean_distances`` does, summed in float64.

    Shapes: queries (Q, D), bank (M, D) -> float64 (Q, M).
    Cost:   O(Q*M*D) time; nothing but the answer in memory.
    """
    require_rows(bank, "bank")
    require_queries(queries, bank)
    queries, bank = alike(ready(queries), ready(bank))
    distances = np.empty((len(queries), len(bank)))
    with one_at_a_time:
        _measure(queries, bank, distances)
    return distances


def nearest_rows(
    queries: npt.NDArray[Any], bank: npt.NDArray[Any], k: int = 1
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Find the k bank rows nearest to each query, as ``neighbors.nearest_rows`` does.

    Rows are chosen in the precision computed with (see above), then measured again in float64 and put in order.

    Shapes: queries (Q, D), bank (M, D) -> distances float64 (Q, k), rows int64 (Q, k); Q may be 0.
    Cost:   O(Q*M*D) time, and O(k) for each row that enters the best k so far; nothing but the answer in memory.
    """
    require_rows(bank, "bank")
    require_queries(queries, bank)
    require_count(k, len(bank), "k")
    return nearest_checked_rows(*alike(ready(queries), ready(bank)), k)


def nearest_checked_rows(
    queries: npt.NDArray[Any], bank: npt.NDArray[Any], k: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Search without checks, for a bank asked again and again: both arrays come from ``ready`` and ``alike``."""
    squares = np.full((len(queries), k), np.inf, dtype=queries.dtype)
    rows = np.zeros((len(queries), k), dtype=np.int64)
    distances = np.empty((len(queries), k))
    tile = max(1, _TILE_VALUES // bank.shape[1])
    if len(queries):
        with one_at_a_time:
            _search(queries, bank, tile, squares, rows)
            _measure_again(queries, bank, rows, distances)
    return distances, rows


def greedy_rows(
    embeddings: npt.NDArray[Any], count: int, first: int = 0, progress: Callable[[int, int], None] | None = None
) -> npt.NDArray[np.int64]:
    """Pick rows farthest-first, as ``coreset.greedy_rows`` does, without measuring most of the pairs.

    What is known of a row, its squared distance to the nearest of *some* chosen rows, can only fall. So only the shell
    of rows that might be farthest is brought up to date; the picking goes on inside for as long as its farthest row
    beats all outside; rows close to a chosen one wait for the radius to fall to them. It is the plain loop's answer.

    Shapes: embeddings (N, D) -> int64 (count,), distinct also where rows are equal.
    Order:  of selection, ``first`` at the head; equally far rows by the lower row. A smaller count gives a prefix.
    Cost:   at most O(N*count*D) time, on image features about a quarter; count*D values and O(N) memory. ``progress``
            hears (done, count) after each shell, from which the call can be interrupted too.
    """
    require_rows(embeddings, "embeddings")
    require_count(count, len(embeddings), "count")
    require_row_numbers(first, len(embeddings), "first")
    search = Farthest(ready(embeddings), count, np.full(len(embeddings), np.inf))
    search.take(first)
    return search.pick_all(progress)


class Farthest:
    """A coreset while it grows; ``squares`` (N,) says how far, squared, each row counts before any is chosen."""

    def __init__(self, embeddings: npt.NDArray[Any], count: int, squares: npt.NDArray[np.float64]) -> None:
        self.embeddings, self.count, self.done = embeddings, count, 0
        self.chosen = np.empty(count, dtype=np.int64)
        self.centres = np.empty((count, embeddings.shape[1]), dtype=embeddings.dtype)
        self.squares = squares.astype(embeddings.dtype)  # to the nearest centre seen so far
        self.seen = np.zeros(len(embeddings), dtype=np.int64)  # how many centres each row was measured against

    def take(self, row: int) -> None:
        """Choose a row, however far it is."""
        self.chosen[self.done], self.centres[self.done], self.squares[row] = row, self.embeddings[row], _CHOSEN
        self.done += 1

    def pick_all(self, progress: Callable[[int, int], None] | None) -> npt.NDArray[np.int64]:
        """Choose the farthest rows until there are enough."""
        told = 0
        while told < self.count:
            if self.done < self.count:
                self.pick_shell()
            if progress is not None and told < self.done:
                progress(self.done, self.count)
            told = self.done
        return self.chosen

    def pick_shell(self) -> None:
        """Choose all rows that are farther away than the lower end of one shell."""
        top = self.squares.max()
        if top == 0:  # every row left equals a chosen one: the lowest come first
            self.chosen[self.done :] = np.flatnonzero(self.squares == 0)[: self.count - self.done]
            self.done = self.count
            return
        below = np.nextafter(top, top.dtype.type(0))
        floor = min(top * top.dtype.type(_SHELL), below) if np.isfinite(top) else top.dtype.type(_CHOSEN)
        shell, known = np.flatnonzero(self.squares > floor), (self.squares, self.seen, self.centres, self.chosen)
        with one_at_a_time:
            _bring_closer(self.embeddings, self.centres, self.done, floor, shell, self.squares, self.seen)
            rows, floor, rival = _candidates(shell[self.squares[shell] > floor], self.squares, floor)
            self.done = _pick_inside(self.embeddings, rows, floor, rival, *known, self.done)


def _candidates(
    rows: npt.NDArray[np.int64], squares: npt.NDArray[Any], floor: Any
) -> tuple[npt.NDArray[np.int64], Any, int]:
    """Keep the farthest rows, lower rows before equal ones; say how far the best row left out is, and which it is.

    No row outside reaches the floor before something was left out: then -1 beats every row that only equals the floor.
    """
    if len(rows) <= _SHELL_ROWS:
        return rows, floor, -1
    values = squares[rows]
    floor = np.partition(values, len(rows) - _SHELL_ROWS - 1)[len(rows) - _SHELL_ROWS - 1]
    above, level = rows[values > floor], rows[values == floor]
    room = _SHELL_ROWS - len(above)
    return np.sort(np.concatenate([above, level[:room]])), floor, int(level[room])


def ready(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Bring checked rows into the form that is computed with: C-contiguous native float32 or float64, read-only.

    It is float32 where nothing is lost by that and squares of differences neither overflow nor vanish. A view where
    nothing has to change; the array that came in stays as it is.
    """
    narrow = array.dtype.itemsize <= (4 if array.dtype.kind == "f" else 2)
    if narrow and array.dtype.kind == "f" and array.size:
        peak = max(-float(array.min()), float(array.max()))
        narrow = peak == 0 or 1e-12 < peak < np.sqrt(8e37 / array.shape[1])
    rows = np.ascontiguousarray(array, dtype=np.float32 if narrow else np.float64).view()
    rows.flags.writeable = False  # one compiled version serves writable and read-only input
    return rows


def alike(queries: npt.NDArray[Any], bank: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Give two arrays that came from ``ready`` the wider of their two types."""
    if queries.dtype == bank.dtype:
        return queries, bank
    return ready(queries.astype(np.float64)), ready(bank.astype(np.float64))


@njit(cache=True, fastmath=_ANY_ORDER, forceinline=True)
def _square(a, i, b, j, zero):  # type: ignore[no-untyped-def]
    """Squared distance of row i of a and row j of b, in the type of ``zero``."""
    total = zero
    for d in range(a.shape[1]):
        difference = zero + a[i, d] - b[j, d]
        total += difference * difference
    return total


@njit(cache=True, fastmath=_ANY_ORDER, forceinline=True)
def _four_squares(a, i0, i1, i2, i3, b, j, zero):  # type: ignore[no-untyped-def]
    """Squared distances of four rows of a to row j of b, which is read once."""
    s0 = s1 = s2 = s3 = zero
    for d in range(a.shape[1]):
        value = b[j, d]
        d0, d1, d2, d3 = a[i0, d] - value, a[i1, d] - value, a[i2, d] - value, a[i3, d] - value
        s0 += d0 * d0
        s1 += d1 * d1
        s2 += d2 * d2
        s3 += d3 * d3
    return s0, s1, s2, s3


@njit(cache=True, parallel=True)
def _measure(queries, bank, distances):  # type: ignore[no-untyped-def]
    for q in prange(len(queries)):
        for m in range(len(bank)):
            distances[q, m] = np.sqrt(_square(queries, q, bank, m, 0.0))


@njit(cache=True)
def _enter(squares, rows, q, square, row):  # type: ignore[no-untyped-def]
    """Sort one row into the best k of query q; it goes behind equal ones, which have lower numbers."""
    place = squares.shape[1] - 1
    while place > 0 and squares[q, place - 1] > square:
        squares[q, place], rows[q, place] = squares[q, place - 1], rows[q, place - 1]
        place -= 1
    squares[q, place], rows[q, place] = square, row


@njit(cache=True)
def _search_tile(queries, q, last, bank, start, stop, squares, rows):  # type: ignore[no-untyped-def]
    """Meet four queries with one tile of the bank; beyond the last query the last one is measured again, unused."""
    q1, q2, q3, k = min(q + 1, last), min(q + 2, last), min(q + 3, last), squares.shape[1] - 1
    zero = squares.dtype.type(0)
    for m in range(start, stop):
        s0, s1, s2, s3 = _four_squares(queries, q, q1, q2, q3, bank, m, zero)
        if s0 < squares[q, k]:
            _enter(squares, rows, q, s0, m)
        if s1 < squares[q1, k] and q1 > q:
            _enter(squares, rows, q1, s1, m)
        if s2 < squares[q2, k] and q2 > q1:
            _enter(squares, rows, q2, s2, m)
        if s3 < squares[q3, k] and q3 > q2:
            _enter(squares, rows, q3, s3, m)


@njit(cache=True, parallel=True)
def _search(queries, bank, tile, squares, rows):  # type: ignore[no-untyped-def]
    for group in prange((len(queries) + _QUERIES_AT_ONCE - 1) // _QUERIES_AT_ONCE):
        first = group * _QUERIES_AT_ONCE
        end = min(len(queries), first + _QUERIES_AT_ONCE)
        for start in range(0, len(bank), tile):
            stop = min(len(bank), start + tile)
            for q in range(first, end, 4):
                _search_tile(queries, q, end - 1, bank, start, stop, squares, rows)


@njit(cache=True, parallel=True)
def _measure_again(queries, bank, rows, distances):  # type: ignore[no-untyped-def]
    """Distances in float64 of the rows found, in order of (distance, row); they come nearly sorted."""
    for q in prange(len(queries)):
        for found in range(rows.shape[1]):
            row = rows[q, found]
            distance = np.sqrt(_square(queries, q, bank, row, 0.0))
            place = found
            while place > 0 and (distances[q, place - 1], rows[q, place - 1]) > (distance, row):
                distances[q, place], rows[q, place] = distances[q, place - 1], rows[q, place - 1]
                place -= 1
            distances[q, place], rows[q, place] = distance, row


@njit(cache=True, parallel=True)
def _bring_closer(embeddings, centres, done, floor, shell, squares, seen):  # type: ignore[no-untyped-def]
    """Measure each row of the shell against the centres it has not seen, until it falls to the floor."""
    zero = squares.dtype.type(0)
    for block in prange((len(shell) + _ROWS_AT_ONCE - 1) // _ROWS_AT_ONCE):
        for place in range(block * _ROWS_AT_ONCE, min(len(shell), (block + 1) * _ROWS_AT_ONCE)):
            row = shell[place]
            square, c = squares[row], seen[row]
            while c + 4 <= done and square > floor:
                s0, s1, s2, s3 = _four_squares(centres, c, c + 1, c + 2, c + 3, embeddings, row, zero)
                square = min(square, s0, s1, s2, s3)
                c += 4
            while c < done and square > floor:
                square = min(square, _square(centres, c, embeddings, row, zero))
                c += 1
            squares[row], seen[row] = square, c


@njit(cache=True)
def _pick_inside(embeddings, rows, floor, rival, squares, seen, centres, chosen, done):  # type: ignore[no-untyped-def]
    """Pick among the candidates while the farthest of them beats (floor, rival), the best row outside."""
    local, values, zero = embeddings[rows], squares[rows], squares.dtype.type(0)
    while done < len(chosen) and len(rows):
        best = np.argmax(values)
        if values[best] < floor or (values[best] == floor and rows[best] > rival):
            break
        chosen[done], centres[done], values[best] = rows[best], local[best], _CHOSEN
        for place in range(len(rows)):
            if values[place] > zero:
                values[place] = min(values[place], _square(centres, done, local, place, zero))
        done += 1
    squares[rows], seen[rows] = values, done
    return done
