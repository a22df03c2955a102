"""Queries turned into short vectors on the cores that search, a compiled twin of ``LowerBound.shorten``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit, prange

from patchcore_plugin.neighbors.numba_vector_scan import BLOCK_ROWS, BLOCK_VECTORS, VECTOR, Product, product_block
from patchcore_reference.numba_kernels import one_at_a_time, ready

if TYPE_CHECKING:
    from patchcore_plugin.arrays import Embeddings
    from patchcore_plugin.neighbors.short_bank import ShortBank

GROUP = 2 * BLOCK_ROWS  # queries that read a panel of the bank while it lies in the first-level cache
_COLUMNS = 128  # of one partial sum: no longer than those that ``LowerBound.slack`` counts with
_EXTREME = np.float32(2.0**40)  # as in ``lower_bound``
_ZERO = np.float32(0)
_ANY_ORDER = {"reassoc", "contract", "nsz"}


class Asked(NamedTuple):
    """Queries as the scan needs them; the short vectors are negated and filled up with zeros to whole groups."""

    rows: Any  # float32 (Q, D)
    negated: Any  # float32 (Q up to whole groups, K)
    longer: Any  # float32 (Q up to whole groups, W)
    lengths: Any  # squared, of the short vectors, float64 (Q,)
    slacks: Any  # float64 (Q,)


def shorten_queries(queries: Embeddings, bank: ShortBank) -> Asked:
    """Shorten queries (Q, D) the way the bank was shortened; within ``bank.bound.slack`` too."""
    bound, rows = bank.bound, ready(queries)
    longer = np.zeros((-(-len(rows) // GROUP) * GROUP, bound.width), dtype=np.float32)
    with one_at_a_time:
        _shorten(rows, bound.centre, np.float32(bound.scale), bank.axes, longer, bound.complete)
    short = bound.fold(longer, bank.short.width)
    lengths = np.einsum("ij,ij->i", short, short, dtype=np.float64)[: len(rows)]
    slacks = bound.slack(longer)[: len(rows)].astype(np.float64)
    return Asked(rows, -short, longer, lengths, slacks)


@njit(cache=True, parallel=True)
def _shorten(rows, centre, scale, axes, longer, complete):  # type: ignore[no-untyped-def]
    """Write the short vectors of a block of rows at a time: pieces of 128 columns, each a product of its own."""
    width, r = rows.shape[1], longer.shape[1] - 1
    room = axes.size // width
    for block in prange(-(-len(rows) // BLOCK_ROWS)):
        first = block * BLOCK_ROWS
        known = min(BLOCK_ROWS, len(rows) - first)
        turned = np.zeros(BLOCK_ROWS * room, dtype=np.float32)
        squares = _turn(rows, first, known, centre, scale, axes, turned, room)
        for p in range(known):
            kept = _copy(turned, p * room, r, longer[first + p])
            longer[first + p, r] = _ZERO if complete else np.sqrt(max(squares[p] - kept, _ZERO))


@njit(cache=True)
def _turn(rows, first, known, centre, scale, axes, turned, room):  # type: ignore[no-untyped-def]
    """Add the coordinates of one block of rows to ``turned``; return the squared lengths of the rows."""
    width = rows.shape[1]
    piece = np.zeros(BLOCK_ROWS * _COLUMNS, dtype=np.float32)
    squares = np.zeros(BLOCK_ROWS, dtype=np.float32)
    for start in range(0, width, _COLUMNS):
        run = min(_COLUMNS, width - start)
        for p in range(known):
            squares[p] += _centre(rows, first + p, centre, scale, start, run, piece, p * _COLUMNS)
        for v in range(0, room, BLOCK_VECTORS * VECTOR):
            panel = v * width + start * VECTOR
            task = Product(0, _COLUMNS, run, panel, width * VECTOR, v, room, v, room)
            product_block(piece, axes, turned, turned, task)  # type: ignore[call-arg]  # Numba adds one
    return squares


@njit(cache=True, fastmath=_ANY_ORDER)
def _centre(rows, q, centre, scale, start, run, piece, place):  # type: ignore[no-untyped-def]
    """Write one piece of a centred row; return its squared length. Extremes are cut off as ``LowerBound`` does it."""
    total = np.float32(0)
    for i in range(run):
        value = (rows[q, start + i] - centre[start + i]) * scale
        value = min(max(value, -_EXTREME), _EXTREME)
        piece[place + i] = value
        total += value * value
    return total


@njit(cache=True, fastmath=_ANY_ORDER)
def _copy(values, place, count, target):  # type: ignore[no-untyped-def]
    """Copy some values; return the sum of their squares."""
    total = np.float32(0)
    for i in range(count):
        value = values[place + i]
        target[i] = value
        total += value * value
    return total
