"""The plain half of pruned-greedy: rows meet centres by differences, where short vectors would not pay for themselves.

Distances are those of ``numba_pruning``, bit by bit, so it makes no difference to the answer which half was at work.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

from patchcore_plugin.kernel_sources import kernel_sources
from patchcore_plugin.samplers import numba_pair_distances as distances
from patchcore_plugin.samplers.numba_pair_distances import A_ROWS, B_ROWS
from patchcore_plugin.samplers.numba_pruning import MEASURED, MET, NEAR, TASK

squares_between: Any = distances.squares_between  # intrinsics have no type information

_CENTRES = 8 * B_ROWS  # met in one go: they stay in the second-level cache while all rows of a task meet them


@njit
def _room(known):  # type: ignore[no-untyped-def]
    """Places of a block of rows and others, and room for their squares."""
    return np.empty(A_ROWS, np.int64), np.empty(B_ROWS, np.int64), np.empty((A_ROWS, B_ROWS), known.dtype)


@njit
def _measure_task(full, where, centres, known, seen, done, floor, counts):  # type: ignore[no-untyped-def]
    rows, others, squares = _room(known)
    left = np.flatnonzero(seen < done)
    start = seen.min()
    while start < done and len(left):
        stop = min(start + _CENTRES, done)
        for first in range(start, stop, B_ROWS):
            met = _meet(full, where, centres, known, seen, left, first, stop, floor, rows, others, squares)
            for kind in (MET, NEAR, MEASURED):
                counts[kind] += met
        left = left[known[left] > floor]
        start = stop


@njit
def _meet(full, where, centres, known, seen, left, first, stop, floor, rows, others, squares):  # type: ignore[no-untyped-def]
    """Measure the rows that are above the floor against a few centres; return how many pairs that were."""
    for q in range(B_ROWS):
        others[q] = min(first + q, stop - 1)  # beyond the last centre the last one is measured again
    met, done = 0, min(first + B_ROWS, stop)
    for start in range(0, len(left), A_ROWS):
        last = min(len(left), start + A_ROWS) - 1
        if known[left[start]] <= floor and known[left[last]] <= floor:
            continue
        for p in range(A_ROWS):
            rows[p] = where[left[min(start + p, last)]]
        squares_between(full, rows, centres, others, squares)
        for p in range(last + 1 - start):
            place = left[start + p]
            for q in range(B_ROWS):
                known[place] = min(known[place], squares[p, q])
            seen[place] = max(seen[place], done)
        met += (last + 1 - start) * (done - first)
    return met


@njit
def _measure_block(full, where, near, block):  # type: ignore[no-untyped-def]
    """Measure ``A_ROWS`` candidates against all that come after them."""
    rows, others, squares = _room(near)
    first, last = block * A_ROWS, len(where) - 1
    for p in range(A_ROWS):
        rows[p] = where[min(first + p, last)]
    for start in range(first + 1, last + 1, B_ROWS):
        for q in range(B_ROWS):
            others[q] = where[min(start + q, last)]
        squares_between(full, rows, full, others, squares)
        for p in range(min(A_ROWS, last + 1 - first)):
            for q in range(min(B_ROWS, last + 1 - start)):
                near[first + p, start + q], near[start + q, first + p] = squares[p, q], squares[p, q]


def _compiled_for(sources: str) -> Any:
    """Entries to compiled code; see ``kernel_sources``."""

    @njit(cache=True, parallel=True)
    def measure_closer(full, where, centres, known, seen, done, floor, order, counts):  # type: ignore[no-untyped-def]
        """Bring rows up to date with the centres they have not met, until they fall to the floor.

        Shapes: full (n, D), where int64 (m,): places in it; all others as in ``numba_pruning.bring_closer``.
        """
        sources  # noqa: B018
        for turn in prange(len(order)):
            first = order[turn] * TASK
            task = slice(first, min(len(where), first + TASK))
            _measure_task(full, where[task], centres, known[task], seen[task], done, floor, counts[turn])

    @njit(cache=True, parallel=True)
    def measure_all(full, where, near):  # type: ignore[no-untyped-def]
        """Fill ``near`` (n, n) with the squared distances of the rows of ``full`` at the places ``where`` (n,)."""
        sources  # noqa: B018
        blocks = (len(where) + A_ROWS - 1) // A_ROWS
        for task in prange((blocks + 1) // 2):  # an early block with the late one that makes up for its work
            _measure_block(full, where, near, task)
            if blocks - 1 - task > task:
                _measure_block(full, where, near, blocks - 1 - task)

    return measure_closer, measure_all


measure_closer, measure_all = _compiled_for(kernel_sources())
