"""Image scores that are right in unusual ways: other ties, other arithmetic, other arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from patchcore_conformance.accepted.registry import accepted
from patchcore_conformance.model.scores import Reweighted


@accepted("scores", "the model itself", arith="E0")
@accepted("scores", "the model, nothing claimed")
@accepted("scores", "the model, float64", arith="E0", dtype="float64")
class Plain(Reweighted):
    """Nothing unusual."""


@accepted("scores", "the last of equals", arith="E0")
class LastOfEquals(Reweighted):
    """Takes the last patch, row and neighbours where several are equally far."""

    def worst(self, nearest: Any) -> int:
        return len(nearest) - 1 - int(np.argmax(nearest[::-1]))

    def nearest(self, distances: Any) -> int:
        return len(distances) - 1 - int(np.argmin(distances[::-1]))

    def around(self, patch: Any, row: int, bank: Any, count: int) -> Any:  # noqa: ARG002 - the model's step
        backwards = self.distances(bank[row : row + 1], bank)[0][::-1]
        return len(bank) - 1 - np.argsort(backwards, kind="stable")[:count]


@accepted("scores", "equals by chance", arith="E0", deterministic=False)
class AnyOfEquals(Reweighted):
    """Takes any patch and row where several are equally far."""

    def worst(self, nearest: Any) -> int:
        return int(np.random.default_rng().choice(np.flatnonzero(nearest == nearest.max())))

    def nearest(self, distances: Any) -> int:
        return int(np.random.default_rng().choice(np.flatnonzero(distances == distances.min())))


@accepted("scores", "float32 throughout", arith="E0")
class Single(Reweighted):
    """Computes in float32, by differences."""

    def read(self, array: Any) -> Any:
        return array.astype(np.float32)

    def answer(self, scores: Any) -> Any:
        return np.asarray(scores, dtype=np.float32)


@accepted("scores", "float32, expanded squares")
class Expanded(Single):
    """|p|^2 - 2 p.m + |m|^2 in float32, as libraries compute distances."""

    def distances(self, points: Any, bank: Any) -> Any:
        mine, theirs = np.square(points).sum(axis=1), np.square(bank).sum(axis=1)
        return np.sqrt(np.maximum(mine[:, None] - 2 * (points @ bank.T) + theirs[None, :], 0))


@accepted("scores", "float32, expanded squares after centring", arith="E1-centred")
class Centred(Expanded):
    """The same with the bank's mean taken off."""

    def scores(self, images: Any, bank: Any, neighbors: int) -> Any:
        centre = bank.mean(axis=0)
        return super().scores(images - centre, bank - centre, neighbors)


@accepted("scores", "half precision, said", dtype="float16", arith="E0")
class HalfSaid(Reweighted):
    """Computes distances in float16."""

    def distances(self, points: Any, bank: Any) -> Any:
        gaps = points.astype(np.float16)[:, None, :] - bank.astype(np.float16)[None, :, :]
        return np.sqrt(np.square(gaps).sum(axis=2, dtype=np.float16)).astype(np.float32)


@accepted("scores", "by logarithms", arith="E0")
class ByLogarithms(Single):
    """Weighs by log-sum-exp, as softmax libraries do."""

    def weight(self, star: Any, support: Any) -> Any:
        if len(support) == 1:
            return np.float32(1)
        return -np.expm1(star - np.logaddexp.reduce(support))


@accepted("scores", "a strided, read-only answer", arith="E0")
class OtherArray(Reweighted):
    """Answers a view of every other value of something larger."""

    def answer(self, scores: Any) -> Any:
        found = np.repeat(super().answer(scores), 2)[::2]
        found.flags.writeable = False
        return found


@accepted("scores", "no keyword but neighbors", arith="E0")
class _Hidden:
    """Has nothing but the one method."""

    def image_scores(self, embeddings: Any, bank: Any, neighbors: int) -> Any:
        return Reweighted().image_scores(embeddings, bank, neighbors)
