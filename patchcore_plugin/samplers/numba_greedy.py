"""Greedy coreset, compiled: what numpy-greedy chooses, up to rounding, in a small part of its time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from patchcore_plugin.samplers.farthest_first import FarthestFirst
from patchcore_reference.numba_kernels import greedy_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from patchcore_plugin.arrays import Embeddings, Rows


@dataclass(frozen=True, kw_only=True)
class NumbaGreedy(FarthestFirst):
    """Farthest-first by compiled code on all cores, which measures only the pairs that can matter."""

    def _pick(self, rows: Embeddings, count: int, first: int, progress: Callable[[int, int], None] | None) -> Rows:
        return greedy_rows(rows, count=count, first=first, progress=progress)
