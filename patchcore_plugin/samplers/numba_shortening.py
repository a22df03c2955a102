"""Rows made short on the cores that pick them: a compiled twin of ``LowerBound.shorten``, within its slack too.

One library at a time then keeps the cores busy; a BLAS whose threads wait for each other loses most of its speed as
soon as anything else runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from numba import njit, prange

from patchcore_plugin.samplers import numba_pair_blocks as blocks
from patchcore_plugin.samplers.numba_pair_blocks import BLOCK, LANES
from patchcore_reference.numba_kernels import one_at_a_time

if TYPE_CHECKING:
    from patchcore_plugin.arrays import Embeddings
    from patchcore_plugin.lower_bound import LowerBound

near_block: Any = blocks.near_block  # intrinsics have no type information

_COLUMNS = 128  # of one partial sum: no longer than those that ``LowerBound.slack`` counts with
_CALM = np.float32(2.0**79)  # squared lengths up to here cannot have lost anything to overflow
_ANY_ORDER = {"reassoc", "contract", "nsz"}  # lets sums be vectorised; NaN keeps its meaning


class Shortener:
    """A lower bound with its axes laid out for ``near_block``: for each piece of 128 columns, panels of axes."""

    def __init__(self, law: LowerBound) -> None:
        self.law = law
        r = law.width - 1
        pieces, across = -(-len(law.axes) // _COLUMNS), -(-r // LANES)
        padded = np.zeros((pieces * _COLUMNS, across * LANES), dtype=np.float32)
        padded[: len(law.axes), :r] = law.axes
        self._panels = np.zeros((pieces * across, _COLUMNS + 1, LANES), dtype=np.float32)
        self._panels[:, 1:] = (
            padded.reshape(pieces, _COLUMNS, across, LANES).swapaxes(1, 2).reshape(-1, _COLUMNS, LANES)
        )

    def shorten(self, rows: Embeddings) -> npt.NDArray[np.float32]:
        """Turn rows (n, D) into short vectors (n, r + 1), as ``LowerBound.shorten`` does, with its refusals."""
        law = self.law
        if not law.turned or rows.dtype not in (np.float32, np.float64):
            return law.shorten(rows)
        ready = np.ascontiguousarray(rows, dtype=rows.dtype.newbyteorder("=")).view()
        ready.flags.writeable = False  # one compiled version serves writable and read-only rows
        short = np.empty((len(ready), law.width), dtype=np.float32)
        squares = np.empty(len(ready), dtype=np.float32)
        with one_at_a_time:
            _shorten(ready, law.centre, ready.dtype.type(law.scale), self._panels, short, squares, law.complete)
        return short if squares.max() < _CALM else law.shorten(rows)  # NaN is never calm


@njit(cache=True, parallel=True)
def _shorten(rows, centre, scale, panels, short, squares, complete):  # type: ignore[no-untyped-def]
    for block in prange((len(rows) + BLOCK - 1) // BLOCK):
        first = block * BLOCK
        _shorten_block(rows, centre, scale, panels, short, squares, complete, first, min(len(rows), first + BLOCK))


@njit(cache=True)
def _shorten_block(rows, centre, scale, panels, short, squares, complete, first, stop):  # type: ignore[no-untyped-def]
    width, r = rows.shape[1], short.shape[1] - 1
    across = (r + LANES - 1) // LANES
    piece, places, limits = np.zeros((BLOCK, _COLUMNS), np.float32), np.arange(BLOCK), np.zeros(BLOCK, np.float32)
    sums, near = np.empty((BLOCK, LANES), np.float32), np.empty(BLOCK, np.uint64)
    turned = np.zeros((BLOCK, across * LANES), np.float32)
    squares[first:stop] = np.float32(0)
    for start in range(0, width, _COLUMNS):
        run = min(_COLUMNS, width - start)
        piece[:, run:] = np.float32(0)
        for p in range(stop - first):
            squares[first + p] += _centre(rows[first + p], centre, scale, start, run, piece[p])
        for a in range(across):
            near_block(piece, places, panels, start // _COLUMNS * across + a, limits, sums, near)
            for p in range(stop - first):
                turned[p, a * LANES : (a + 1) * LANES] += sums[p]
    for p in range(stop - first):
        kept = _copy(turned[p], r, short[first + p])
        short[first + p, r] = np.float32(0) if complete else np.sqrt(max(squares[first + p] - kept, np.float32(0)))


@njit(cache=True, fastmath=_ANY_ORDER)
def _centre(row, centre, scale, start, run, piece):  # type: ignore[no-untyped-def]
    """Write one piece of a centred row; return its squared length."""
    total = np.float32(0)
    for i in range(run):
        value = np.float32((row[start + i] - centre[start + i]) * scale)
        piece[i] = value
        total += value * value
    return total


@njit(cache=True, fastmath=_ANY_ORDER)
def _copy(values, count, target):  # type: ignore[no-untyped-def]
    """Copy some values; return the sum of their squares."""
    total = np.float32(0)
    for i in range(count):
        value = values[i]
        target[i] = value
        total += value * value
    return total
