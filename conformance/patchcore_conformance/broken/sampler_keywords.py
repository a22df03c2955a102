"""Samplers that take a bound on memory, or foretell a selection, and then do something else."""

from __future__ import annotations

from typing import Any

import numpy as np

from patchcore_conformance.broken.registry import broken
from patchcore_conformance.model.sampler import Greedy, Selection

_EXACT = {"level": "exact", "arith": "E0"}


class _Bounded(Greedy):
    def select(self, embeddings: Any, memory: int | None = None) -> Any:
        points = self.checked(np.asarray(embeddings))
        fits = len(points) if memory is None else max(self.how_many(len(points)), memory // points[0].nbytes)
        return self.within(points, fits)

    def within(self, points: Any, fits: int) -> Any:
        raise NotImplementedError


@broken("sampler", "only the rows that fit into memory", caught_by=("S22",), **_EXACT)
class FirstThatFit(_Bounded):
    def within(self, points: Any, fits: int) -> Any:
        count = self.how_many(len(points))
        return Greedy(count=count, seed=self.seed).select(points[:fits])


@broken("sampler", "blocks that fit into memory, each by itself, approximate", caught_by=("S22",), level="approx")
class BlocksThatFit(_Bounded):
    def within(self, points: Any, fits: int) -> Any:
        count, first = self.how_many(len(points)), self.first(points)
        if fits >= len(points):
            return Greedy(count=count, seed=self.seed).select(points)
        rows = np.concatenate([[first], np.arange(len(points))])
        return np.unique(rows, return_index=True)[0][:count]


@broken("sampler", "foretells rows rounded down", caught_by=("S23",), **_EXACT)
class ForetellsFewer(Greedy):
    def select(self, embeddings: Any) -> Any:
        points = self.checked(np.asarray(embeddings))
        return Greedy(count=super().how_many(len(points)), seed=self.seed).select(points)

    def how_many(self, total: int) -> int:
        return max(1, int(self.keep * total)) if self.count is None else self.count - self.count // 20


@broken("sampler", "refuses the least memory that it names", caught_by=("S23",), level="subset")
class RefusesItsLeast(Greedy):
    def least_memory(self, total: int, width: int) -> int:
        return 4 * total * width

    def select(self, embeddings: Any, memory: int | None = None) -> Any:
        if memory is not None and memory < 8 * np.asarray(embeddings).size:
            raise ValueError("more memory is needed")
        return super().select(embeddings)


@broken("sampler", "warming up begins the selection", caught_by=("S23",), level="subset")
class WarmUpCounts(Greedy):
    def warm_up(self, embeddings: Any) -> None:
        self.__dict__["warm"] = self.select(embeddings)

    def select(self, embeddings: Any) -> Any:
        rows = super().select(embeddings)
        return np.roll(rows, 1) if "warm" in self.__dict__ else rows


@broken("sampler", "reports a selection from another start", caught_by=("S23",), level="subset")
class ReportsAnother(Greedy):
    def select_with_report(self, embeddings: Any) -> Any:
        found = self.selection(np.asarray(embeddings)[::-1])
        return Selection(len(embeddings) - 1 - found.rows, found.radii)
