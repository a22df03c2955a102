"""Where rows lie for a library that works in float32: around zero, about as large as one."""

from __future__ import annotations

from math import ceil, log2
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from patchcore_plugin.arrays import Embeddings

_ROWS_AT_ONCE = 4096  # bounds the float64 scratch memory
_LEAST_POWER = -1000  # of a factor's inverse: the factor itself must not overflow
_FARTHEST = 1e15  # values beyond, of queries alone, are cut: their squares must stay within float32


class Placing(NamedTuple):
    """A shift and a factor, a power of two, which together lose no more than one rounding to float32 a value.

    Features after a ReLU share a large mean, in which |q|^2 - 2 q.b + |b|^2 cancels; their squares may overflow.
    """

    centre: npt.NDArray[np.float64]
    factor: float

    @classmethod
    def of(cls, bank: Embeddings) -> Placing:
        """Place a bank (M, D) around its mean."""
        centre = bank.mean(axis=0, dtype=np.float64)
        largest = max(float(np.abs(block - centre).max()) for block in _blocks(bank))
        return cls(centre, 2.0 ** -max(ceil(log2(largest)), _LEAST_POWER) if largest > 0 else 1.0)

    def place(self, rows: Embeddings) -> npt.NDArray[np.float32]:
        """Shift and scale rows (n, D), into a new array."""
        placed = np.empty(rows.shape, dtype=np.float32)
        for start, block in enumerate(_blocks(rows)):
            with np.errstate(over="ignore"):  # of what is cut next
                moved = (block - self.centre) * self.factor
            np.clip(moved, -_FARTHEST, _FARTHEST, out=moved)
            placed[start * _ROWS_AT_ONCE : start * _ROWS_AT_ONCE + len(block)] = moved
        return placed


def _blocks(rows: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    return [rows[start : start + _ROWS_AT_ONCE] for start in range(0, len(rows), _ROWS_AT_ONCE)]
