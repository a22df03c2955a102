"""Searches: which rows come back, how many, and in which order, whatever the sizes are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from patchcore_conformance import pairs, probes
from patchcore_conformance.drivers.neighbors import (
    as_many,
    ask,
    built,
    exact,
    for_claims,
    judge,
    require_found,
    well_formed,
)
from patchcore_conformance.laws.neighbor_saboteurs import (
    ANYWAY,
    BACKWARDS,
    FARTHER,
    LAST_LOST,
    NOT_A_NUMBER,
    PADDED,
    ROW_TWICE,
    SHIFTED,
)
from patchcore_conformance.registry import law

if TYPE_CHECKING:
    from typing import Any

    from patchcore_conformance.context import Context
    from patchcore_conformance.drivers.neighbors import Asked, Table

_QUERIES = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 512, 513)
_MANY_QUERIES = (999, 1000, 1001, 1023, 1024, 1025, 2047, 2048, 2049, 4097, 5003, 8193, 10_007, 20_011, 66_003)
_ROWS = (*_QUERIES, 999, 1000, 1001, 1023, 1024, 1025, 2047, 2049, 4095, 4096, 4097)
_MANY_ROWS = (5003, 8193, 10_007, 16_385, 20_011, 32_769)


@law(
    "N06",
    "neighbors",
    statement="All M rows can be asked for; more than M are refused with a ValueError, never filled up.",
    why="Row number -1 is the last row to NumPy, and a distance of 3.4e38 is an image score that looks like one.",
    seen="faiss fills up with -1 and FLT_MAX where it found fewer than k rows.",
    mend="Check 1 <= k <= M before searching, and raise ValueError; look for -1 in what a library answers.",
    witnesses=8,
    saboteurs=(ANYWAY, PADDED),
)
def more_than_there_are(ctx: Context) -> None:
    """Ask for as many rows as there are, then for more."""
    for total, width in ((1, 1), (1, 7), (3, 2), (17, 5), (200, 33)):
        bank, queries = for_claims(ctx, *pairs.split(probes.lattice, total, 4, width))
        judge(ctx, bank, queries, total)
        index = built(ctx, bank)
        for k in (total + 1, total + 5, 10 * total + 100):
            try:
                answer = index.query(queries.copy(), k=k)
            except ValueError:
                ctx.witness()
                continue
            ctx.broken(
                f"{k} of {total} rows were asked for: a ValueError is needed, but {answer!r} came",
                bank=bank,
                queries=queries,
            )


@law(
    "N07",
    "neighbors",
    statement="The rows of a query are different ones, also where rows of the bank are equal: each equal row counts.",
    why="Re-weighting looks at several neighbours; one row twice says that the place is crowded when it is not.",
    seen="The number of a row looked up by its distance, so that equal distances give one row, again and again.",
    mend="Carry row numbers along while sorting (argsort, topk), never look them up by value.",
    witnesses=8,
    saboteurs=(ROW_TWICE, PADDED),
)
def equal_rows_count_each(ctx: Context) -> None:
    """Ask banks of few different rows for more rows than there are different ones."""
    for total, width, k in (
        (2, 1, 2),
        (9, 3, 9),
        (40, 5, 25),
        (70, 2, 69),
        (130, 17, 130),
        (600, 4, 200),
        (300, 64, 2),
    ):
        for family in (probes.identical, probes.duplicates):
            bank = np.round(family(total, width))
            if family is probes.identical:
                bank[-1] += 1  # somewhere else, so that there is a wrong row
            judge(ctx, bank, bank[:: max(1, total // 7)], k)
    _judge_zeros(ctx)


def _judge_zeros(ctx: Context) -> None:
    bank = np.zeros((30, 4), dtype=np.float32)
    asked = judge(ctx, bank, bank[:3], 12)
    if ctx.claims.arith in {"E0", "E1"}:
        ctx.require((asked.squares == 0).all(), "rows of zeros are not at distance 0 from zeros", **asked.seen)


@law(
    "N08",
    "neighbors",
    statement="Distances come nearest first, for every k, and each is a finite number of 0 or more.",
    why="The first column is the patch score. An unsorted one, or a NaN, makes a score of whatever came first.",
    seen="argpartition and topk(sorted=False), which happen to be sorted for small k; the root of a negative number in "
    "expanded squares (faiss#297).",
    mend="Sort the k that a partition leaves; cut squares at 0 before the root is taken.",
    witnesses=4,
    saboteurs=(BACKWARDS, NOT_A_NUMBER),
)
def nearest_first(ctx: Context) -> None:
    """Ask for few and for many rows, and for rows that nearly cancel."""
    cases = [(probes.lattice, 700, 3, 5, 400), (probes.lattice, 60, 9, 2, 60), (probes.lattice, 64, 20, 33, 2)]
    if ctx.claims.arith != "lattice":
        cases += [
            (probes.gaussian, 700, 3, 9, 400),
            (probes.gaussian, 2000, 3, 4, 1500),
            (probes.manifold, 90, 30, 7, 21),
        ]
        cases += [
            (probes.shifted, 120, 40, 50, 90),
            (probes.duplicates, 90, 30, 65, 50),
            (probes.one_ray, 64, 64, 20, 8),
        ]
    for family, total, queries, width, k in cases:
        bank, others = pairs.split(family, total, queries, width)
        both = np.concatenate([others, bank[:queries]])
        for asked in (ask(ctx, bank, both, k), ask(ctx, bank, others, 2)):
            steps = np.diff(asked.distances.astype(np.float64), axis=1)
            ctx.require((steps >= 0).all(), "a nearer row comes after a farther one", **asked.seen)
            ctx.witness(steps.size > 0)


@law(
    "N12",
    "neighbors",
    statement="No query and no row is lost where blocks end, however many there are of either.",
    why="An image has 784 patches, a bank 10,007 rows: neither fills whole blocks.",
    seen="The last block left out when it is not full; row numbers that count from the start of the block.",
    mend="Let blocks reach up to min(start + block, end), and add the block's start to the row numbers found in it.",
    witnesses=30,
    saboteurs=(FARTHER, LAST_LOST),
)
def any_number_of_either(ctx: Context) -> None:
    """Ask for rows that nothing else is near to, at the ends of banks and of batches of many sizes."""
    totals = _ROWS + (_MANY_ROWS if exact(ctx.claims) else (5003,))
    found = [_found_ends(ctx, total) for total in totals]
    for count in _QUERIES + _MANY_QUERIES:
        bank, queries = probes.lattice(30, 2, seed=count), probes.lattice(count, 2, seed=count + 1)
        queries[-1] = bank[-1]
        found.append(_nearest_found(judge(ctx, bank, queries, 2)))
    for rows, count in ((64, 64), (65, 65), (128, 128), (300, 300), (2049, 1025)):
        found.append(_nearest_found(judge(ctx, *pairs.split(probes.lattice, rows, count, 4), 1)))
    if not exact(ctx.claims):
        for end, which in ((0, "first"), (-1, "last"), (-2, "last but one")):
            ends = [one[end] for one in found if len(one) > 1]
            require_found(ctx, ends, f"of rows at the ends of banks and batches, the {which}, too few are found")


def _found_ends(ctx: Context, total: int) -> list[bool]:
    """Ask for the first and last rows, for those at the ends of blocks, and for some others."""
    places = {0, total // 3, total // 2, total - 2, total - 1, *(2**power for power in range(5, 17))}
    places |= {place - 1 for place in places} | {1000, 4000, 5000, 8000, 9999, 10_000}
    queries = [0, *sorted(place for place in places if 0 < place < total)[-11:]]
    bank = probes.lattice(total, 3, seed=total)
    bank[queries, 0] = 20 + 3 * np.arange(len(queries))
    return _nearest_found(judge(ctx, bank, bank[queries], 1))


def _nearest_found(asked: Asked) -> list[bool]:
    return [bool(one) for one in asked.hits()[:, 0]]


@law(
    "N13",
    "neighbors",
    statement="No queries at all get answers (0, k), or are refused with a ValueError; nothing else.",
    why="A batch that was filtered may be empty: the caller has to meet either an empty answer or a sentence.",
    seen="An IndexError out of a loop over blocks; an answer of one row.",
    mend="Return empty arrays (0, k), or check for it first and raise ValueError.",
    witnesses=3,
    saboteurs=(ANYWAY,),
)
def no_queries(ctx: Context) -> None:
    """Ask nothing: architecture and contract refuse empty input, and an answer of no rows is as clear."""
    for total, width, k in ((9, 3, 1), (9, 3, 4), (300, 64, 2)):
        k = as_many(ctx, k)
        bank = for_claims(ctx, probes.lattice(total, width), probes.lattice(2, width))[0]
        index, queries = built(ctx, bank), np.empty((0, width), dtype=np.float32)
        try:
            answer = index.query(queries.copy(), k=k)
        except ValueError:
            ctx.witness()
            continue
        except Exception as problem:  # noqa: BLE001 - the wrong exception is what is looked for
            ctx.broken(f"no queries: (0, {k}) or a ValueError is needed, but {type(problem).__name__} came: {problem}")
        well_formed(ctx, answer, bank, queries, k)
        ctx.witness()


@law(
    "N21",
    "neighbors",
    statement="Rows with large numbers are found and named like all others.",
    why="Real banks have a hundred thousand rows and more.",
    seen="Row numbers in 16 bits, in which row 65,536 is row 0; a search that ends after a fixed number of rows.",
    mend="Keep row numbers in 32 bits or more, all the way.",
    after=("N12",),
    witnesses=2,
    saboteurs=(SHIFTED, PADDED),
)
def large_row_numbers(ctx: Context) -> None:
    """Ask for rows around number 255, 32,767 and 65,535, and for the last ones."""
    for total, width in ((70_001, 1), (300, 2)):
        if exact(ctx.claims):
            bank = probes.gapped(total, width)
            judge(ctx, bank, bank[np.flatnonzero(bank[:, 0] > 100)], 1)
        else:
            bank = probes.manifold(min(total, 66_000), 2)  # graphs fall apart where so many rows are equal
            asked = judge(ctx, bank, bank[-120:], 1)
            require_found(ctx, asked.hits(), "of rows with large numbers too few are found", **asked.seen)
    if exact(ctx.claims):
        judge(ctx, probes.gapped(66_000, 2), probes.gapped(66_000, 2)[-9:], 5)


@law(
    "N24",
    "neighbors",
    statement="A query far off the bank, a thousand spreads and more, gets its k rows like any other.",
    why="A true anomaly lies far off: the search must not fail exactly there.",
    seen="Empty cells that leave -1 where rows should be; queries cut to the range of the bank.",
    mend="Look into more cells until k rows are found, or measure all rows; leave queries as they are.",
    witnesses=3,
    saboteurs=(PADDED, FARTHER, ROW_TWICE),
)
def far_queries(ctx: Context) -> None:
    """Ask from far off in several directions, for few rows and for all."""
    family = probes.lattice if ctx.claims.arith == "lattice" else probes.clusters
    for total, width in ((400, 8), (300, 1), (700, 60)):
        bank = family(total, width)
        far = np.round(bank.std() * 1000) * _directions(width)
        for k in (1, 9, total // 4, total):
            judge(ctx, bank, (bank[: len(far)] + far).astype(np.float32), k)


def _directions(width: int) -> Table:
    """All values up, all down, one up, and up and down in turns."""
    found: Any = np.zeros((4, width))
    found[0], found[1], found[2, 0], found[3] = 1, -1, 1, np.where(np.arange(width) % 2, -1, 1)
    return np.asarray(found, dtype=np.float32)
