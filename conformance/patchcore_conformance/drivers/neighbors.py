"""How the kit asks a neighbor search, and how it holds what was answered to the claims."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from patchcore_conformance.certificates import (
    Truth,
    order_bounds,
    require_distinct,
    require_nearest,
    require_own_distances,
    truth_between,
)
from patchcore_conformance.chances import binomial_upper
from patchcore_conformance.numerics import Numerics, rounded_to
from patchcore_conformance.plain import plain

if TYPE_CHECKING:
    from patchcore_conformance.claims import Claims
    from patchcore_conformance.context import Context
    from patchcore_conformance.numerics import Doubles

Table = npt.NDArray[Any]
_NEAR_ENOUGH = 1e-4  # of a distance: an approximate search that finds a row as near as that has found the neighbour


@dataclass(frozen=True, eq=False)
class Asked:
    """A question and its answer: copies of distances and of rows as int64, both (Q, k), and the truth of all pairs.

    ``given`` are the arrays of the answer themselves.
    """

    bank: Table
    queries: Table
    distances: Table
    rows: npt.NDArray[np.int64]
    truth: Truth
    given: tuple[Table, Table]

    @property
    def squares(self) -> Doubles:
        """The answered distances, squared in float64."""
        return np.square(self.distances.astype(np.float64))

    @property
    def seen(self) -> dict[str, Table]:
        """The arrays that show what was asked and answered."""
        return {"bank": self.bank, "queries": self.queries, "distances": self.distances, "rows": self.rows}

    @property
    def telling(self) -> bool:
        """True where a wrong row could have been told from a right one, or where all rows were asked for."""
        k, (total, slack) = self.rows.shape[1], (self.truth.squares, self.truth.slack)
        if k == total.shape[1]:
            return True
        return bool(((total - slack).max(axis=1) > order_bounds(self.truth, k)[1][:, -1]).any())

    def hits(self) -> npt.NDArray[np.bool_]:
        """For each neighbour, whether it is as near as the true one of its place, up to a ten-thousandth: (Q, k)."""
        best = order_bounds(self.truth, self.rows.shape[1])[1]
        return np.asarray(self.squares <= best * (1 + _NEAR_ENOUGH) ** 2)


def exact(claims: Claims) -> bool:
    """Say whether all nearest rows are promised."""
    return claims.at_least("exact", "neighbors")


def of_real_numbers(claims: Claims) -> bool:
    """Say whether all nearest rows are promised, and not of whole numbers only."""
    return exact(claims) and claims.arith != "lattice"


def as_many(ctx: Context, k: int) -> int:
    """Cut k to the largest that is claimed."""
    return min(k, ctx.claims.max_k or k)


def for_claims(ctx: Context, bank: Table, queries: Table) -> tuple[Table, Table]:
    """Bring both to values that the claimed dtype holds exactly, scaled alike."""
    both = rounded_to(np.concatenate([bank, queries]), ctx.claims.dtype)
    return both[: len(bank)], both[len(bank) :]


def built(ctx: Context, bank: Table) -> Any:
    """Let a fresh part build an index; from a copy: a law about something else is not to break over a changed bank."""
    return ctx.make().build(bank.copy())


def ask(ctx: Context, bank: Table, queries: Table, k: int, index: Any = None) -> Asked:
    """Ask for the nearest rows of a bank, and hold the answer to its form.

    By an index of that bank as it is, or by a fresh one, after both are brought to what the claimed dtype holds.
    """
    k = min(as_many(ctx, k), len(bank))
    if index is None:
        bank, queries = for_claims(ctx, bank, queries)
        index = built(ctx, bank)
    given = well_formed(ctx, index.query(queries.copy(), k=k), bank, queries, k)
    truth = truth_between(queries, bank, Numerics.of(ctx.claims))
    return Asked(bank, queries, given[0].copy(), given[1].astype(np.int64), truth, given)


def judge(ctx: Context, bank: Table, queries: Table, k: int, index: Any = None) -> Asked:
    """Ask, and hold the answer to the level: the nearest rows, or rows with their own distances."""
    asked = ask(ctx, bank, queries, k, index)
    seen = {"bank": asked.bank, "queries": asked.queries}
    if exact(ctx.claims):
        require_nearest(ctx, asked.truth, asked.distances, asked.rows, **seen)
        ctx.witness(asked.telling)
    else:
        require_distinct(ctx, asked.rows, len(bank), **seen)
        require_own_distances(ctx, asked.truth, asked.squares, asked.rows, asked.squares * 2.0**-22, **seen)
        ctx.witness()
    return asked


def well_formed(ctx: Context, answer: Any, bank: Table, queries: Table, k: int) -> tuple[Table, Table]:
    """Hold an answer to two finite arrays (Q, k), distances and row numbers within the bank."""
    seen = {"bank": bank, "queries": queries}
    pair = isinstance(answer, (tuple, list)) and len(answer) == 2
    ctx.require(pair, f"the answer is a {type(answer).__name__}, but (distances, rows) is needed", **seen)
    distances, rows = plain(answer[0], "distances"), plain(answer[1], "rows")
    seen |= {"distances": distances, "rows": rows}
    for name, array, kinds in (("distances", distances, "f"), ("rows", rows, "iu")):
        needed = f"{'numbers with a point' if kinds == 'f' else 'whole numbers'} {(len(queries), k)}"
        good = array.shape == (len(queries), k) and array.dtype.kind in kinds
        ctx.require(good, f"{name} are {array.dtype} {array.shape}, but {needed} are needed", **seen)
    narrow = f"rows are {rows.dtype}, in which not each of {len(bank)} row numbers has a place"
    ctx.require(np.iinfo(rows.dtype).max >= len(bank) - 1, narrow, **seen)
    bad = ~(np.isfinite(distances) & (distances >= 0))
    if bad.any():
        ctx.broken(f"a distance is {distances[bad][0]}, but finite numbers of 0 or more are needed", **seen)
    outside = (rows < 0) | (rows >= len(bank))
    if outside.any():
        ctx.broken(f"row number {rows[outside][0]} lies outside 0..{len(bank) - 1}", **seen)
    return distances, rows


def require_kept(ctx: Context, asked: Asked) -> None:
    """Hold an earlier answer to what it was."""
    distances, rows = asked.given
    same = np.array_equal(distances, asked.distances) and np.array_equal(rows, asked.rows)
    ctx.require(same, "an answer was changed by later calls", distances_now=distances, rows_now=rows, **asked.seen)


def require_agree(ctx: Context, one: Asked, two: Asked, message: str, scale: float = 1.0) -> None:
    """Hold two answers about the same distances, of which each was judged, to each other; ties may differ."""
    k = min(one.rows.shape[1], two.rows.shape[1])
    low, high = order_bounds(one.truth, k)
    own = np.take_along_axis(one.truth.slack, one.rows[:, :k], axis=1)
    own = own + np.take_along_axis(two.truth.slack, two.rows[:, :k], axis=1) * scale
    apart = np.abs(one.squares[:, :k] - two.squares[:, :k] * scale)
    ctx.within(apart, high - low + 2 * own + one.squares[:, :k] * 2.0**-21, message, **one.seen)


def require_found(ctx: Context, hits: Any, message: str, **evidence: Any) -> None:
    """Hold the share of neighbours that were found to the claimed recall: broken where chance cannot explain it."""
    found = np.asarray(hits)
    most = binomial_upper(float(found.mean(axis=-1).sum()) if found.ndim > 1 else float(found.sum()), len(found))
    ctx.require(
        most >= ctx.claims.recall,
        f"{message}: {found.mean():.1%} of {found.size} neighbours were found, {most:.1%} at best allowing for chance, "
        f"but {ctx.claims.recall:.1%} is claimed",
        **evidence,
    )
