"""Exact greedy k-center in shells: what is known of a row can only fall, so only rows that may be farthest matter.

Each round takes the rows above a floor, brings them up to date with the centres they have not met, and picks among
those that stay above it, farthest first, for as long as the farthest beats everything outside. A row that has come
close to some centre is not touched again until the radius has come down to it. Short vectors prove most pairs
irrelevant; the others are measured on whole rows by differences. The answer is that of the plain loop on such
distances, so nothing but the rows and their order decides it: not the threads, the parts they are read in, or the width
of the short vectors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from patchcore_plugin.lower_bound import UNIT, expansion_error
from patchcore_plugin.samplers.numba_pruning import (
    CHOSEN,
    MEASURED,
    MET,
    NEAR,
    Law,
    bring_closer,
    measure_each_other,
    pick_inside,
    task_order,
)
from patchcore_plugin.samplers.panels import GrowingPanels
from patchcore_reference.numba_kernels import one_at_a_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from patchcore_plugin.samplers.short_rows import ShortRows

_SHELL = 0.96  # of the largest squared distance: the floor of the next shell; any share is right
_MOST = 2048  # candidates at a time, whose mutual distances are kept
_LEAST = 128


class Shells:
    """A coreset while it grows.

    ``rest`` is how far (squared) the farthest row is from all that was chosen; known when the growing is over.
    """

    def __init__(self, table: ShortRows, most: int, first: int) -> None:
        self.table, self.most = table, most
        total, width = table.embeddings.shape
        self.known = np.full(total, np.inf, dtype=table.dtype)  # squared distance to the nearest centre met so far
        self.seen = np.zeros(total, dtype=np.int32)  # how many centres each row has met
        self.panels = GrowingPanels(table.law.width, width, table.dtype, most)
        self.rest = 0.0
        self.rounds = 0
        self.counts = np.zeros(3, dtype=np.int64)
        self._rows: list[npt.NDArray[np.int64]] = []
        self._heights: list[npt.NDArray[np.float64]] = []
        self._law = _law(table)
        self._choose(np.array([first]), np.array([np.inf]))

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """The rows chosen, in order."""
        return np.concatenate(self._rows)

    @property
    def radii(self) -> npt.NDArray[np.float64]:
        """How far the farthest row was after each choice: where the next choice lay, and at last ``rest``."""
        squares = np.append(np.concatenate(self._heights)[1:], self.rest)
        return np.asarray(np.sqrt(squares), dtype=np.float64)

    def grow(self, enough: float, progress: Callable[[int, float], None]) -> None:
        """Pick up to ``most`` rows, fewer where all rows lie within ``enough`` (squared) of them before.

        ``progress`` hears after each round how many are chosen and how far (squared) the farthest row may be.
        """
        self._meet_first()
        top = float(self.known.max())
        while top > 0:
            progress(self.done, top)
            if self._pick_shell(enough):
                return
            top = float(self.known.max())
        if enough < 0 and top == 0:
            self._take_duplicates()

    @property
    def done(self) -> int:
        """Rows chosen so far."""
        return self.panels.count

    def shares(self) -> dict[str, float]:
        """What became of all pairs of a row and a centre, as shares of their number."""
        pairs = len(self.known) * self.done
        met, near, measured = (min(1.0, int(self.counts[kind]) / pairs) for kind in (MET, NEAR, MEASURED))
        return {
            "never met": 1 - met,
            "cut by short vectors": met - near,
            "cut later": near - measured,
            "measured": measured,
        }

    def _pick_shell(self, enough: float) -> bool:
        """One round; say whether the growing is over."""
        top = self.known.max()
        floor = min(top * top.dtype.type(_SHELL), np.nextafter(top, top.dtype.type(0)))
        shell = [self._bring_closer(rows, floor) for rows in self._above(floor)]
        most = int(np.clip(2 * len(self._rows[-1]), _LEAST, _MOST))
        rows, floor, rival = _farthest(np.sort(np.concatenate(shell)), self.known, floor, most)
        self.rounds += 1
        return len(rows) > 0 and self._pick_among(rows, floor, rival, enough)

    def _meet_first(self) -> None:
        for block in self.table.blocks():
            rows = np.arange(block.start, block.stop)
            self._bring_closer(rows[self.known[block] >= 0], self.known.dtype.type(0))

    def _above(self, floor: Any) -> list[npt.NDArray[np.int64]]:
        """Rows known to lie above the floor, in parts that are read together."""
        rows = np.flatnonzero(self.known > floor)
        step = len(rows) if self.table.in_memory else self.table.at_once
        return [rows[start : start + step] for start in range(0, len(rows), step)]

    def _bring_closer(self, rows: npt.NDArray[np.int64], floor: Any) -> npt.NDArray[np.int64]:
        """Bring rows up to date; give those that stay above the floor."""
        looked_up, spots, where = self.table.look_up(rows)
        order = np.argsort(self.seen[rows], kind="stable")  # rows that have met the same centres meet others together
        known, seen = self.known[rows][order], self.seen[rows][order].astype(np.int64)
        tasks = task_order(len(rows))
        counts = np.zeros((len(tasks), 3), dtype=np.int64)
        with one_at_a_time:
            bring_closer(
                self._law,
                looked_up,
                spots[order],
                where[order],
                self.panels.panels,
                self.panels.full,
                known,
                seen,
                self.done,
                floor,
                tasks,
                counts,
            )
        self.counts += counts.sum(axis=0)
        self.known[rows[order]], self.seen[rows[order]] = known, seen
        return rows[np.flatnonzero(self.known[rows] > floor)]

    def _pick_among(self, rows: npt.NDArray[np.int64], floor: Any, rival: int, enough: float) -> bool:
        looked_up, spots, where = self.table.look_up(rows)
        own = GrowingPanels(self.table.law.width, 0, self.table.dtype, len(rows))
        own.add(looked_up.short[spots], looked_up.norms[spots], looked_up.slack[spots], None)
        near = np.full((len(rows), len(rows)), np.inf, dtype=self.known.dtype)
        known = self.known[rows]
        room = self.most + 1 - self.done
        picked, heights = np.empty(min(room, len(rows)), np.int64), np.empty(min(room, len(rows)))
        with one_at_a_time:
            measure_each_other(self._law, looked_up, spots, where, own.panels, known.max(), near)
        done, rest = pick_inside(rows, known, near, floor, rival, enough, picked, heights)
        over = done == room or rest != CHOSEN
        self.rest = rest if rest != CHOSEN else float(heights[done - 1]) if over else self.rest
        done -= done == room  # the one pick too many only told how far the farthest row is
        self.known[rows] = known
        self._choose(rows[picked[:done]], heights[:done])
        self.seen[rows] = self.done
        return bool(over)

    def _choose(self, rows: npt.NDArray[np.int64], heights: npt.NDArray[np.float64]) -> None:
        looked_up, spots, where = self.table.look_up(np.sort(rows))
        place = np.argsort(np.argsort(rows))  # rows are looked up in ascending order
        spots, where = spots[place], where[place]
        self.panels.add(looked_up.short[spots], looked_up.norms[spots], looked_up.slack[spots], looked_up.full[where])
        self.known[rows] = CHOSEN
        self._rows.append(rows)
        self._heights.append(heights)

    def _take_duplicates(self) -> None:
        """Every row left equals a chosen one: the lowest come first."""
        rows = np.flatnonzero(self.known == 0)[: self.most - self.done]
        self._rows.append(rows)
        self._heights.append(np.zeros(len(rows)))


def _law(table: ShortRows) -> Law:
    width, short = table.embeddings.shape[1], table.law.width
    return Law(
        scale=table.law.scale,
        measured=1 + (width / 16 + 40) * UNIT,  # see ``square_between``; more than the half of it would do
        expansion=float(expansion_error(short, 1.0, 0.0)),
        tiny=float(expansion_error(short, 0.0, 0.0)),
        underflow=width * 2.0**-126,
    )


def _farthest(
    rows: npt.NDArray[np.int64], known: npt.NDArray[Any], floor: Any, most: int
) -> tuple[npt.NDArray[np.int64], Any, int]:
    """Keep the ``most`` farthest rows, lower rows before equal ones; say how far the best row left out is, and which.

    While nothing above the floor is left out, no row outside may be chosen before the floor is reached: rival -1.
    """
    if len(rows) <= most:
        return rows, floor, -1
    values = known[rows]
    floor = np.partition(values, len(rows) - most - 1)[len(rows) - most - 1]
    above, level = rows[values > floor], rows[values == floor]
    taken = most - len(above)
    return np.sort(np.concatenate([above, level[:taken]])), floor, int(level[taken])
