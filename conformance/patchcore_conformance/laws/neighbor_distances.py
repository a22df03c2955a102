"""Searches: that the nearest rows are found and their distances are right, recomputed in float64 by differences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from patchcore_conformance import pairs, probes
from patchcore_conformance.drivers.neighbors import exact, judge, of_real_numbers
from patchcore_conformance.laws.neighbor_saboteurs import (
    ADDED,
    BACKWARDS,
    EXCHANGED,
    FARTHER,
    LAST_LOST,
    NEXT_ROW,
    SHIFTED,
    SQUARED,
)
from patchcore_conformance.registry import law

if TYPE_CHECKING:
    from patchcore_conformance.claims import Claims
    from patchcore_conformance.context import Context

# Bank rows, queries, width, k. Widths around 4, 8, 16 ... meet what is left over when vector registers are full.
_LATTICES = (
    *((1, 1, 1, 1), (2, 3, 1, 2), (3, 1, 2, 1), (9, 9, 3, 4), (10, 17, 1, 10), (40, 5, 2, 40), (63, 8, 3, 1)),
    *((64, 64, 5, 5), (65, 33, 7, 3), (128, 20, 8, 2), (129, 13, 9, 30), (60, 15, 15, 20), (60, 16, 16, 1)),
    *((61, 7, 17, 20), (50, 9, 31, 16), (50, 40, 33, 1), (40, 6, 63, 12), (40, 6, 65, 12), (33, 33, 129, 10)),
    *((30, 4, 257, 8), (24, 3, 513, 6), (24, 24, 1025, 24), (700, 5, 4, 400), (2100, 2, 3, 2100), (300, 40, 64, 2)),
    (6000, 50, 16, 2),
)
_FLOATS = (
    *((probes.gaussian, 400, 60, 2, 5), (probes.gaussian, 300, 50, 3, 9), (probes.gaussian, 500, 33, 7, 1)),
    *((probes.gaussian, 300, 1, 19, 3), (probes.gaussian, 120, 64, 300, 4), (probes.gaussian, 80, 9, 700, 80)),
    *((probes.gaussian, 64, 7, 1536, 3), (probes.gaussian, 30, 6, 2050, 5), (probes.gaussian, 20, 5, 4101, 2)),
    *((probes.gaussian, 600, 20, 97, 4), (probes.gaussian, 700, 6, 5, 400), (probes.gaussian, 3000, 30, 3, 2)),
    (probes.gaussian, 6000, 50, 16, 3),
    *((probes.clusters, 1000, 60, 16, 3), (probes.clusters, 800, 40, 65, 2), (probes.clusters, 300, 20, 513, 1)),
    *((probes.manifold, 900, 60, 24, 5), (probes.manifold, 700, 30, 129, 4), (probes.rectified, 600, 40, 100, 3)),
    *((probes.fine_ties, 300, 60, 2, 6), (probes.fine_ties, 300, 40, 6, 9), (probes.fine_ties, 200, 30, 33, 3)),
    *((probes.near_ties, 300, 40, 6, 5), (probes.one_ray, 400, 60, 5, 3), (probes.one_ray, 600, 40, 66, 1)),
    *(
        (probes.duplicates, 300, 40, 4, 9),
        (probes.last_columns, 400, 60, 19, 3),
        (probes.spikes_in_haze, 400, 40, 64, 3),
    ),
    *((probes.haze_in_spikes, 400, 40, 64, 3), (probes.gaussian, 65, 65, 4, 3), (probes.gaussian, 300, 300, 12, 1)),
)


@law(
    "N01",
    "neighbors",
    statement="On small whole numbers the j-th distance is the root of the j-th smallest sum of squares, exactly.",
    why="Rounding plays no part there: what fails here measures something else, or misses rows.",
    seen="Squared distances called distances; cosines; sums of absolute values; rows that were never looked at.",
    mend="Answer the k smallest Euclidean distances of all bank rows, nearest first, as (distances, rows).",
    applies=exact,
    promise="level exact",
    witnesses=20,
    saboteurs=(SQUARED, EXCHANGED, NEXT_ROW, SHIFTED),
)
def nearest_on_lattices(ctx: Context) -> None:
    """Compare with all distances of lattices of many sizes, then of sizes drawn at random."""
    for total, queries, width, k in _LATTICES:
        _judge_lattice(ctx, total, queries, width, k)
    sizes = st.tuples(st.integers(1, 40), st.integers(1, 12), st.integers(1, 20), st.integers(0, 40))
    ctx.search(sizes, lambda of: _judge_lattice(ctx, of[0], of[1], of[2], 1 + of[3] % of[0]))


def _judge_lattice(ctx: Context, total: int, queries: int, width: int, k: int) -> None:
    asked = judge(ctx, *pairs.split(probes.lattice, total, queries, width), k)
    if asked.truth.slack.max() < 0.25:  # then each square tells which whole number is meant
        found, k = np.rint(asked.squares), asked.rows.shape[1]
        same = np.array_equal(found, np.sort(asked.truth.squares, axis=1)[:, :k])
        ctx.require(same, "squared distances are not the smallest whole numbers there are", **asked.seen)


@law(
    "N02",
    "neighbors",
    statement="On real numbers of many kinds, the j-th distance is the j-th smallest, up to the claimed rounding.",
    why="An image score is a distance: a neighbour that is missed raises it, a distance in few bits blurs it.",
    seen="The last columns of odd widths left out of the sum; TF32 or float16 in between; searches of some cells only.",
    mend="Measure every row that may be nearest, in the claimed dtype, over all columns. Else claim level approx.",
    applies=of_real_numbers,
    promise="level exact, with an arith for real numbers",
    after=("N01",),
    witnesses=20,
    saboteurs=(FARTHER, NEXT_ROW),
)
def nearest_on_real_numbers(ctx: Context) -> None:
    """Compare with all distances: queries like the rows, between rows, close to rows, and off all of them."""
    for family, total, queries, width, k in _FLOATS:
        for seed in range(ctx.profile.repeats):
            judge(ctx, *pairs.split(family, total, queries, width, seed), k)
    for family, width in ((probes.clusters, 12), (probes.manifold, 70), (probes.rectified, 9), (probes.clusters, 80)):
        for ask_off in (pairs.between, pairs.close, pairs.off):
            judge(ctx, *ask_off(family, 700, 40, width), 2)
    sizes = st.tuples(st.integers(1, 70), st.integers(1, 20), st.integers(1, 40), st.integers(0, 70))
    ctx.search(sizes, lambda drawn: _judge_drawn(ctx, *drawn))


def _judge_drawn(ctx: Context, total: int, queries: int, width: int, k: int) -> None:
    judge(ctx, *pairs.split(probes.gaussian, total, queries, width), 1 + k % total)


def _centred(claims: Claims) -> bool:
    return of_real_numbers(claims) and claims.arith in {"E0", "E1-centred"}


@law(
    "N03",
    "neighbors",
    statement="The nearest rows are found also where all values lie a thousand spreads from zero, by a few queries.",
    why="Features have large means. A formula that cancels there answers by the noise of its last bits.",
    seen="|q|^2 - 2 q.b + |b|^2 in float32 without taking off the mean; bounds from lengths without room for rounding.",
    mend="Compute by differences, or take off the bank's mean from both first. Else claim arith E1.",
    applies=_centred,
    promise="level exact, arith E0 or E1-centred",
    after=("N01",),
    witnesses=4,
    saboteurs=(FARTHER, NEXT_ROW, SHIFTED),
)
def nearest_far_from_zero(ctx: Context) -> None:
    """Ask a few queries of shifted data, of two groups far apart, and of rows on one ray far out."""
    for total, queries, width, k in (
        (200, 5, 3, 4),
        (300, 1, 8, 1),
        (700, 7, 65, 3),
        (100, 9, 300, 100),
        (400, 3, 20, 2),
    ):
        for family in (probes.shifted, probes.far_pair):
            judge(ctx, *pairs.split(family, total, queries, width), k)
    for total, queries, width in ((600, 18, 4), (900, 16, 64), (500, 10, 1)):
        for seed in range(3):
            judge(ctx, *pairs.far_ray(total, queries, width, seed), 1)


@law(
    "N04",
    "neighbors",
    statement="The same holds for thousands of queries at a time.",
    why="Libraries change the formula with the size of the batch: five queries say nothing of an image's 784.",
    seen="Differences for few queries and expanded squares for many (faiss#563, faiss#5285).",
    mend="Take off the bank's mean before a library computes products, or measure its candidates again by differences.",
    applies=_centred,
    promise="level exact, arith E0 or E1-centred",
    after=("N01", "N03"),
    witnesses=4,
    saboteurs=(FARTHER, NEXT_ROW, LAST_LOST),
)
def many_far_from_zero(ctx: Context) -> None:
    """Ask many queries of shifted data: 20 and more, 128,000 values and more."""
    for total, queries, width, k in ((300, 24, 5, 2), (100, 2100, 64, 1), (40, 17_000, 8, 3), (700, 300, 48, 2)):
        judge(ctx, *pairs.split(probes.shifted, total, queries, width), k)
    judge(ctx, *pairs.split(probes.far_pair, 60, 5000, 26), 2)
    judge(ctx, *pairs.far_ray(300, 1000, 9), 1)


@law(
    "N05",
    "neighbors",
    statement="A row of the bank finds itself, or a row equal to it, at distance 0.",
    why="What was seen in training is not anomalous at all; a constant under the root makes everything a little so.",
    seen="A constant added under the root, or a floor below it; the row itself left out of its neighbours.",
    mend="Take the root of the plain sum, with negative values of expanded squares cut at 0; leave no row out.",
    applies=exact,
    promise="level exact",
    witnesses=6,
    saboteurs=(ADDED, NEXT_ROW),
)
def rows_find_themselves(ctx: Context) -> None:
    """Ask for the rows of the bank, all or some, also in small numbers."""
    families = (probes.lattice,) if ctx.claims.arith == "lattice" else _OF_ALL_KINDS
    for family in families:
        for total, width in ((1, 3), (65, 1), (129, 6), (300, 70), (40, 515)):
            bank = family(total, width)
            for queries in (bank, bank[-5:], bank[total // 2 :][:1]):
                _judge_itself(ctx, bank, queries, k=min(total, 2))


_OF_ALL_KINDS = (probes.gaussian, probes.duplicates, probes.rectified, probes.shifted)


def _judge_itself(ctx: Context, bank: pairs.Table, queries: pairs.Table, k: int) -> None:
    asked = judge(ctx, bank, queries, k)
    first = asked.rows[:, :1]
    slack = np.take_along_axis(asked.truth.slack, first, axis=1)
    if ctx.claims.arith == "E0":
        slack = np.zeros_like(slack)
    ctx.within(
        asked.squares[:, :1], slack, "a row of the bank is not at distance 0 (squared) from itself", **asked.seen
    )
    own = np.take_along_axis(asked.truth.squares, first, axis=1)
    ctx.within(own, 2 * slack, "a row of the bank finds another row first", **asked.seen)


@law(
    "N09",
    "neighbors",
    statement="Each distance is that of the row it is answered with.",
    why="The row says where the nearest normal patch came from; a map of it next to another row's distance misleads.",
    seen="Distances sorted without their rows; rows and distances exchanged; blocks of one with those of the other.",
    mend="Sort rows and distances by one order (take_along_axis), and return (distances, rows).",
    applies=exact,
    promise="level exact",
    witnesses=3,
    saboteurs=(SHIFTED, NEXT_ROW, SQUARED, EXCHANGED, BACKWARDS),
)
def distances_belong_to_rows(ctx: Context) -> None:
    """Measure each returned row again."""
    numbers = (probes.lattice, 90, 20, 3, 90), (probes.lattice, 500, 8, 6, 30), (probes.lattice, 33, 1, 40, 5)
    reals = (probes.gaussian, 700, 6, 9, 400), (probes.clusters, 300, 40, 17, 8), (probes.shifted, 200, 30, 33, 6)
    for family, total, queries, width, k in numbers + (() if ctx.claims.arith == "lattice" else reals):
        judge(ctx, *pairs.split(family, total, queries, width), k)
