"""Samplers: what every answer must be, however it was chosen. Distinct row numbers, as many as asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from patchcore_conformance import probes
from patchcore_conformance.certificates import cover_radius, require_greedy
from patchcore_conformance.drivers.sampler import chosen, for_claims, knobs, needs_size, takes, well_formed
from patchcore_conformance.drivers.sampler_memory import bears, needs_room
from patchcore_conformance.drivers.sampler_speed import chooses_all_at_once
from patchcore_conformance.laws.sampler_certificates import exact
from patchcore_conformance.laws.sampler_saboteurs import (
    AS_FLOATS,
    BACKWARDS,
    FIRST_ROWS,
    NEAR_ROW,
    ONE_LESS,
    PAST_THE_END,
    ROW_TWICE,
)
from patchcore_conformance.model.sampler import farthest_first
from patchcore_conformance.registry import law

if TYPE_CHECKING:
    from patchcore_conformance.context import Context
    from patchcore_conformance.probes import Rows

# Total and count: around the ends of blocks, where a share would be cut off instead of rounded, nearly all, and many.
_SIZES = ((1, 1), (2, 1), (3, 2), (5, 4), (10, 1), (29, 17), (64, 63), (65, 64), (100, 29), (100, 57), (129, 128))
_MANY = ((300, 299), (700, 400), (1200, 900), (3000, 140))
# Where a draw with replacement cannot go well; too slow for greedy loops.
_VERY_MANY = ((30_000, 3000), (30_000, 29_900))
# Few rows are left over where blocks of any usual size end.
_SHORT_ENDS = (1025, 1027, 2049, 4097, 4099, 8195, 10_003, 16_386)
# Shares whose product with the total is no whole number in floating point, or below one; halves may go either way.
_SHARES = ((100, 0.29, 29), (100, 0.57, 57), (10, 0.21, 2), (10, 0.38, 4), (40, 0.001, 1), (7, 1.0, 7), (1, 0.4, 1))


@law(
    "S01",
    "sampler",
    statement="The answer is k distinct whole row numbers from 0 to N - 1, for every k from 1 to N.",
    why="The memory bank is built from these rows: one too many breaks the size asked for, one twice wastes room.",
    seen="A sampler asked for 0 rows that answered its first row (anomalib#3544); int(100 * 0.29) rows, which are 28.",
    mend="Return an integer array of exactly count rows, each once. A share means max(1, round(keep * N)).",
    witnesses=20,
    saboteurs=(ROW_TWICE, ONE_LESS, PAST_THE_END, AS_FLOATS),
)
def asks_for_rows(ctx: Context) -> None:
    """Ask for many numbers of rows, by count and by share, from several seeds."""
    cheap = not ctx.claims.at_least("approx", "sampler")
    for total, count in _SIZES + _MANY + (_VERY_MANY if cheap and bears(ctx, _VERY_MANY[0][0]) else ()):
        for seed in (0, 1, 2**31 - 1) if total < 300 else (0,):
            chosen(ctx, for_claims(ctx, probes.gaussian(total, 1 + total % 3)), count, seed)
            ctx.witness()
    _by_share(ctx)
    _refuses_none(ctx)
    ctx.search(
        st.tuples(st.integers(1, 40), st.integers(1, 9), st.integers(0, 1000), st.floats(0, 1)),
        lambda drawn: _judge_drawn(ctx, *drawn),
    )


def _judge_drawn(ctx: Context, total: int, width: int, seed: int, share: float) -> None:
    chosen(ctx, probes.gaussian(total, width, seed=seed % 50), max(1, round(share * total)), seed)


def _by_share(ctx: Context) -> None:
    if takes(ctx, keep=0.5):
        for total, keep, count in _SHARES:
            embeddings = probes.gaussian(total, 2)
            well_formed(ctx, ctx.make(keep=keep).select(embeddings.copy()), embeddings, count)


def _refuses_none(ctx: Context) -> None:
    if knobs(ctx).size != "count":
        return
    embeddings = probes.gaussian(10, 2)
    try:
        answer = ctx.raw(count=0).select(embeddings.copy())
    except (TypeError, ValueError):
        return
    ctx.broken(f"0 rows were asked for and answered with {answer!r}, but a ValueError is needed", embeddings=embeddings)


@law(
    "S02",
    "sampler",
    statement="Rows that are equal still have distinct numbers: k of them come out where all rows are the same.",
    why="Images of the same part have many equal patches. A bank of one row, many times, finds nothing.",
    seen="Distances set to zero instead of masking what is chosen: from radius 0 on the same row is picked again.",
    mend="Mark chosen rows, for example with -1, before looking for the largest distance.",
    after=("S01",),
    witnesses=6,
    saboteurs=(ROW_TWICE,),
)
def equal_rows(ctx: Context) -> None:
    """Ask for more rows than there are different ones."""
    for total, width, count in ((2, 1, 2), (9, 3, 9), (40, 5, 25), (70, 2, 69), (130, 17, 130)):
        for family in (probes.identical, probes.duplicates):
            chosen(ctx, for_claims(ctx, family(total, width)), count, seed=total)
            ctx.witness()
    chosen(ctx, np.zeros((30, 4), dtype=np.float32), 12)
    sizes = st.tuples(st.integers(1, 30), st.integers(1, 6), st.integers(0, 1000), st.floats(0, 1))
    ctx.search(sizes, lambda drawn: _judge_equal(ctx, *drawn))


def _judge_equal(ctx: Context, total: int, width: int, seed: int, share: float) -> None:
    chosen(ctx, np.round(probes.duplicates(total, width, seed=seed % 50)), max(1, round(share * total)), seed)


@law(
    "S07",
    "sampler",
    statement="Fewer rows are a beginning of more rows, for the same seed.",
    why="A bank can then be cut to size afterwards, without choosing again.",
    seen="Row numbers sorted before they are returned; a random start that is drawn after something that depends on k.",
    mend="Return rows in the order in which they were chosen, and draw the start before anything that depends on k.",
    applies=lambda claims: claims.prefix_stable,
    promise="prefix_stable",
    after=("S01",),
    witnesses=10,
    saboteurs=(BACKWARDS,),
)
def fewer_rows_are_a_beginning(ctx: Context) -> None:
    """Compare several numbers of rows with the largest."""
    needs_size(ctx)
    for family, total, width in ((probes.gaussian, 60, 4), (probes.lattice, 65, 3), (probes.clusters, 130, 9)):
        for seed in (0, 7):
            embeddings = for_claims(ctx, family(total, width))
            longest = chosen(ctx, embeddings, total - 3, seed)
            for count in (1, 2, 5, total // 2):
                fewer = chosen(ctx, embeddings, count, seed)
                ctx.require(
                    np.array_equal(fewer, longest[:count]),
                    f"{count} rows are {fewer[:8].tolist()}..., of {total - 3} the first are {longest[:8].tolist()}...",
                    embeddings=embeddings,
                    fewer=fewer,
                    more=longest,
                )
                ctx.witness()


@law(
    "S16",
    "sampler",
    statement="No row is out of reach, however many there are: not the first, not the last, not number 65,536.",
    why="Real training sets have a hundred thousand rows and more. What the last block holds must count too.",
    seen="A last block that is not full and is dropped, or never brought closer; row numbers in 16 bits.",
    mend="Let blocks reach up to min(start + block, N); keep row numbers in 32 bits or more.",
    after=("S01",),
    witnesses=10,
    saboteurs=(FIRST_ROWS, NEAR_ROW, PAST_THE_END),
)
def all_rows_are_in_reach(ctx: Context) -> None:
    """Put the rows that must be chosen where blocks and small integers end."""
    for power in range(5, 15):
        for total in (2**power, 2**power + 1):
            _judge_reach(ctx, for_claims(ctx, probes.outlying_ends(total, 2)), 5, seed=power)
    for total in (100, 1000, 5000, 10_000, 10_007):
        _judge_reach(ctx, for_claims(ctx, probes.outlying_ends(total, 3)), 5)
    if exact(ctx.claims):  # rows at the end that others are near to must not look far for want of an update
        for total in _SHORT_ENDS:
            _judge_reach(ctx, for_claims(ctx, probes.lattice(total, 3)), 24)
    for total, width, count in ((70001, 1, 20), (66000, 2, 18)):
        needs_room(ctx, total)
        _judge_reach(ctx, for_claims(ctx, probes.gapped(total, width)), count)
    _every_number_comes(ctx, 66_000)


def _every_number_comes(ctx: Context, total: int) -> None:
    """Where nothing tells a wrong row from a right one, ask for all: a number cut to 16 bits comes twice."""
    if not ctx.claims.at_least("approx", "sampler") and chooses_all_at_once(ctx, total):
        chosen(ctx, for_claims(ctx, probes.lattice(total, 2)), total)
        ctx.witness()


def _judge_reach(ctx: Context, embeddings: Rows, count: int, seed: int = 0) -> None:
    rows = chosen(ctx, embeddings, count, seed)
    if ctx.claims.at_least("exact", "sampler"):
        ctx.witness(require_greedy(ctx, embeddings, rows).telling > 0)
    elif ctx.claims.at_least("approx", "sampler"):
        # Two rows may go elsewhere: how finely the near rows are covered is a law of its own.
        enough = farthest_first(embeddings, max(1, len(rows) - 2), int(rows[0]))
        allowed = ctx.claims.factor * cover_radius(embeddings, enough)
        ctx.within(cover_radius(embeddings, rows), allowed, "a far row was left out", embeddings=embeddings, rows=rows)
        ctx.witness()
    else:
        ctx.witness()


@law(
    "S17",
    "sampler",
    statement="All rows can be asked for, or one, or the only one; never does a row come twice to fill up.",
    why="Small data sets and keep = 1.0 are where a loop is off by one.",
    seen="Loops that choose one row too few at k = N, or that fail where there is one row only.",
    mend="Run the loop count - 1 times after the first row, and let it run no time at all.",
    after=("S01",),
    witnesses=10,
    saboteurs=(ROW_TWICE, PAST_THE_END),
)
def all_one_or_the_only_row(ctx: Context) -> None:
    """Ask for everything, for one, and for more than there is."""
    for total in (1, 2, 3, 17, 64, 65):
        for embeddings in (probes.gaussian(total, 3), probes.lattice(total, 1)):
            everything = chosen(ctx, for_claims(ctx, embeddings), total, seed=total)
            if knobs(ctx).size:
                ctx.require(np.array_equal(np.sort(everything), np.arange(total)), "not all rows came", rows=everything)
            chosen(ctx, for_claims(ctx, embeddings), 1, seed=total)
            ctx.witness()
    _more_than_there_are(ctx)


def _more_than_there_are(ctx: Context) -> None:
    """An error is best; all rows once are accepted; a row twice is not."""
    if knobs(ctx).size != "count":
        return
    embeddings = probes.gaussian(5, 2)
    try:
        answer = ctx.raw(count=8).select(embeddings.copy())
    except ValueError:
        return
    well_formed(ctx, answer, embeddings, 5)
