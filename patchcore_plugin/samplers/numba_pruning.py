"""The compiled half of pruned-greedy: which centres may be near, how near they are, and the picking inside a shell."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit, prange

from patchcore_plugin.kernel_sources import kernel_sources
from patchcore_plugin.samplers import numba_pair_blocks as blocks
from patchcore_plugin.samplers import numba_pair_distances as distances
from patchcore_plugin.samplers.numba_pair_blocks import BLOCK, LANES

lowest_bit: Any = blocks.lowest_bit  # intrinsics have no type information
near_block: Any = blocks.near_block
square_between: Any = distances.square_between

CHOSEN = -1.0  # below every squared distance: a chosen row cannot be the farthest
_PANELS = 5  # met in one go: the full rows of their centres then lie in the cache while some of them are measured
TASK = 64  # rows that a thread takes at a time
MET, NEAR, MEASURED = 0, 1, 2  # what is counted: pairs of short vectors, those not proven far, full distances


class Rows(NamedTuple):
    """Rows and what describes them; places in ``full`` and in the short vectors may differ."""

    full: Any  # (n, D) embeddings
    short: Any  # float32 (m, w)
    norms: Any  # float32 (m,) squared lengths of the short vectors
    slack: Any  # float32 (m,)


class Panels(NamedTuple):
    """Short vectors of centres, side by side in panels as ``near_block`` wants them, less than infinitely long."""

    values: Any  # float32 (P, w + 1, LANES)
    lengths: Any  # float32 (P,): the longest short vector of each panel
    slack: Any  # float32 (P,): the largest slack of each panel


class Law(NamedTuple):
    """How a known distance becomes a limit for short squares, whatever rounding does; see ``lower_bound``."""

    scale: float
    measured: float  # 1 + relative error of a measured distance
    expansion: float  # error of an expanded square, relative to the squared sum of both lengths
    tiny: float  # what an expanded square may lose by underflow
    underflow: float  # what a measured square may lose by it


@njit
def _limit(law, rows, spot, square, slack, length):  # type: ignore[no-untyped-def]
    """The sum in a panel from which on no measured square can be below ``square``; rounded up to float32."""
    norm = np.float64(rows.norms[spot])
    needed = np.sqrt(np.float64(square) + law.underflow) * law.measured * law.scale + slack + rows.slack[spot]
    reach = np.sqrt(norm) * 1.000001 + length
    above = (needed * needed + law.expansion * reach * reach) * 1.000001 + law.tiny - norm
    return np.float32(above + np.abs(above) * 2e-7)


@njit
def _settle(law, rows, spot, where, centres, found, values, known, slack, length, counts):  # type: ignore[no-untyped-def]
    """Measure one row against the centres that may be near: the most promising first, so that most others fall."""
    best = np.argmin(values)
    known = min(known, square_between(rows.full, where, centres, found[best]))
    counts[MEASURED] += 1
    limit = _limit(law, rows, spot, known, slack, length)
    for n in range(len(found)):
        if n != best and values[n] < limit:
            square = square_between(rows.full, where, centres, found[n])
            counts[MEASURED] += 1
            if square < known:
                known = square
                limit = _limit(law, rows, spot, known, slack, length)
    return known


@njit
def _collect(near, sums, panel, count, found, values, totals):  # type: ignore[no-untyped-def]
    """Append the marked centres of one panel to each row's list."""
    for p in range(count):
        bits, n = near[p], totals[p]
        while bits:
            lane = lowest_bit(bits)
            found[p, n], values[p, n] = panel * LANES + lane, sums[p, lane]
            bits &= bits - np.uint64(1)
            n += 1
        totals[p] = n


@njit
def _bring_task_closer(law, rows, spots, where, panels, centres, known, seen, done, floor, counts):  # type: ignore[no-untyped-def]
    left = np.flatnonzero(seen < done)
    panel = seen.min() // LANES
    while panel * LANES < done and len(left):
        last = min(panel + _PANELS, (done + LANES - 1) // LANES)
        for start in range(0, len(left), BLOCK):
            _meet(law, rows, spots, where, panels, centres, known, left[start : start + BLOCK], panel, last, counts)
        seen[left] = min(done, last * LANES)
        left = left[known[left] > floor]
        panel = last


@njit
def _meet(law, rows, spots, where, panels, centres, known, block, panel, last, counts):  # type: ignore[no-untyped-def]
    """Let up to ``BLOCK`` rows meet some panels, then settle each."""
    places, limits, totals = np.empty(BLOCK, np.int64), np.empty(BLOCK, np.float32), np.zeros(BLOCK, np.int64)
    sums, near = np.empty((BLOCK, LANES), np.float32), np.empty(BLOCK, np.uint64)
    found, values = np.empty((BLOCK, _PANELS * LANES), np.int64), np.empty((BLOCK, _PANELS * LANES), np.float32)
    slack, length = panels.slack[panel:last].max(), panels.lengths[panel:last].max()
    for p in range(BLOCK):
        place = block[min(p, len(block) - 1)]
        places[p] = spots[place]
        limits[p] = _limit(law, rows, spots[place], known[place], slack, length)
    for one in range(panel, last):
        near_block(rows.short, places, panels.values, one, limits, sums, near)
        _collect(near, sums, one, len(block), found, values, totals)
    counts[MET] += len(block) * (last - panel) * LANES
    for p in range(len(block)):
        n = totals[p]
        counts[NEAR] += n
        if n:
            row, spot = block[p], places[p]
            known[row] = _settle(
                law, rows, spot, where[row], centres, found[p, :n], values[p, :n], known[row], slack, length, counts
            )


@njit
def _measure_block(law, rows, spots, where, panels, top, near, block):  # type: ignore[no-untyped-def]
    """Measure ``BLOCK`` candidates against all that come after them."""
    places, limits = np.empty(BLOCK, np.int64), np.empty(BLOCK, np.float32)
    sums, marks = np.empty((BLOCK, LANES), np.float32), np.empty(BLOCK, np.uint64)
    start = block * BLOCK
    stop = min(len(spots), start + BLOCK)
    slack, length = panels.slack.max(), panels.lengths.max()
    for p in range(BLOCK):
        places[p] = spots[min(start + p, stop - 1)]
        limits[p] = _limit(law, rows, places[p], top, slack, length)
    for panel in range(start // LANES, len(panels.values)):
        near_block(rows.short, places, panels.values, panel, limits, sums, marks)
        for row in range(start, stop):
            bits = marks[row - start]
            while bits:
                other = panel * LANES + lowest_bit(bits)
                bits &= bits - np.uint64(1)
                if other > row:
                    square = square_between(rows.full, where[row], rows.full, where[other])
                    near[row, other], near[other, row] = square, square


@njit(cache=True)
def pick_inside(numbers, known, near, floor, rival, enough, picked, heights):  # type: ignore[no-untyped-def]
    """Pick candidates while the farthest of them beats (floor, rival), the best row outside.

    Shapes: numbers int64 (n,), ascending; known (n,), squared, changed; near (n, n); ``picked`` int64 and ``heights``
            are filled with places among the candidates and how far (squared) each lay when it was its turn.
    Returns how many were picked, and the height at which everything lies within ``enough`` (squared), or -1.
    """
    for done in range(len(picked)):
        best = np.argmax(known)  # the first of equal ones: the lower row
        top = known[best]
        if top < floor or (top == floor and numbers[best] > rival):
            return done, CHOSEN
        if top <= enough:
            return done, top
        picked[done], heights[done], known[best] = best, top, CHOSEN
        for n in range(len(known)):
            known[n] = min(known[n], near[best, n])
    return len(picked), CHOSEN


def task_order(rows: int) -> npt.NDArray[np.int64]:
    """Spread the tasks so that every thread gets some of each kind: neighbours in line cost alike."""
    tasks = np.arange(-(-rows // TASK), dtype=np.int64)
    return np.concatenate([tasks[n::16] for n in range(16)])


def _compiled_for(sources: str) -> Any:
    """Entries to compiled code; see ``kernel_sources``."""

    @njit(cache=True, parallel=True)
    def bring_closer(law, rows, spots, where, panels, centres, known, seen, done, floor, order, counts):  # type: ignore[no-untyped-def]
        """Bring rows up to date with the centres they have not met, until they fall to the floor.

        Shapes: spots, where int64 (n,): places in the short vectors and in the full rows; centres (M, D); known (n,),
                squared, and seen int64 (n,): both changed; order: in which tasks of ``TASK`` rows are done; counts
                int64 (tasks, 3), added to.
        """
        sources  # noqa: B018
        for turn in prange(len(order)):
            first = order[turn] * TASK
            task = slice(first, min(len(spots), first + TASK))
            own = spots[task], where[task]
            _bring_task_closer(law, rows, *own, panels, centres, known[task], seen[task], done, floor, counts[turn])

    @njit(cache=True, parallel=True)
    def measure_each_other(law, rows, spots, where, panels, top, near):  # type: ignore[no-untyped-def]
        """Fill ``near`` (n, n) with the squared distances of candidates that may be less than ``top`` (squared) apart.

        ``panels`` holds the candidates themselves, in the same order.
        """
        sources  # noqa: B018
        blocks = (len(spots) + BLOCK - 1) // BLOCK
        for task in prange((blocks + 1) // 2):  # an early block with the late one that makes up for its work
            _measure_block(law, rows, spots, where, panels, top, near, task)
            if blocks - 1 - task > task:
                _measure_block(law, rows, spots, where, panels, top, near, blocks - 1 - task)

    return bring_closer, measure_each_other


bring_closer, measure_each_other = _compiled_for(kernel_sources())
