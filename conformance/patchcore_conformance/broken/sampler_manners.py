"""Samplers that mistake the start, the report, the order or the number of rows, not the distance."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from patchcore_conformance.broken.registry import broken
from patchcore_conformance.model.sampler import Greedy, Selection, Telling

_EXACT = {"level": "exact", "arith": "E0"}


@broken("sampler", "squared radii", caught_by=("S08",), **_EXACT)
class SquaredRadii(Telling):
    """Forgets the root."""

    def select_with_report(self, embeddings: Any) -> Any:
        """Choose rows, and tell squares."""
        found = self.selection(embeddings)
        return Selection(found.rows, np.square(found.radii))


@broken("sampler", "radii before the update", caught_by=("S08",), **_EXACT)
class StaleRadii(Telling):
    """Tells the radius that each choice was made at."""

    def select_with_report(self, embeddings: Any) -> Any:
        """Choose rows, and tell radii late."""
        found = self.selection(embeddings)
        return Selection(found.rows, np.concatenate([found.radii[:1], found.radii[:-1]]))


@broken("sampler", "only rows near the last choice", caught_by=("S13",), **_EXACT)
class Window(Greedy):
    """Looks at the half of all rows behind the last choice first."""

    def farthest(self, near: Any, taken: Any) -> int:
        some = np.arange(len(near)) >= (int(np.argmin(near)) % 7 if len(near) > 140 else 0)
        return super().farthest(np.where(some, near, -0.5), taken)


@broken("sampler", "a column early where most values are 0", caught_by=("S12",), **_EXACT)
class Sparse(Greedy):
    """Takes another way for rows that are mostly zeros, and ends it too early."""

    def read(self, embeddings: Any) -> Any:
        mostly_zeros = np.count_nonzero(embeddings) < 0.1 * embeddings.size
        return embeddings[:, :-1].astype(np.float64) if mostly_zeros else embeddings.astype(np.float64)


@broken("sampler", "rows that come often left for last", caught_by=("S14",), **_EXACT)
class Rare(Greedy):
    """Takes what occurs a hundred times for background."""

    def selection(self, embeddings: Any) -> Selection:
        """Count equal rows."""
        _, origin, times = np.unique(np.asarray(embeddings), axis=0, return_inverse=True, return_counts=True)
        object.__setattr__(self, "often", times[origin.reshape(-1)] > 100)
        return super().selection(embeddings)

    def farthest(self, near: Any, taken: Any) -> int:
        return super().farthest(np.where(self.__dict__["often"], -0.5, near), taken)


@broken("sampler", "starts in the first half", caught_by=("S15",), **_EXACT)
class FirstHalf(Greedy):
    """Draws from half of the rows."""

    def first(self, points: Any) -> int:
        return int(np.random.default_rng(self.seed).integers(max(1, len(points) // 2)))


@broken("sampler", "seed ignored", caught_by=("S15",), **_EXACT)
class Unseeded(Greedy):
    """Starts at row 0."""

    def first(self, points: Any) -> int:  # noqa: ARG002 - the mistake
        return 0


@broken("sampler", "row 0 never first", caught_by=("S15",), **_EXACT)
class NeverRow0(Greedy):
    """Draws from 1 on."""

    def first(self, points: Any) -> int:
        return int(np.random.default_rng(self.seed).integers(min(1, len(points) - 1), len(points)))


@broken("sampler", "last block dropped", caught_by=("S16",), **_EXACT)
class WholeBlocks(Greedy):
    """Never looks at rows behind the last full block of 1024."""

    def farthest(self, near: Any, taken: Any) -> int:
        near = near.copy()
        if len(near) > 1024:
            near[len(near) // 1024 * 1024 :] = -0.5
        return super().farthest(near, taken)


@broken("sampler", "row numbers in 16 bits", caught_by=("S16",), level="subset")
class Wrapped(Greedy):
    """Saves memory on row numbers."""

    def answer(self, rows: list[int]) -> Any:
        return np.array(rows).astype(np.int16)


@broken("sampler", "fills up where more is asked for than there is", caught_by=("S17",), level="subset")
class FillsUp(Greedy):
    """Starts over once all rows are chosen."""

    def select(self, embeddings: Any) -> Any:
        """Choose rows of (N, D)."""
        total = len(self.checked(np.asarray(embeddings)))
        if self.count is None or 1 <= self.count <= total:
            return super().select(embeddings)
        return np.arange(self.count) % total if self.count > 0 else Greedy(count=self.count).select(embeddings)


@broken("sampler", "a hidden start", caught_by=("S18",), **_EXACT)
class HiddenStart(Greedy):
    """Measures from a row that it does not answer."""

    def selection(self, embeddings: Any) -> Selection:
        """Choose one more, and leave out the first."""
        total = len(embeddings)
        count = self.how_many(total)
        found = Greedy(count=min(total, count + 1), seed=self.seed).selection(embeddings)
        return Selection(found.rows[-count:], found.radii[-count:])


@broken("sampler", "a table of all pairs", caught_by=("S20",), profile="thorough", level="subset")
@dataclass(frozen=True, kw_only=True)
class AllPairs(Greedy):
    """Measures everything beforehand."""

    def read(self, embeddings: Any) -> Any:
        points = embeddings.astype(np.float32)
        sizes = np.square(points).sum(axis=1)
        return sizes[:, None] - 2 * points @ points.T + sizes[None, :]

    def squares(self, points: Any, row: int) -> Any:
        return points[row]


@broken("sampler", "16 bits for a row number", caught_by=("S16",), level="subset")
class SixteenBits(Greedy):
    """Answers row numbers that no row beyond 65,535 can have; nothing else shows where rows come by chance."""

    def select(self, embeddings: Any) -> Any:
        """Draw rows of (N, D)."""
        total = len(self.checked(np.asarray(embeddings)))
        drawn = np.random.default_rng(self.seed).permutation(total)
        return drawn[: self.how_many(total)].astype(np.uint16)


@broken("sampler", "16 bits on the way to a row number", caught_by=("S16",), level="subset")
class SixteenBitsInside(SixteenBits):
    """Answers row numbers of the right kind that were cut before."""

    def select(self, embeddings: Any) -> Any:
        """Draw rows of (N, D)."""
        return super().select(embeddings).astype(np.int64)


@broken("sampler", "a short last block never brought closer", caught_by=("S16",), **_EXACT)
class ShortBlock(Greedy):
    """Leaves up to seven rows behind the last full block of 4096 as far as they were at the start."""

    def nearer(self, near: Any, squares: Any) -> Any:
        after = super().nearer(near, squares)
        rest = len(near) % 4096
        if rest < 8 and len(near) > 4096:
            after[len(near) - rest :] = near[len(near) - rest :]
        return after


@broken("sampler", "ties by the number of processors", caught_by=("X06",), **_EXACT)
class TiesByProcessors(Greedy):
    """Gives each processor a share of the rows; among equals the last share wins."""

    def farthest(self, near: Any, taken: Any) -> int:
        free, best = np.where(taken, -1.0, near), -1
        for share in np.array_split(np.arange(len(near)), os.cpu_count() or 1):
            if len(share) and (best < 0 or free[share].max() >= free[best]):
                best = int(share[np.argmax(free[share])])
        return best


@broken("sampler", "progress told as (total, done)", caught_by=("S21",), **_EXACT)
class ToldBackwards(Greedy):
    """Takes one number for the other."""

    def select(self, embeddings: Any, progress: Any = None) -> Any:
        """Choose rows of (N, D)."""
        rows = super().select(embeddings)
        for done in range(len(rows)) if progress is not None else ():
            progress(len(rows), done + 1)
        return rows


@broken("sampler", "looks for NaN among the first 1,024 rows", caught_by=("X08",), **_EXACT)
class LooksAtAFew(Greedy):
    """Spares itself a pass over all values."""

    def checked(self, embeddings: Any) -> Any:
        super().checked(embeddings[:1024])
        return embeddings
