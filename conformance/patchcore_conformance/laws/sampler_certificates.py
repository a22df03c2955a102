"""Samplers: that each choice is the farthest row left, recomputed in float64 along the sampler's own choices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from patchcore_conformance import probes
from patchcore_conformance.certificates import cover_radius, require_greedy, walk
from patchcore_conformance.drivers.sampler import chosen, for_claims, knobs, needs_size, well_formed
from patchcore_conformance.drivers.sampler_memory import peak, squared
from patchcore_conformance.laws.sampler_saboteurs import (
    BACKWARDS,
    FIRST_ROWS,
    NEAR_ROW,
    SQUARED,
    STALE,
)
from patchcore_conformance.model.sampler import farthest_first
from patchcore_conformance.numerics import Numerics
from patchcore_conformance.plain import doubles
from patchcore_conformance.profiles import THOROUGH
from patchcore_conformance.registry import law
from patchcore_conformance.violation import NotOffered

if TYPE_CHECKING:
    from patchcore_conformance.certificates import Ints
    from patchcore_conformance.claims import Claims
    from patchcore_conformance.context import Context
    from patchcore_conformance.probes import Rows

# Total, width, count. Widths around 4, 8, 16, 32 ... meet what is left over when vector registers are full.
_LATTICES = (
    *((2, 1, 2), (3, 1, 3), (10, 1, 10), (12, 2, 6), (40, 2, 40), (63, 3, 21), (64, 5, 32), (65, 7, 65), (127, 8, 40)),
    *((128, 9, 30), (129, 13, 43), (60, 15, 20), (60, 16, 20), (61, 17, 20), (50, 31, 16), (50, 33, 16), (40, 63, 12)),
    *((40, 65, 12), (33, 129, 10), (30, 257, 8), (24, 513, 6), (24, 1025, 6)),
)
_FLOATS = (
    *((probes.clusters, 600, 16, 60), (probes.clusters, 1000, 8, 30), (probes.manifold, 400, 24, 80)),
    *((probes.rectified, 300, 33, 60), (probes.gaussian, 500, 3, 200), (probes.gaussian, 300, 2, 150)),
    *((probes.gaussian, 700, 3, 400), (probes.gaussian, 200, 7, 60), (probes.gaussian, 3000, 4, 40)),
    *((probes.gaussian, 120, 300, 40), (probes.gaussian, 80, 700, 25), (probes.gaussian, 64, 1536, 20)),
    *((probes.gaussian, 30, 2050, 10), (probes.gaussian, 600, 64, 200), (probes.gaussian, 900, 2, 600)),
    *((probes.fine_ties, 300, 2, 100), (probes.fine_ties, 400, 3, 200), (probes.fine_ties, 300, 6, 150)),
    *((probes.fine_ties, 200, 33, 80), (probes.gaussian, 50_000, 2, 40)),
    *((probes.near_ties, 300, 6, 100), (probes.one_ray, 200, 5, 30), (probes.duplicates, 200, 4, 60)),
)
# Families on which rows by chance, or by another measure, cover far worse.
_STRONG = (
    *((probes.clusters, 600, 16, 60), (probes.clusters, 1500, 8, 40), (probes.clusters, 300, 512, 30)),
    *((probes.one_ray, 400, 8, 30), (probes.last_columns, 400, 19, 30), (probes.spikes_in_haze, 500, 64, 40)),
    *((probes.haze_in_spikes, 500, 64, 40), (probes.outlying_ends, 1025, 3, 8)),
)


def exact(claims: Claims) -> bool:
    """Say whether farthest-first itself is promised."""
    return claims.at_least("exact", "sampler")


def judge(ctx: Context, embeddings: Rows, count: int, seed: int = 0) -> None:
    """Let a fresh sampler choose and hold every choice after the first to the farthest row left."""
    embeddings = for_claims(ctx, embeddings)
    found = require_greedy(ctx, embeddings, chosen(ctx, embeddings, count, seed))
    ctx.witness(found.telling > 0)


@law(
    "S03",
    "sampler",
    statement="Each choice is the farthest row from those before it, exactly, where all distances are whole numbers.",
    why="Small whole numbers leave rounding no part in it: what fails here chooses by another rule.",
    seen="Another distance than the Euclidean one; the last columns dropped; the largest sum instead of the minimum.",
    mend="Take the row whose smallest Euclidean distance to the chosen rows is largest. Any of several is right.",
    applies=exact,
    promise="level exact",
    after=("S01",),
    witnesses=15,
    saboteurs=(NEAR_ROW, BACKWARDS, FIRST_ROWS),
)
def farthest_on_lattices(ctx: Context) -> None:
    """Walk along selections from lattices of many sizes, then of sizes drawn at random."""
    for total, width, count in _LATTICES:
        judge(ctx, probes.lattice(total, width), count, seed=total)
    for seed in range(3):
        judge(ctx, probes.outlying_ends(20, 3, seed=seed), 20, seed)
    sizes = st.tuples(st.integers(2, 40), st.integers(1, 20), st.integers(0, 1000), st.floats(0, 1))
    ctx.search(sizes, lambda drawn: _judge_drawn(ctx, *drawn))


def _judge_drawn(ctx: Context, total: int, width: int, seed: int, share: float) -> None:
    judge(ctx, probes.lattice(total, width, seed=seed % 50), max(1, round(share * total)), seed)


@law(
    "S04",
    "sampler",
    statement="Each choice is the farthest row left, up to the rounding of the claimed arithmetic.",
    why="Coverage of the normal images is what the coreset is for: a rare but normal patch left out is a false alarm.",
    seen="Updates skipped to save time; candidates drawn instead of all looked at; TF32 or float16 in between.",
    mend="Update all rows after each choice, in the claimed dtype; or claim level approx.",
    applies=lambda claims: exact(claims) and claims.arith != "lattice",
    promise="level exact, with an arith for real numbers",
    after=("S01", "S03"),
    witnesses=10,
    saboteurs=(NEAR_ROW, BACKWARDS, FIRST_ROWS),
)
def farthest_on_real_numbers(ctx: Context) -> None:
    """Walk along selections from data of many kinds."""
    for family, total, width, count in _FLOATS:
        for seed in range(ctx.profile.repeats):
            judge(ctx, family(total, width, seed=seed), count, seed)


@law(
    "S05",
    "sampler",
    statement="Each choice is the farthest row left also where all rows lie a thousand spreads from zero.",
    why="Features have large means. A formula that cancels there chooses by the noise of its last bits.",
    seen="|x|^2 - 2xy + |y|^2 in float32 without taking off the mean first.",
    mend="Compute by differences, or take off the mean of the rows first. Else claim arith E1.",
    applies=lambda claims: exact(claims) and claims.arith in {"E0", "E1-centred"},
    promise="level exact, arith E0 or E1-centred",
    after=("S01", "S03"),
    witnesses=3,
    saboteurs=(NEAR_ROW, BACKWARDS),
)
def farthest_far_from_zero(ctx: Context) -> None:
    """Walk along selections from shifted data."""
    for total, width, count in ((200, 3, 80), (150, 8, 50), (100, 33, 30)):
        judge(ctx, probes.shifted(total, width), count)
        judge(ctx, probes.far_pair(total, width), count)


@law(
    "S06",
    "sampler",
    statement="The chosen rows cover all rows within the claimed factor of what farthest-first reaches.",
    why="It is all that an approximate sampler promises; random rows are ten and more times worse on such data.",
    seen="Rows by chance passed off as a coreset; on Gaussian data of many dimensions nobody could have told.",
    mend="Choose by distance; look at all rows and all columns; or claim level subset.",
    applies=lambda claims: claims.at_least("approx", "sampler"),
    promise="level approx",
    after=("S01",),
    witnesses=8,
    saboteurs=(FIRST_ROWS,),
)
def covers(ctx: Context) -> None:
    """Compare coverage with farthest-first from the same start, where others than farthest rows cover badly."""
    for family, total, width, count in _STRONG:
        _judge_cover(ctx, for_claims(ctx, family(total, width)), count)
    if ctx.claims.dtype != "float16":
        for scale in (2.0**-24, 2.0**24):
            _judge_cover(ctx, for_claims(ctx, probes.clusters(300, 9)) * np.float32(scale), 30)


def require_covering(ctx: Context, embeddings: Rows, rows: Ints, told: str = "") -> float:
    """Hold the radius that rows cover all within to the claimed factor of farthest-first's, and return that one."""
    best = cover_radius(embeddings, farthest_first(embeddings, len(rows), first=int(rows[0])))
    ctx.within(
        cover_radius(embeddings, rows),
        ctx.claims.factor * best,
        f"{len(rows)} rows{told} cover all within too large a radius; farthest-first reaches {best:.6g}",
        embeddings=embeddings,
        rows=rows,
    )
    return best


def _judge_cover(ctx: Context, embeddings: Rows, count: int) -> None:
    rows = chosen(ctx, embeddings, count)
    best = require_covering(ctx, embeddings, rows)
    drawn = ctx.rng(len(embeddings)).permutation(len(embeddings))[: len(rows)]
    ctx.witness(cover_radius(embeddings, drawn) > ctx.claims.factor * best)


@law(
    "S08",
    "sampler",
    statement="Reported radii are the distance of the farthest row after each choice, and never grow.",
    why="The report is what a user reads to see how much a smaller bank would lose.",
    seen="Radii that were squared distances; radii from before the last update.",
    mend="Report the root of the largest squared distance after updating with the row just chosen.",
    applies=lambda claims: exact(claims) and claims.arith != "lattice",
    promise="level exact, with an arith for real numbers",
    after=("S01", "S03"),
    witnesses=4,
    saboteurs=(SQUARED, STALE),
)
def reported_radii(ctx: Context) -> None:
    """Recompute every radius that is told."""
    for family, total, width, count in (
        *((probes.lattice, 40, 3, 12), (probes.clusters, 200, 9, 40), (probes.gaussian, 60, 5, 60)),
        *((probes.gaussian, 30, 17, 1), (probes.identical, 9, 2, 4)),
    ):
        _judge_report(ctx, for_claims(ctx, family(total, width)), count)


def _judge_report(ctx: Context, embeddings: Rows, count: int) -> None:
    known = knobs(ctx)
    part = ctx.make(**known.options(len(embeddings), count, 0))
    if not hasattr(part, "select_with_report"):
        raise NotOffered("this sampler has no select_with_report")
    report = part.select_with_report(embeddings.copy())
    rows = well_formed(ctx, report.rows, embeddings, count if known.size else None, "reported rows")
    if ctx.claims.deterministic:
        same = np.array_equal(rows, chosen(ctx, embeddings, count))
        ctx.require(same, "select answers other rows than select_with_report", embeddings=embeddings, rows=rows)
    radii = doubles(report.radii, "radii")
    seen = {"embeddings": embeddings, "rows": rows, "radii": radii}
    ctx.require(radii.shape == rows.shape, f"{radii.shape} radii came for {rows.shape} rows", **seen)
    ctx.require((radii >= 0).all() and (np.diff(radii) <= 0).all(), "radii must be 0 or more and never grow", **seen)
    found = walk(embeddings.astype(np.float64), rows, Numerics.of(ctx.claims))
    ctx.within(np.abs(radii**2 - found.radii), found.slack, "a radius (squared) is not the one reached", **seen)
    ctx.witness()


@law(
    "S19",
    "sampler",
    statement="Each choice is the farthest row left at any legal size of values, from 1e-12 to 1e12.",
    why="Nothing says that features are about 1 in size. Squares under- and overflow long before the values do.",
    seen="Squares or fourth powers of float32 values that become 0 or infinite.",
    mend="Add no absolute epsilon, and form no higher power than the square.",
    applies=lambda claims: exact(claims) and claims.dtype != "float16" and claims.arith != "lattice",
    promise="level exact, in a dtype with 8 bits of exponent or more",
    after=("S01", "S03"),
    witnesses=3,
    saboteurs=(NEAR_ROW, BACKWARDS),
)
def farthest_at_any_size(ctx: Context) -> None:
    """Scale data up and down; where distances come from differences, mix the sizes too."""
    for factor in (1e-12, 1e12):
        for total, width, count in ((120, 3, 50), (90, 11, 30)):
            judge(ctx, probes.gaussian(total, width) * np.float32(factor), count)
    if ctx.claims.arith == "E0":
        judge(ctx, probes.many_scales(100, 4), 100)


@law(
    "S20",
    "sampler",
    statement="Memory grows with the number of rows, not with its square.",
    why="A hundred thousand rows against each other are 40 GB.",
    seen="A table of all distances, which only small test data let live.",
    mend="Keep one distance a row, to the nearest chosen one, and update it.",
    after=("S01",),
    witnesses=1,
    profile=THOROUGH,
    # No saboteur: what is judged is not an answer.
)
def memory_is_not_squared(ctx: Context) -> None:
    """Trace the memory of Python and NumPy for twice the rows; four times as much means a table of all pairs."""
    needs_size(ctx)
    chosen(ctx, probes.gaussian(50, 4), 4)  # what is loaded or compiled once does not count
    small, large = (peak(ctx, total) for total in (2000, 4000))
    ctx.require(
        not squared(small, large, 4000),
        f"4,000 rows took {large:,} bytes at most, 2,000 rows {small:,}: more than three times as much",
    )
    ctx.witness()
