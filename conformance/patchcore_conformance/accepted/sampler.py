"""Samplers that are right in unusual ways: other ties, other integers, other options, other arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance.accepted.registry import accepted
from patchcore_conformance.model.sampler import Greedy, Selection, Telling
from patchcore_conformance.numerics import rounded_to

if TYPE_CHECKING:
    from collections.abc import Callable


@accepted("sampler", "the model itself", level="exact", arith="E0", dtype="float64", prefix_stable=True)
@dataclass(frozen=True, kw_only=True)
class Plain(Telling):
    """Nothing unusual."""


@accepted("sampler", "ties by the higher row", level="exact", arith="E0", dtype="float64", prefix_stable=True)
class LastOfEqual(Greedy):
    """Takes the last of equally far rows."""

    def farthest(self, near: Any, taken: Any) -> int:
        free = np.where(taken, -1.0, near)
        return len(free) - 1 - int(np.argmax(free[::-1]))


@accepted("sampler", "ties by chance", level="exact", arith="E0", dtype="float64", prefix_stable=True)
class AnyOfEqual(Greedy):
    """Takes any of equally far rows, by the seed."""

    def farthest(self, near: Any, taken: Any) -> int:
        free = np.where(taken, -1.0, near)
        best = np.flatnonzero(free == free.max())
        return int(np.random.default_rng([self.seed, int(taken.sum())]).choice(best))


@accepted("sampler", "int32 rows, read-only", level="exact", arith="E0", dtype="float64")
class FewBits(Greedy):
    """Answers row numbers in 32 bits that cannot be written to."""

    def answer(self, rows: list[int]) -> Any:
        found = np.array(rows, dtype=np.int32)
        found.flags.writeable = False
        return found


@accepted("sampler", "unsigned rows, strided", level="exact", arith="E0", dtype="float64")
class Strided(Greedy):
    """Answers every second value of a longer array."""

    def answer(self, rows: list[int]) -> Any:
        return np.repeat(np.array(rows, dtype=np.uint64), 2)[::2]


@accepted("sampler", "float32 by differences", level="exact", arith="E0", prefix_stable=True)
class Single(Greedy):
    """Computes in float32."""

    def read(self, embeddings: Any) -> Any:
        return embeddings.astype(np.float32)


@accepted("sampler", "float32, one column after the other", level="exact", arith="E0")
class Sequential(Single):
    """Adds squares in the order of columns, backwards: the largest rounding that a sum can have."""

    def squares(self, points: Any, row: int) -> Any:
        total = np.zeros(len(points), dtype=np.float32)
        for column in range(points.shape[1] - 1, -1, -1):
            total += np.square(points[:, column] - points[row, column])
        return total


@accepted("sampler", "roots of distances", level="exact", arith="E0")
class Rooted(Single):
    """Compares distances, not squares."""

    def squares(self, points: Any, row: int) -> Any:
        return np.sqrt(super().squares(points, row))


@accepted("sampler", "tells radii in float32", level="exact", arith="E0")
class TellingSingle(Telling):
    """Computes and tells in float32, and gives the radii out as tuples do: not to be written to."""

    def read(self, embeddings: Any) -> Any:
        return embeddings.astype(np.float32)

    def select_with_report(self, embeddings: Any) -> Any:
        """Choose rows, and tell float32 radii."""
        found = self.selection(embeddings)
        radii = found.radii.astype(np.float32)
        radii.flags.writeable = False
        return Selection(found.rows, radii)


@accepted("sampler", "expanded squares, telling radii", level="exact", arith="E1")
class Expanded(Telling):
    """Computes |x|^2 - 2xy + |y|^2 in float32."""

    def read(self, embeddings: Any) -> Any:
        return embeddings.astype(np.float32)

    def squares(self, points: Any, row: int) -> Any:
        sizes = np.square(points).sum(axis=1)
        return np.maximum(sizes - 2 * (points @ points[row]) + sizes[row], 0)


@accepted("sampler", "expanded squares after centring", level="exact", arith="E1-centred")
class Centred(Expanded):
    """Takes off the mean first, in float32."""

    def read(self, embeddings: Any) -> Any:
        points = embeddings.astype(np.float32)
        return points - points.mean(axis=0, dtype=np.float64).astype(np.float32)


@accepted("sampler", "expanded squares in float64", level="exact", arith="E1", dtype="float64")
class ExpandedDouble(Expanded):
    """The same in float64."""

    def read(self, embeddings: Any) -> Any:
        return embeddings.astype(np.float64)


@accepted("sampler", "turned before measuring", level="exact", arith="E1")
class Turned(Expanded):
    """Mirrors all rows at a random plane, which keeps distances up to rounding."""

    def read(self, embeddings: Any) -> Any:
        points = embeddings.astype(np.float64)
        across = np.random.default_rng(1).standard_normal(points.shape[1])
        across /= np.linalg.norm(across)
        return (points - 2 * np.outer(points @ across, across)).astype(np.float32)


@accepted("sampler", "float16 by differences", level="exact", arith="E0", dtype="float16")
class Half(Greedy):
    """Takes differences in float16, and adds their squares in float32."""

    def read(self, embeddings: Any) -> Any:
        return embeddings.astype(np.float16)

    def squares(self, points: Any, row: int) -> Any:
        return np.square((points - points[row]).astype(np.float32)).sum(axis=1)


@accepted("sampler", "expanded bfloat16 products", level="exact", arith="E1", dtype="bfloat16")
class Brain(Expanded):
    """Rounds to bfloat16 what is multiplied, and adds in float32."""

    def read(self, embeddings: Any) -> Any:
        return rounded_to(embeddings.astype(np.float32), "bfloat16")


@accepted("sampler", "starts at row 0, no seed", level="exact", arith="E0", dtype="float64", init="fixed")
def from_row_0(count: int) -> Greedy:
    """Make a sampler that takes count only."""
    return _FromRow0(count=count)


class _FromRow0(Greedy):
    def first(self, points: Any) -> int:  # noqa: ARG002 - the data does not matter
        return 0


@accepted("sampler", "starts farthest from the mean", level="exact", arith="E0", dtype="float64", init="farthest")
class FromFarthest(Greedy):
    """Starts with the row farthest from the mean."""

    def first(self, points: Any) -> int:
        return int(np.argmax(np.square(points - points.mean(axis=0)).sum(axis=1)))


@accepted("sampler", "takes a share only", level="exact", arith="E0", dtype="float64")
def by_share(keep: float = 0.5, seed: int = 0) -> Greedy:
    """Make a sampler that knows no count."""
    return Greedy(keep=keep, seed=seed)


@accepted("sampler", "stops at a radius of its own", level="exact", arith="E0", dtype="float64")
@dataclass(frozen=True, kw_only=True)
class ByRadius:
    """Takes neither count nor keep: a third of the rows, at most 30."""

    seed: int = 0

    def select(self, embeddings: Any) -> Any:
        """Choose rows of (N, D)."""
        return Greedy(count=min(30, max(1, len(embeddings) // 3)), seed=self.seed).select(embeddings)


@accepted("sampler", "other chance", level="exact", arith="E0", dtype="float64", prefix_stable=True)
class OtherChance(Greedy):
    """Draws the start from the older generator of NumPy, and tells progress where it is asked for."""

    def first(self, points: Any) -> int:
        return int(np.random.RandomState(self.seed % 2**32).randint(len(points)))

    def select(self, embeddings: Any, progress: Callable[[int, int], None] | None = None) -> Any:
        """Choose rows of (N, D); ``progress`` hears (done, count)."""
        rows = super().select(embeddings)
        if progress is not None:
            progress(len(rows), len(rows))
        return rows


@accepted("sampler", "starts with a shuffle", level="exact", arith="E0", dtype="float64")
class Shuffled(Greedy):
    """Works on rows in another order, and answers the numbers that came in."""

    def select(self, embeddings: Any) -> Any:
        """Choose rows of (N, D)."""
        order = np.random.default_rng(self.seed).permutation(len(embeddings))
        return order[Greedy(keep=self.keep, count=self.count, seed=self.seed).select(np.asarray(embeddings)[order])]


@accepted("sampler", "lattices only", level="exact", arith="lattice")
class OnLattices(Expanded):
    """Promises nothing for real numbers."""


@accepted("sampler", "a random projection", level="approx")
class Projected(Greedy):
    """Chooses farthest first among projections to 128 values."""

    def read(self, embeddings: Any) -> Any:
        axes = np.random.default_rng(self.seed).standard_normal((embeddings.shape[1], 128))
        return (embeddings.astype(np.float64) @ axes).astype(np.float32)


@accepted("sampler", "held down by a mean distance", level="approx", anchors=10)
class Anchored(Greedy):
    """Starts from the mean distance to ten rows, which are not in the answer."""

    def squares(self, points: Any, row: int) -> Any:
        return np.sqrt(super().squares(points, row))

    def select(self, embeddings: Any) -> Any:
        """Choose rows of (N, D)."""
        points = self.read(self.checked(np.asarray(embeddings)))
        anchors = np.random.default_rng(self.seed).permutation(len(points))[:10]
        near = np.mean([self.squares(points, row) for row in anchors], axis=0)
        taken, rows = np.zeros(len(points), dtype=bool), []
        for _ in range(self.how_many(len(points))):
            rows.append(self.farthest(near, taken))
            taken[rows[-1]] = True
            near = self.nearer(near, self.squares(points, rows[-1]))
        return self.answer(rows)


@accepted("sampler", "rows by chance", level="subset")
class ByChance(Greedy):
    """Draws rows."""

    def select(self, embeddings: Any) -> Any:
        """Choose rows of (N, D)."""
        total = len(self.checked(np.asarray(embeddings)))
        return np.random.default_rng(self.seed).permutation(total)[: self.how_many(total)]


@accepted("sampler", "all rows, no options", level="subset")
class All:
    """Keeps every row."""

    def select(self, embeddings: Any) -> Any:
        """Choose all rows of (N, D)."""
        return np.arange(len(Greedy().checked(np.asarray(embeddings))))


@accepted(
    "sampler",
    "other rows each time, any of them right",
    level="subset",
    deterministic=False,
    serialisable=True,
    thread_safe=True,
)
class OtherRowsEachTime(Greedy):
    """Draws without a seed, and says so."""

    def selection(self, embeddings: Any) -> Selection:
        """Draw rows."""
        total = len(self.checked(np.asarray(embeddings)))
        rows = np.random.default_rng().permutation(total)[: self.how_many(total)]
        return Selection(rows, np.zeros(len(rows)))


@accepted("sampler", "covers nearly as well, from another start each time", level="approx", deterministic=False)
class OtherStartEachTime(Greedy):
    """Starts anywhere, and takes a bound on memory that it does not need."""

    def select(self, embeddings: Any, memory: int | None = None) -> Any:  # noqa: ARG002 - nothing is kept but the rows
        """Choose rows."""
        return super().select(embeddings)

    def first(self, points: Any) -> int:
        """Start anywhere."""
        return int(np.random.default_rng().integers(len(points)))
