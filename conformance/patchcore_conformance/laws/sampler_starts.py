"""Samplers: where a selection starts, by chance from all rows or always alike; and that the start is in the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from patchcore_conformance import probes
from patchcore_conformance.certificates import require_greedy
from patchcore_conformance.drivers.sampler import chosen, for_claims, knobs
from patchcore_conformance.laws.sampler_certificates import exact
from patchcore_conformance.laws.sampler_saboteurs import NEAR_ROW, TWO_STARTS, spoiling
from patchcore_conformance.registry import law

if TYPE_CHECKING:
    import numpy.typing as npt

    from patchcore_conformance.context import Context

# Chi-squared with 7 degrees of freedom exceeds this once in a million: 8 cells, 96 starts.
_RARE, _CELLS, _STARTS = 40.5, 8, 96


@law(
    "S15",
    "sampler",
    statement="The first row is chosen as declared: any row by the seed, or the same whatever the seed.",
    why="A start that half of the rows cannot be hides how much the result depends on it.",
    seen="A start drawn from the first half; a seed that is ignored; always row 0 (hcw-00#25).",
    mend='Draw the start from all N rows with a generator of the seed, or claim init="fixed" or "farthest".',
    applies=exact,
    promise="level exact; init tells how",
    after=("S01",),
    witnesses=1,
    saboteurs=(TWO_STARTS,),
    statistical=True,
)
def starts_as_declared(ctx: Context) -> None:
    """Choose single rows with many seeds."""
    if ctx.claims.init == "random":
        _starts_anywhere(ctx)
    else:
        _starts_alike(ctx)
    ctx.witness()


def _first_rows(ctx: Context, embeddings: npt.NDArray[np.float32], seeds: int, count: int = 1) -> npt.NDArray[np.int64]:
    return np.array([chosen(ctx, embeddings, count, seed)[0] for seed in range(seeds)])


def _starts_anywhere(ctx: Context) -> None:
    """Each bound errs less than once in a million for starts that are drawn evenly."""
    ctx.require(knobs(ctx).seed, "init is random, but the sampler takes no seed: claim what it does, or take one")
    firsts = _first_rows(ctx, probes.gaussian(4, 2), 64, count=2)
    ctx.require(
        len(set(firsts.tolist())) == 4, f"of 4 rows, only {sorted(set(firsts.tolist()))} start for any of 64 seeds"
    )
    firsts = _first_rows(ctx, probes.gaussian(24, 3), _STARTS)
    found = np.bincount(firsts * _CELLS // 24, minlength=_CELLS)
    expected = _STARTS / _CELLS
    uneven = float((np.square(found - expected) / expected).sum())
    ctx.within(
        uneven, _RARE, f"starts are not spread evenly over 24 rows: {found.tolist()} in each eighth", firsts=firsts
    )
    firsts = _first_rows(ctx, probes.gaussian(3000, 1), 56)
    quarters = np.bincount(firsts * 4 // 3000, minlength=4)
    ctx.require((quarters > 0).all(), f"of 3,000 rows, {quarters.tolist()} in each quarter start for 56 seeds")


def _starts_alike(ctx: Context) -> None:
    for place in (7, 23, 39):  # not row 0, which some measure from
        embeddings = for_claims(ctx, probes.gaussian(40, 3, seed=place))
        embeddings[place] = 30
        firsts = _first_rows(ctx, embeddings, 6)
        seen = {"embeddings": embeddings, "firsts": firsts}
        ctx.require(len(set(firsts.tolist())) == 1, f"init is {ctx.claims.init}, but the seed moves the start", **seen)
        if ctx.claims.init == "farthest":
            ctx.require(firsts[0] == place, f"row {firsts[0]} starts, but row {place} lies far from all others", **seen)


@law(
    "S18",
    "sampler",
    statement="The start is the first row of the answer: nothing counts as chosen that is not remembered.",
    why="A region that only the start covered would be missing in the memory bank: normal parts of it look faulty.",
    seen="A random centre that distances were measured from, but that was not among the chosen rows (anomalib#3459).",
    mend="Put the start into the answer; or claim level approx and anchors.",
    applies=exact,
    promise="level exact",
    after=("S01",),
    witnesses=6,
    saboteurs=(
        NEAR_ROW,
        spoiling("the start left out", lambda rows, _: np.concatenate([rows[1:], rows[1:2] * 0 + _free(rows)])),
    ),
)
def the_start_is_in_the_answer(ctx: Context) -> None:
    """Let two far groups need one choice each, then a few; whoever counts a hidden start leaves one group empty."""
    ctx.require(
        ctx.claims.anchors == 0, "an exact sampler measures from no rows but those that it answers: anchors are 0"
    )
    for seed in range(8):
        groups = np.where(np.arange(24)[:, None] % 2, 90, -90) + probes.lattice(24, 3, seed=seed)
        embeddings = for_claims(ctx, groups.astype(np.float32))
        for count in (2, 5):
            found = require_greedy(ctx, embeddings, chosen(ctx, embeddings, count, seed))
            ctx.witness(found.telling > 0)


def _free(rows: npt.NDArray[np.int64]) -> int:
    """Return the smallest row number that was not chosen."""
    return int(np.setdiff1d(np.arange(len(rows) + 1), rows)[0])
