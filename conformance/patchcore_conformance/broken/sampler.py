"""Samplers with one mistake each, as real authors make them."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from patchcore_conformance.broken.registry import broken
from patchcore_conformance.model.sampler import Greedy, Selection

_EXACT = {"level": "exact", "arith": "E0"}


@broken("sampler", "one row too many", caught_by=("S01",), **_EXACT)
class OneMore(Greedy):
    """Counts the start apart."""

    def how_many(self, total: int) -> int:
        return min(total, super().how_many(total) + 1)


@broken("sampler", "a share cut off", caught_by=("S01",), level="subset")
def cut_share(keep: float = 0.5, seed: int = 0) -> Greedy:
    """Make a sampler of int(keep * total) rows."""
    return _CutShare(keep=keep, seed=seed)


class _CutShare(Greedy):
    def how_many(self, total: int) -> int:
        return max(1, int(self.keep * total))


@broken("sampler", "no rows asked for, one answered", caught_by=("S01",), **_EXACT)
class AtLeastOne(Greedy):
    """Takes 0 for the default."""

    def how_many(self, total: int) -> int:
        return max(1, self.count or 0) if self.count is not None else super().how_many(total)


@broken("sampler", "row numbers as floats", caught_by=("S01",), **_EXACT)
class AsFloats(Greedy):
    """Answers floats."""

    def answer(self, rows: list[int]) -> Any:
        return np.array(rows, dtype=np.float64)


@broken("sampler", "drawn with replacement", caught_by=("S01",), level="subset")
class Repeating(Greedy):
    """Draws rows that may come twice."""

    def select(self, embeddings: Any) -> Any:
        """Choose rows of (N, D)."""
        total = len(embeddings)
        return np.random.default_rng(self.seed).integers(total, size=self.how_many(total))


@broken("sampler", "zeroed instead of masked", caught_by=("S02",), **_EXACT)
class Zeroed(Greedy):
    """Relies on distance 0 to keep a row from being chosen again."""

    def farthest(self, near: Any, taken: Any) -> int:  # noqa: ARG002 - the mistake
        return int(np.argmax(near))


@broken("sampler", "equal rows merged first", caught_by=("S02",), level="subset")
class Merged(Greedy):
    """Chooses among different rows only, and has too few of them."""

    def select(self, embeddings: Any) -> Any:
        """Choose rows of (N, D)."""
        _, origins = np.unique(embeddings, axis=0, return_index=True)
        count = min(self.how_many(len(embeddings)), len(origins))
        return origins[Greedy(count=count, seed=self.seed).select(np.asarray(embeddings)[origins])]


@broken("sampler", "sums of absolute differences", caught_by=("S03",), **_EXACT)
class Absolute(Greedy):
    """Measures another distance."""

    def squares(self, points: Any, row: int) -> Any:
        return np.square(np.abs(points - points[row]).sum(axis=1))


@broken("sampler", "largest difference, approximate", caught_by=("S06",), level="approx")
class Largest(Greedy):
    """Measures the largest difference of any column."""

    def squares(self, points: Any, row: int) -> Any:
        return np.square(np.abs(points - points[row]).max(axis=1))


@broken("sampler", "sums of absolute differences, approximate", caught_by=("S06",), level="approx")
class AbsoluteApproximate(Absolute):
    """The same as above at a lower level."""


@broken("sampler", "rows brought to length 1", caught_by=("S03",), **_EXACT)
class Normalised(Greedy):
    """Compares directions."""

    def read(self, embeddings: Any) -> Any:
        points = embeddings.astype(np.float64)
        return points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)


@broken("sampler", "rows brought to length 1, approximate", caught_by=("S06",), level="approx")
class NormalisedApproximate(Normalised):
    """The same at a lower level."""


@broken("sampler", "sums instead of minima", caught_by=("S03",), **_EXACT)
class Summed(Greedy):
    """Takes the row with the largest sum of distances."""

    def nearer(self, near: Any, squares: Any) -> Any:
        return squares if np.isinf(near).all() else near + squares


@broken("sampler", "distance to the last choice only", caught_by=("S03",), **_EXACT)
class LastOnly(Greedy):
    """Forgets earlier choices."""

    def nearer(self, near: Any, squares: Any) -> Any:  # noqa: ARG002 - the mistake
        return squares


@broken("sampler", "roots once, squares later", caught_by=("S03",), **_EXACT)
class Mixed(Greedy):
    """Starts from distances and updates with squares."""

    def nearer(self, near: Any, squares: Any) -> Any:
        return np.sqrt(squares) if np.isinf(near).all() else np.minimum(near, squares)


@broken("sampler", "no remainder of columns", caught_by=("S03",), **_EXACT)
class WholeRegisters(Greedy):
    """Leaves out what does not fill eight columns."""

    def read(self, embeddings: Any) -> Any:
        width = embeddings.shape[1]
        return embeddings[:, : max(width % 8 if width < 8 else 0, width - width % 8)].astype(np.float64)


@broken("sampler", "no remainder of columns, approximate", caught_by=("S06",), level="approx")
class WholeRegistersApproximate(WholeRegisters):
    """The same at a lower level."""


@broken("sampler", "sorted row numbers", caught_by=("S03", "S07"), **_EXACT, prefix_stable=True)
class Sorted(Greedy):
    """Loses the order of selection."""

    def answer(self, rows: list[int]) -> Any:
        return np.sort(super().answer(rows))


@broken("sampler", "start depends on the count", caught_by=("S07",), **_EXACT, prefix_stable=True)
class StartByCount(Greedy):
    """Seeds with the count, too."""

    def first(self, points: Any) -> int:
        return int(np.random.default_rng([self.seed, self.how_many(len(points))]).integers(len(points)))


@broken("sampler", "every other update skipped", caught_by=("S03",), **_EXACT)
class Skipping(Greedy):
    """Updates from the 51st choice on at every second one only."""

    def selection(self, embeddings: Any) -> Selection:
        """Count updates anew."""
        object.__setattr__(self, "updates", 0)
        return super().selection(embeddings)

    def nearer(self, near: Any, squares: Any) -> Any:
        self.__dict__["updates"] += 1
        return near if self.__dict__["updates"] > 50 and self.__dict__["updates"] % 2 else np.minimum(near, squares)


@broken("sampler", "half of the candidates", caught_by=("S04",), **_EXACT)
class HalfLooked(Greedy):
    """Looks at half of the rows where there are more than 150."""

    def farthest(self, near: Any, taken: Any) -> int:
        if len(near) > 150:
            near = np.where(np.random.default_rng(int(taken.sum())).random(len(near)) < 0.5, near, -0.5)
        return super().farthest(near, taken)


@broken("sampler", "projected beyond 256 columns", caught_by=("S03",), **_EXACT)
class ProjectedWhenWide(Greedy):
    """Projects wide rows without saying so."""

    def read(self, embeddings: Any) -> Any:
        width = embeddings.shape[1]
        axes = np.random.default_rng(0).standard_normal((width, 128)) if width > 256 else np.eye(width)
        return embeddings.astype(np.float64) @ axes


@broken("sampler", "chance passed off as a coreset", caught_by=("S06",), level="approx")
class Chance(Greedy):
    """Draws rows."""

    def select(self, embeddings: Any) -> Any:
        """Choose rows of (N, D)."""
        return np.random.default_rng(self.seed).permutation(len(embeddings))[: self.how_many(len(embeddings))]


@broken("sampler", "one projection for all seeds", caught_by=("X06",), level="approx")
class OneProjection(Greedy):
    """Keeps the matrix by its width alone, for all instances."""

    kept: ClassVar[dict[int, Any]] = {}

    def read(self, embeddings: Any) -> Any:
        width = embeddings.shape[1]
        if width <= 128:
            return embeddings.astype(np.float64)
        axes = np.random.default_rng(self.seed).standard_normal((width, 128))
        return (embeddings.astype(np.float64) @ self.kept.setdefault(width, axes)).astype(np.float32)
