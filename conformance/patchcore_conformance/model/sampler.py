"""Farthest-first in plain NumPy, one step a method: what faulty samplers are derived from by spoiling one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Selection:
    """Rows in order of selection, and the coverage radius after each."""

    rows: npt.NDArray[Any]
    radii: npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class Greedy:
    """A random first row, then always the row farthest from those chosen; ``count`` rows, or the share ``keep``."""

    keep: float = 0.1
    count: int | None = None
    seed: int = 0

    def select(self, embeddings: Any) -> Any:
        """Choose rows of (N, D), int64."""
        return self.selection(embeddings).rows

    def selection(self, embeddings: Any) -> Selection:
        """Choose rows, and measure how far the farthest row is after each choice."""
        points = self.read(self.checked(np.asarray(embeddings)))
        near = np.full(len(points), np.inf)
        taken = np.zeros(len(points), dtype=bool)
        rows: list[int] = []
        radii: list[float] = []
        for _ in range(self.how_many(len(points))):
            row = self.farthest(near, taken) if rows else self.first(points)
            rows.append(row)
            taken[row] = True
            near = self.nearer(near, self.squares(points, row))
            radii.append(float(np.sqrt(near.max())))
        return Selection(self.answer(rows), np.array(radii))

    def checked(self, embeddings: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Refuse all but finite numbers, one row an embedding."""
        if embeddings.ndim != 2 or 0 in embeddings.shape or embeddings.dtype.kind not in "fiu":
            raise ValueError(
                f"embeddings are {embeddings.dtype} {embeddings.shape}, but numbers (rows, width) are needed"
            )
        if not np.isfinite(embeddings).all():
            raise ValueError("embeddings hold NaN or infinity")
        return embeddings

    def how_many(self, total: int) -> int:
        """Number of rows to choose."""
        if self.count is None and not 0 < self.keep <= 1:
            raise ValueError(f"keep is {self.keep}, but a share above 0 and at most 1 is needed")
        count = max(1, round(self.keep * total)) if self.count is None else self.count
        if isinstance(count, bool) or not 1 <= count <= total:
            raise ValueError(f"count is {count}, but 1 to {total} rows can be chosen")
        return count

    def read(self, embeddings: npt.NDArray[Any]) -> Any:
        """Bring the embeddings to what is computed with."""
        return embeddings.astype(np.float64)

    def first(self, points: Any) -> int:
        """Choose the row to start from."""
        return int(np.random.default_rng(self.seed).integers(len(points)))

    def squares(self, points: Any, row: int) -> Any:
        """Squared distances of all rows to one."""
        return np.square(points - points[row]).sum(axis=1)

    def nearer(self, near: Any, squares: Any) -> Any:
        """Keep the distance to the nearest chosen row, now that one more is chosen."""
        return np.minimum(near, squares)

    def farthest(self, near: Any, taken: Any) -> int:
        """Choose the next row: never one that is taken, even where all rows are equal."""
        return int(np.argmax(np.where(taken, -1.0, near)))

    def answer(self, rows: list[int]) -> Any:
        """Make an array of the row numbers."""
        return np.array(rows, dtype=np.int64)


class Telling(Greedy):
    """The same, telling radii too."""

    def select_with_report(self, embeddings: Any) -> Any:
        """Choose rows, and tell how far the farthest row is after each choice."""
        return self.selection(embeddings)


@dataclass(frozen=True, kw_only=True)
class _FromRow(Greedy):
    start: int

    def first(self, points: Any) -> int:  # noqa: ARG002 - the data does not matter here
        return self.start


def farthest_first(points: npt.NDArray[Any], count: int, first: int = 0) -> npt.NDArray[np.int64]:
    """Choose ``count`` rows from a given first one on."""
    return np.asarray(_FromRow(count=count, start=first).select(points), dtype=np.int64)
