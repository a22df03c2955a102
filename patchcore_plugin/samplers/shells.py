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

from patchcore_plugin.samplers.meeting import Meeting
from patchcore_plugin.samplers.numba_pruning import CHOSEN, MEASURED, MET, NEAR, pick_inside

if TYPE_CHECKING:
    from collections.abc import Callable

    from patchcore_plugin.samplers.short_rows import ShortRows

_SHELL = 0.96  # of the largest squared distance: the floor of the next shell; any share is right
_MOST = 2048  # candidates at a time, whose mutual distances are kept
_LEAST = 256
_CROWD, _PART = 8, 10  # where all rows are about equally far, a shell has 8 rows for each candidate, or a tenth of all


class Shells:
    """A coreset while it grows.

    ``rest`` is how far (squared) the farthest row is from all that was chosen; known when the growing is over.
    """

    def __init__(self, table: ShortRows, most: int, first: int) -> None:
        self.table, self.most = table, most
        total = len(table.embeddings)
        self.known = np.full(total, np.inf, dtype=table.dtype)  # squared distance to the nearest centre met so far
        self.seen = np.zeros(total, dtype=np.int32)  # how many centres each row has met
        self.meeting = Meeting(table, most)
        self.rest = 0.0
        self.rounds = 0
        self._rows: list[npt.NDArray[np.int64]] = []
        self._heights: list[npt.NDArray[np.float64]] = []
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
        return self.meeting.centres.count

    def shares(self) -> dict[str, float]:
        """What became of all pairs of a row and a centre, as shares of their number."""
        pairs = len(self.known) * self.done
        met, near, measured = (min(1.0, int(self.meeting.counts[kind]) / pairs) for kind in (MET, NEAR, MEASURED))
        return {
            "never met": 1 - met,
            "cut by short vectors": met - near,
            "cut later": near - measured,
            "measured": measured,
        }

    def _pick_shell(self, enough: float) -> bool:
        """One round; say whether the growing is over."""
        most = int(np.clip(2 * len(self._rows[-1]), _LEAST, _MOST))
        floor = _floor(self.known, max(_CROWD * most, len(self.known) // _PART))
        shell = [self._bring_closer(rows, floor) for rows in self._above(floor)]
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
        self.meeting.bring_closer(rows, self.known, self.seen, floor)
        return rows[np.flatnonzero(self.known[rows] > floor)]

    def _pick_among(self, rows: npt.NDArray[np.int64], floor: Any, rival: int, enough: float) -> bool:
        known = self.known[rows]
        near = self.meeting.among(rows, known.max())
        room = self.most + 1 - self.done
        picked, heights = np.empty(min(room, len(rows)), np.int64), np.empty(min(room, len(rows)))
        done, rest = pick_inside(rows, known, near, floor, rival, enough, picked, heights)
        over = done == room or rest != CHOSEN
        self.rest = rest if rest != CHOSEN else float(heights[done - 1]) if over else self.rest
        done -= done == room  # the one pick too many only told how far the farthest row is
        self.known[rows] = known
        self._choose(rows[picked[:done]], heights[:done])
        self.seen[rows] = self.done
        return bool(over)

    def _choose(self, rows: npt.NDArray[np.int64], heights: npt.NDArray[np.float64]) -> None:
        self.meeting.add(rows)
        self.known[rows] = CHOSEN
        self._rows.append(rows)
        self._heights.append(heights)

    def _take_duplicates(self) -> None:
        """Every row left equals a chosen one: the lowest come first."""
        rows = np.flatnonzero(self.known == 0)[: self.most - self.done]
        self._rows.append(rows)
        self._heights.append(np.zeros(len(rows)))


def _floor(known: npt.NDArray[Any], crowd: int) -> Any:
    """How far rows of the next shell are at least: a share of the farthest, or more than all but about ``crowd``."""
    top = known.max()
    floor = top * top.dtype.type(_SHELL)
    above = known[known > floor]
    if len(above) > crowd:
        floor = np.partition(above, len(above) - crowd)[len(above) - crowd]
    return min(floor, np.nextafter(top, top.dtype.type(0)))


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
