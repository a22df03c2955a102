"""Rows made short on the cores that will use them: a compiled twin of ``LowerBound.shorten``, within its slack too.

One library at a time then keeps the cores busy; a BLAS whose threads wait for each other loses most of its speed as
soon as anything else runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from numba import njit, prange

from patchcore_plugin.kernel_sources import kernel_sources
from patchcore_plugin.numba_product_block import BLOCK_COLUMNS, BLOCK_ROWS, VECTOR, Product, panels_of, product_block
from patchcore_reference.checks import require_finite
from patchcore_reference.numba_kernels import one_at_a_time

if TYPE_CHECKING:
    from patchcore_plugin.arrays import Embeddings
    from patchcore_plugin.lower_bound import LowerBound, Short

_COLUMNS = 128  # of one partial sum: no longer than those that ``LowerBound.slack`` counts with
_EXTREME = np.float32(2.0**40)  # as in ``lower_bound``
_CALM = np.float32(2.0**79)  # squared lengths up to here hold no value that was cut off, and none that is not finite
_ZERO = np.float32(0)
_ANY_ORDER = {"reassoc", "contract", "nsz"}  # lets sums be vectorised; NaN keeps its meaning


class Shortener:
    """A lower bound with its axes laid out for compiled code."""

    def __init__(self, law: LowerBound) -> None:
        self.law = law
        self._axes = panels_of(np.ascontiguousarray(law.axes.T)) if law.turned else np.empty(0, dtype=np.float32)

    def shorten(self, rows: Embeddings) -> Short:
        """Turn rows (n, D) into short vectors (n, r + 1), as ``LowerBound.shorten`` does, with its refusals."""
        short = np.empty((len(rows), self.law.width), dtype=np.float32)
        self.fill(rows, short)
        return short

    def fill(self, rows: Embeddings, short: Short) -> npt.NDArray[np.float32]:
        """Write the short vectors of rows; answer their squared lengths.

        Shapes: rows (n, D); short (n or more, r + 1), C-contiguous, is written -> (n,).
        Raises: NonFiniteError for NaN or infinity.
        """
        if rows.dtype not in (np.float32, np.float64):
            short[: len(rows)] = self.law.shorten(rows)
            norms: npt.NDArray[np.float32] = np.square(short[: len(rows)]).sum(axis=1, dtype=np.float32)
            return norms
        ready = np.ascontiguousarray(rows, dtype=rows.dtype.newbyteorder("=")).view()
        ready.flags.writeable = False  # one compiled version serves writable and read-only rows
        return self._fill_ready(ready, short)

    def _fill_ready(self, rows: Embeddings, short: Short) -> npt.NDArray[np.float32]:
        law, scale = self.law, rows.dtype.type(self.law.scale)
        squares, norms = np.empty(len(rows), dtype=np.float32), np.empty(len(rows), dtype=np.float32)
        with one_at_a_time:
            if law.turned:
                _turn_all(rows, law.centre, scale, self._axes, short, squares, norms, law.complete)
            else:
                _centre_all(rows, law.centre, scale, short, squares, norms)
        if not squares.max(initial=0) < _CALM:  # also where a value is NaN
            require_finite(rows, "rows")
        return norms


@njit
def _add_products(piece, run, axes, width, start, turned, room):  # type: ignore[no-untyped-def]
    """Add what one piece of a block of rows gives to all of its coordinates."""
    for v in range(0, room, BLOCK_COLUMNS):
        task = Product(0, _COLUMNS, run, v * width + start * VECTOR, width * VECTOR, v, room, v, room)
        product_block(piece, axes, turned, turned, task)  # type: ignore[call-arg]  # Numba adds one


@njit(fastmath=_ANY_ORDER)
def _centre(rows, row, centre, scale, start, run, piece, place):  # type: ignore[no-untyped-def]
    """Write one piece of a centred row; return its squared length. Extremes are cut off as ``LowerBound`` does it."""
    total = _ZERO
    for i in range(run):
        value = np.float32(min(max((rows[row, start + i] - centre[start + i]) * scale, -_EXTREME), _EXTREME))
        piece[place + i] = value
        total += value * value
    return total


@njit(fastmath=_ANY_ORDER)
def _copy(values, place, count, target):  # type: ignore[no-untyped-def]
    """Copy some values; return the sum of their squares."""
    total = _ZERO
    for i in range(count):
        value = values[place + i]
        target[i] = value
        total += value * value
    return total


def _compiled_for(sources: str) -> Any:
    """Entries to compiled code; see ``kernel_sources``."""

    @njit(cache=True, parallel=True)
    def turn_all(rows, centre, scale, axes, short, squares, norms, complete):  # type: ignore[no-untyped-def]
        """Write the short vectors of a block of rows at a time: pieces of 128 columns, each a product of its own."""
        sources  # noqa: B018
        width, r = rows.shape[1], short.shape[1] - 1
        room = (r + BLOCK_COLUMNS - 1) // BLOCK_COLUMNS * BLOCK_COLUMNS
        for block in prange(-(-len(rows) // BLOCK_ROWS)):
            first = block * BLOCK_ROWS
            known = min(BLOCK_ROWS, len(rows) - first)
            turned = np.zeros(BLOCK_ROWS * room, dtype=np.float32)
            piece = np.zeros(BLOCK_ROWS * _COLUMNS, dtype=np.float32)
            squares[first : first + known] = _ZERO
            for start in range(0, width, _COLUMNS):
                run = min(_COLUMNS, width - start)
                for p in range(known):
                    squares[first + p] += _centre(rows, first + p, centre, scale, start, run, piece, p * _COLUMNS)
                _add_products(piece, run, axes, width, start, turned, room)
            for p in range(known):
                kept = _copy(turned, p * room, r, short[first + p])
                tail = _ZERO if complete else np.sqrt(max(squares[first + p] - kept, _ZERO))
                short[first + p, r], norms[first + p] = tail, kept + tail * tail

    @njit(cache=True, parallel=True)
    def centre_all(rows, centre, scale, short, squares, norms):  # type: ignore[no-untyped-def]
        """Write centred rows; there is no tail."""
        sources  # noqa: B018
        width = rows.shape[1]
        for row in prange(len(rows)):
            line, total = short[row], _ZERO
            for start in range(0, width, _COLUMNS):
                total += _centre(rows, row, centre, scale, start, min(_COLUMNS, width - start), line, start)
            line[width], squares[row], norms[row] = _ZERO, total, total

    return turn_all, centre_all


_turn_all, _centre_all = _compiled_for(kernel_sources())
