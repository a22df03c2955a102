"""Samplers that compute in fewer digits than they claim, or lose them: cancelling, epsilons, fixed thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np

from patchcore_conformance.broken.registry import broken
from patchcore_conformance.model.sampler import Greedy
from patchcore_conformance.numerics import rounded_to

_EXACT = {"level": "exact", "arith": "E0"}
_EXPANDED = {"level": "exact", "arith": "E1"}


@broken("sampler", "TF32 products", caught_by=("S04",), **_EXPANDED)
class FewBits(Greedy):
    """Rounds what is multiplied to ten bits."""

    def read(self, embeddings: Any) -> Any:
        bits = embeddings.astype(np.float32).view(np.uint32)
        return ((bits + 0x1000) & np.uint32(0xFFFFE000)).view(np.float32).astype(np.float64)


@broken("sampler", "float16 inside", caught_by=("S09",), **_EXACT)
class Half(Greedy):
    """Saves memory, and says float32."""

    def read(self, embeddings: Any) -> Any:
        with np.errstate(over="ignore"):
            return embeddings.astype(np.float16).astype(np.float32)

    def squares(self, points: Any, row: int) -> Any:
        with np.errstate(invalid="ignore"):
            return np.nan_to_num(np.square(points - points[row]).sum(axis=1))


@broken("sampler", "bfloat16 inside", caught_by=("S04",), **_EXPANDED)
class Brain(Greedy):
    """Rounds rows to eight bits."""

    def read(self, embeddings: Any) -> Any:
        return rounded_to(embeddings, "bfloat16").astype(np.float64)


@broken("sampler", "float64 claimed, float32 done", caught_by=("S04",), level="exact", arith="E0", dtype="float64")
class Single(Greedy):
    """Computes in float32."""

    def read(self, embeddings: Any) -> Any:
        return embeddings.astype(np.float32)


@broken("sampler", "expanded without centring", caught_by=("S05", "S11"), level="exact", arith="E1-centred")
class Cancelling(Greedy):
    """Expands squares far from zero."""

    def read(self, embeddings: Any) -> Any:
        return embeddings.astype(np.float32)

    def squares(self, points: Any, row: int) -> Any:
        sizes = np.square(points).sum(axis=1)
        return np.maximum(sizes - 2 * (points @ points[row]) + sizes[row], 0)


@broken("sampler", "centring passed off as differences", caught_by=("S05",), **_EXACT)
class CentredOnly(Cancelling):
    """Takes off the mean, and claims more."""

    def read(self, embeddings: Any) -> Any:
        return (embeddings - embeddings.mean(axis=0, dtype=np.float64)).astype(np.float32)


@broken("sampler", "stops at a small radius", caught_by=("S09",), **_EXACT)
class StopsEarly(Greedy):
    """Fills up with any rows once the radius is below 1e-4."""

    def farthest(self, near: Any, taken: Any) -> int:
        free = np.where(taken, -1.0, near)
        return int(np.argmax(free)) if free.max() > 1e-8 else int(np.argmin(taken))


@broken("sampler", "epsilon inside the difference", caught_by=("S10",), **_EXACT)
class Epsilon(Greedy):
    """Adds 1e-6 to each difference."""

    def squares(self, points: Any, row: int) -> Any:
        return np.square(points - points[row] + 1e-6).sum(axis=1)


@broken("sampler", "squares of squares in float32", caught_by=("S19",), **_EXACT)
class FourthPowers(Greedy):
    """Compares fourth powers."""

    def squares(self, points: Any, row: int) -> Any:
        with np.errstate(over="ignore"):
            return np.square(np.square(points - points[row]).sum(axis=1).astype(np.float32))
