"""Greedy coreset in plain NumPy: the sampler that says what the fast ones must choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from patchcore_plugin.samplers.farthest_first import FarthestFirst
from patchcore_reference.coreset import greedy_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from patchcore_plugin.arrays import Embeddings, Rows


@dataclass(frozen=True, kw_only=True)
class NumpyGreedy(FarthestFirst):
    """Farthest-first by the reference loop: O(N*M*D) time, one pass over all rows for each row kept."""

    def _pick(self, rows: Embeddings, count: int, first: int, progress: Callable[[int, int], None] | None) -> Rows:
        return greedy_rows(rows, count=count, first=first, progress=progress)
