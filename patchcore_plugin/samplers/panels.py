"""Centres side by side, as compiled code meets them: short vectors in panels, whole rows one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from patchcore_plugin.samplers.numba_pair_blocks import LANES
from patchcore_plugin.samplers.numba_pruning import Panels

_START = 1024  # rows there is room for at first


class GrowingPanels:
    """Centres in the order they were added; grows by doubling, up to ``most``.

    A panel holds for each of its ``LANES`` centres b the value |b|^2 and then -2b, so that its products with (1, a) are
    |b|^2 - 2ab. Places not taken yet hold infinity and are never near to anything.
    """

    def __init__(self, short_width: int, width: int, dtype: np.dtype[Any], most: int) -> None:
        self.most, self.count = most, 0
        room = min(most, _START)
        self._values = _empty_panels(room, short_width)
        self._lengths = np.zeros(len(self._values), dtype=np.float32)
        self._slack = np.zeros(len(self._values), dtype=np.float32)
        self.full = np.empty((room, width), dtype=dtype)

    @property
    def panels(self) -> Panels:
        """The panels that hold at least one centre."""
        used = -(-self.count // LANES)
        return Panels(self._values[:used], self._lengths[:used], self._slack[:used])

    def add(
        self,
        short: npt.NDArray[np.float32],
        norms: npt.NDArray[np.float32],
        slack: npt.NDArray[np.float32],
        full: npt.NDArray[Any] | None,
    ) -> None:
        """Append centres; ``full`` may be left out where nobody asks for whole rows."""
        self._make_room(self.count + len(short))
        if full is not None:
            self.full[self.count : self.count + len(full)] = full
        panel, lane = np.divmod(np.arange(self.count, self.count + len(short)), LANES)
        self._values[panel, 0, lane] = norms
        self._values[panel, 1:, lane] = -2 * short
        np.maximum.at(self._lengths, panel, np.sqrt(norms) * np.float32(1.000001))
        np.maximum.at(self._slack, panel, slack)
        self.count += len(short)

    def _make_room(self, needed: int) -> None:
        if needed > len(self.full):
            room = max(needed, min(self.most, 2 * len(self.full)))
            panels = _empty_panels(room, self._values.shape[1] - 1)
            panels[: len(self._values)] = self._values
            self._values = panels
            self._lengths, self._slack = (_longer(part, len(panels)) for part in (self._lengths, self._slack))
            self.full = _longer(self.full, room)


def _empty_panels(centres: int, width: int) -> npt.NDArray[np.float32]:
    panels = np.zeros((-(-centres // LANES), width + 1, LANES), dtype=np.float32)
    panels[:, 0] = np.inf
    return panels


def _longer(array: npt.NDArray[Any], rows: int) -> npt.NDArray[Any]:
    longer = np.zeros((rows, *array.shape[1:]), dtype=array.dtype)
    longer[: len(array)] = array
    return longer
