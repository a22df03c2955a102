"""How rows meet centres while a coreset grows: by short vectors first, or by differences alone. Both measure alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from patchcore_plugin.lower_bound import UNIT, expansion_error
from patchcore_plugin.samplers.numba_differences import measure_all, measure_closer
from patchcore_plugin.samplers.numba_pair_blocks import LANES
from patchcore_plugin.samplers.numba_pruning import (
    MEASURED,
    MET,
    NEAR,
    Law,
    bring_closer,
    measure_each_other,
    task_order,
)
from patchcore_plugin.samplers.panels import GrowingPanels
from patchcore_reference.numba_kernels import one_at_a_time

if TYPE_CHECKING:
    from patchcore_plugin.samplers.short_rows import ShortRows

# Nanoseconds on a core, as measured; only their ratios matter, and they decide on time alone.
_PER_PRODUCT = 1 / 80  # of a value of a short vector
_PER_NEAR, _PER_MEASURED = 12, 5  # pairs not proven far, and those of them that are measured, one by one
_PER_LONE_VALUE, _PER_VALUE, _PER_PAIR = 1 / 20, 1 / 44, 2  # of a difference: measured alone, and among others
_PATIENCE = 1.25  # times what differences would cost; going back is not possible
_CENTRES, _PAIRS = 4 * LANES, 2**16  # that a round must have met to be judged: among few centres, most are near

Places = npt.NDArray[np.int64]


class Meeting:
    """Rows of a table meet centres, which it keeps. Changes its way for good where pruning turns out not to pay.

    ``counts`` says how many pairs met, how many of them short vectors left, and how many were measured.
    """

    def __init__(self, table: ShortRows, most: int) -> None:
        self.table = table
        width = table.embeddings.shape[1]
        self.centres = GrowingPanels(table.law.width, width, table.dtype, most)
        self.counts = np.zeros(3, dtype=np.int64)
        self.prunes = table.law.width > 1
        self._law = _law(table)

    def add(self, rows: Places) -> None:
        """Append centres, in this order."""
        looked_up, spots, where = self.table.look_up(np.sort(rows))
        place = np.argsort(np.argsort(rows))  # rows are looked up in ascending order
        spots, where = spots[place], where[place]
        self.centres.add(looked_up.short[spots], looked_up.norms[spots], looked_up.slack[spots], looked_up.full[where])

    def bring_closer(self, rows: Places, known: npt.NDArray[Any], seen: npt.NDArray[np.int32], floor: Any) -> None:
        """Bring rows (ascending) up to date, until they fall to the floor: ``known`` (N,) and ``seen`` are changed."""
        looked_up, spots, where = self.table.look_up(rows)
        order = np.argsort(seen[rows], kind="stable")  # rows that have met the same centres meet others together
        squares, met, where = known[rows][order], seen[rows][order].astype(np.int64), where[order]
        centres, tasks = self.centres, task_order(len(rows))
        counts = np.zeros((len(tasks), 3), dtype=np.int64)
        common = squares, met, centres.count, floor, tasks, counts
        with one_at_a_time:
            if self.prunes and centres.count > 1:  # the first centre is near to all rows: none has met any other
                bring_closer(self._law, looked_up, spots[order], where, centres.panels, centres.full, *common)
            else:
                measure_closer(looked_up.full, where, centres.full, *common)
        known[rows[order]], seen[rows[order]] = squares, met
        self._judge(counts.sum(axis=0))

    def among(self, rows: Places, top: Any) -> npt.NDArray[Any]:
        """Squared distances (n, n) of rows from each other; infinity may stand for what is at least ``top``."""
        looked_up, spots, where = self.table.look_up(rows)
        near = np.full((len(rows), len(rows)), np.inf, dtype=self.table.dtype)
        if not self.prunes:
            with one_at_a_time:
                measure_all(looked_up.full, where, near)
            return near
        own = GrowingPanels(self.table.law.width, 0, self.table.dtype, len(rows))
        own.add(looked_up.short[spots], looked_up.norms[spots], looked_up.slack[spots], None)
        with one_at_a_time:
            measure_each_other(self._law, looked_up, spots, where, own.panels, top, near)
        return near

    def _judge(self, counts: npt.NDArray[np.int64]) -> None:
        """Stop pruning once a round shows that differences alone would have been faster."""
        self.counts += counts
        short, width = self.table.law.width, self.table.embeddings.shape[1]
        met, near, measured = (int(counts[kind]) for kind in (MET, NEAR, MEASURED))
        if not self.prunes or self.centres.count < _CENTRES or met < _PAIRS:
            return
        pruning = met * short * _PER_PRODUCT + near * _PER_NEAR + measured * (width * _PER_LONE_VALUE + _PER_MEASURED)
        self.prunes = pruning <= _PATIENCE * met * (width * _PER_VALUE + _PER_PAIR)


def _law(table: ShortRows) -> Law:
    width, short = table.embeddings.shape[1], table.law.width
    return Law(
        scale=table.law.scale,
        measured=1 + (width / 16 + 40) * UNIT,  # see ``square_between``; more than the half of it would do
        expansion=float(expansion_error(short, 1.0, 0.0)),
        tiny=float(expansion_error(short, 0.0, 0.0)),
        underflow=width * 2.0**-126,
    )
