"""The judge of coresets and neighbours: recomputes everything in float64 along the part's own answers.

Row numbers are never compared with another implementation's: where distances are equal up to rounding, several answers
are right. Nothing here knows how a part works; only how much rounding its claims allow.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from patchcore_conformance.numerics import Doubles, Numerics, squares_between, squares_to

if TYPE_CHECKING:
    from patchcore_conformance.context import Context

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Walk:
    """A selection, walked along: what was left before each choice, and what was chosen. All squared, (M,) or (M-1,).

    radii     after each choice, the farthest point's squared distance to the chosen rows: (M,).
    slack     how far rounding may have moved it: (M,).
    reached   squared distance of each later choice to the rows before it: (M-1,).
    lowest    what ``reached`` must be at least.
    runners   the largest squared distance of any other point at that choice.
    telling   how many choices had at least as many wrong rows as right ones.
    """

    radii: Doubles
    slack: Doubles
    reached: Doubles
    lowest: Doubles
    runners: Doubles
    telling: int

    @property
    def decided(self) -> int:
        """How many choices from the start rounding cannot have changed: each later one had no rival within slack."""
        rivals = self.runners >= self.lowest
        return 1 + (int(np.argmax(rivals)) if rivals.any() else len(rivals))


def walk(points: Doubles, rows: Ints, numerics: Numerics) -> Walk:
    """Follow a selection: points (N, D), rows (M,), distinct and in range.

    Cost: O(N*M*D).
    """
    width, count = points.shape[1], len(rows)
    lengths = numerics.lengths(points, numerics.centre(points))
    near, longest, telling = np.full(len(points), np.inf), 0.0, 0
    radii, slacks = np.empty(count), np.empty(count)
    reached, lowest, runners = (np.empty(count - 1) for _ in range(3))
    for step, row in enumerate(rows):
        np.minimum(near, squares_to(points, points[row]), out=near)
        longest = max(longest, float(lengths[row]))
        slack = numerics.slack(near, lengths + longest, width)
        radii[step], slacks[step] = near.max(), slack.max()
        if step + 1 < count:
            following = rows[step + 1]
            reached[step] = near[following]
            # The part saw each value moved by its slack at most, and took the largest of what it saw.
            lowest[step] = (near - slack).max() - slack[following]
            telling += bool(2 * np.count_nonzero(near < lowest[step]) >= len(near))
            others = near.copy()
            others[following] = -1.0
            runners[step] = others.max()
    return Walk(radii, slacks, reached, np.maximum(lowest, 0.0), runners, telling)


def require_greedy(ctx: Context, points: npt.NDArray[Any], rows: Ints, **evidence: Any) -> Walk:
    """Hold each choice after the first to the farthest point left, within the rounding that is claimed."""
    found = walk(np.asarray(points, dtype=np.float64), rows, Numerics.of(ctx.claims))
    short = np.maximum(found.radii[:-1] - found.reached, 0.0)
    allowed = found.radii[:-1] - found.lowest
    bad = np.flatnonzero(~(short <= allowed))
    if bad.size:
        step = int(bad[0])
        ctx.broken(
            f"choice {step + 1} (row {int(rows[step + 1])}) lies {np.sqrt(found.reached[step]):.6g} from the rows "
            f"chosen before, but another row lies {np.sqrt(found.radii[step]):.6g} from them: the farthest is needed",
            **_small(points, rows, evidence),
        )
    telling = found.radii[:-1] > 0  # where all points are chosen already, any row will do
    ctx.within(short[telling], allowed[telling], "a choice is not the farthest row left", **evidence)
    return found


def _small(points: npt.NDArray[Any], rows: Ints, evidence: dict[str, Any]) -> dict[str, Any]:
    """Evidence names the inputs; arrays of any size are written beside the report."""
    return {"embeddings": np.asarray(points), "rows": rows, **evidence}


def cover_radius(points: npt.NDArray[Any], rows: Ints) -> float:
    """Distance of the farthest point to its nearest chosen row."""
    points = np.asarray(points, dtype=np.float64)
    near = np.full(len(points), np.inf)
    for row in rows:
        np.minimum(near, squares_to(points, points[row]), out=near)
    return float(np.sqrt(near.max()))


def best_radius(points: npt.NDArray[Any], count: int) -> float:
    """Return the smallest radius that ``count`` rows can cover all points with, by trying all choices: few points."""
    table = squares_between(np.asarray(points, np.float64), np.asarray(points, np.float64))
    choices = np.array(list(combinations(range(len(table)), count)))
    return float(np.sqrt(table[choices].min(axis=1).max(axis=1).min()))


@dataclass(frozen=True)
class Truth:
    """Squared distances of queries to a bank, and how far rounding may move each: (Q, M) both.

    ``even``: equal squares have equal slack, and longer ones more.
    """

    squares: Doubles
    slack: Doubles
    even: bool = False


def truth_between(queries: npt.NDArray[Any], bank: npt.NDArray[Any], numerics: Numerics) -> Truth:
    """Measure queries (Q, D) against a bank (M, D)."""
    left, right = np.asarray(queries, dtype=np.float64), np.asarray(bank, dtype=np.float64)
    squares = squares_between(left, right)
    if not numerics.expanded:
        return Truth(squares, numerics.slack(squares, None, right.shape[1]), even=True)
    centre = numerics.centre(right)
    lengths = numerics.lengths(left, centre)[:, None] + numerics.lengths(right, centre)[None, :]
    return Truth(squares, numerics.slack(squares, lengths, right.shape[1]))


def require_nearest(
    ctx: Context, truth: Truth, distances: npt.NDArray[Any], rows: npt.NDArray[Any], **evidence: Any
) -> None:
    """Hold neighbours (Q, k) to the order statistics: the j-th distance is the j-th smallest, whichever row it is.

    Each distance must belong to its row; the rows of a query are distinct; a row that is surely among the k nearest is
    there. Shapes and kinds of the answer must have been looked at before.
    """
    require_distinct(ctx, rows, truth.squares.shape[1], **evidence)
    if not rows.size:
        return
    measured = np.square(np.asarray(distances, dtype=np.float64))
    rounding = measured * (4 * _unit_of(distances))
    require_own_distances(ctx, truth, measured, rows, rounding, **evidence)
    count = rows.shape[1]
    low, high = order_bounds(truth, count)
    best = np.sort(np.partition(truth.squares, count - 1, axis=1)[:, :count], axis=1)
    # A part may choose by one arithmetic and measure what it chose by another: both may have rounded.
    twice = 2 * np.take_along_axis(truth.slack, rows.astype(np.int64), axis=1)
    ctx.within(
        np.abs(measured - best),
        np.where(measured > best, high + twice - best, best - low) + rounding,
        "the j-th distance (squared) is not the j-th smallest: a nearer row was missed",
        distances=distances,
        rows=rows,
        **evidence,
    )
    surely = truth.squares + truth.slack < low[:, -1:]
    np.put_along_axis(surely, rows.astype(np.int64), values=False, axis=1)
    if surely.any():
        query, row = (int(one) for one in np.argwhere(surely)[0])
        ctx.broken(
            f"row {row} is surely among the {count} nearest of query {query}, but is missing", rows=rows, **evidence
        )


def order_bounds(truth: Truth, count: int) -> tuple[Doubles, Doubles]:
    """Between which two squares the j-th smallest computed one must lie: (Q, count) both, ascending."""
    if truth.even:
        first = np.argpartition(truth.squares, count - 1, axis=1)[:, :count]
        squares, slack = (np.take_along_axis(table, first, axis=1) for table in (truth.squares, truth.slack))
        return np.sort(squares - slack, axis=1), np.sort(squares + slack, axis=1)
    low, high = truth.squares - truth.slack, truth.squares + truth.slack
    if count < low.shape[1]:
        low, high = (np.partition(ends, count - 1, axis=1)[:, :count] for ends in (low, high))
    return np.sort(low, axis=1), np.sort(high, axis=1)


def require_own_distances(
    ctx: Context,
    truth: Truth,
    measured: Doubles,
    rows: npt.NDArray[Any],
    rounding: Any = 0.0,
    **evidence: Any,
) -> None:
    """Hold each squared distance to the row that it is told for."""
    index = rows.astype(np.int64)
    own = np.take_along_axis(truth.squares, index, axis=1)
    slack = np.take_along_axis(truth.slack, index, axis=1)
    ctx.within(
        np.abs(measured - own),
        slack + rounding,
        "a distance (squared) is not that of its row",
        distances=np.sqrt(measured),
        rows=rows,
        **evidence,
    )


def require_distinct(ctx: Context, rows: npt.NDArray[Any], total: int, **evidence: Any) -> None:
    """Hold the rows of each query (Q, k) to 0..total-1, each at most once."""
    outside = (rows < 0) | (rows >= total)
    if outside.any():
        ctx.broken(f"row number {rows[outside][0]} lies outside 0..{total - 1}", rows=rows, **evidence)
    twice = (np.diff(np.sort(rows, axis=1), axis=1) == 0).any(axis=1) if rows.size else np.zeros(0, bool)
    if twice.any():
        query = int(np.argmax(twice))
        ctx.broken(f"query {query} got a row twice: {rows[query].tolist()}", rows=rows, **evidence)


def _unit_of(array: npt.NDArray[Any]) -> float:
    """What computing in float64 and answering in float32 costs; answering in less needs the claim of a lesser dtype."""
    return 2.0**-53 if array.dtype == np.float64 else 2.0**-24
