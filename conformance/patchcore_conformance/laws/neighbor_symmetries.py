"""Searches: what must stay the same when k, batches, scale, order or origin change."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance import pairs, probes
from patchcore_conformance.drivers.neighbors import (
    ask,
    built,
    exact,
    for_claims,
    judge,
    of_real_numbers,
    require_agree,
)
from patchcore_conformance.laws.neighbor_saboteurs import FARTHER, MOODY, NEXT_ROW, SHIFTED, SQUARED
from patchcore_conformance.registry import law

if TYPE_CHECKING:
    from patchcore_conformance.context import Context
    from patchcore_conformance.drivers.neighbors import Asked, Table

_EXACT: dict[str, Any] = {"applies": exact, "promise": "level exact", "after": ("N01",)}
_REAL: dict[str, Any] = {
    "applies": of_real_numbers,
    "promise": "level exact, with an arith for real numbers",
    "after": ("N01",),
}


def _pair(ctx: Context, family: Any, total: int, queries: int, width: int) -> tuple[Table, Table]:
    family = probes.lattice if ctx.claims.arith == "lattice" else family
    return for_claims(ctx, *pairs.split(family, total, queries, width))


@law(
    "N10",
    "neighbors",
    statement="Fewer neighbours are the beginning of more neighbours.",
    why="A patch score is the first distance, re-weighting takes nine: both have to speak of the same neighbour.",
    seen="A search that looks at about k candidates, and so finds better ones when it is asked for more.",
    mend="Do not let k decide which rows are looked at, or look at enough for k = 1.",
    witnesses=8,
    saboteurs=(MOODY, FARTHER),
    **_EXACT,
)
def fewer_begin_more(ctx: Context) -> None:
    """Compare several k with all rows."""
    for family, total, width in ((probes.gaussian, 60, 4), (probes.lattice, 65, 3), (probes.clusters, 300, 66)):
        bank, queries = _pair(ctx, family, total, 20, width)
        index = built(ctx, bank)
        most = judge(ctx, bank, queries, total, index)
        for k in (1, 2, 5, total // 2):
            fewer = judge(ctx, bank, queries, k, index)
            require_agree(ctx, fewer, most, f"distances for k = {k} do not begin those for k = {total}")


@law(
    "N11",
    "neighbors",
    statement="A query's answer does not depend on which queries come with it.",
    why="An image must score the same alone and in a batch.",
    seen="Batches centred by their own mean; candidates found for a whole batch; chunks put together in another order.",
    mend="Derive nothing from a batch but its size; where bits must be equal too, not even that.",
    witnesses=6,
    saboteurs=(MOODY, SHIFTED),
)
def queries_do_not_mix(ctx: Context) -> None:
    """Compare one search with searches of single queries, of odd shares, and among far others."""
    cases = ((probes.gaussian, 80, 37, 5, 3), (probes.lattice, 65, 130, 3, 2), (probes.clusters, 600, 70, 66, 2))
    for family, total, count, width, k in cases:
        bank, queries = _pair(ctx, family, total, count, width)
        index = built(ctx, bank)
        whole = judge(ctx, bank, queries, k, index)
        for parts in _shares(count):
            split = [judge(ctx, bank, queries[part], k, index) for part in parts]
            _require_same(ctx, [_cut(whole, part) for part in parts], split, "asked in other company")
        wide = np.float32(1 if ctx.claims.dtype == "float16" else 8)
        crowd = np.concatenate([queries, queries * -wide, bank[:9]])
        among = judge(ctx, bank, crowd, k, index)
        _require_same(ctx, [whole], [_cut(among, slice(0, count))], "asked among others")


def _shares(count: int) -> list[list[slice]]:
    ends = [0, 1, 8, 13, 30, count]
    singles = [slice(one, one + 1) for one in (0, 1, count // 2, count - 1)]
    return [singles, [slice(start, end) for start, end in pairwise(ends)]]


def _cut(asked: Asked, part: slice) -> Asked:
    truth = replace(asked.truth, squares=asked.truth.squares[part], slack=asked.truth.slack[part])
    return type(asked)(asked.bank, asked.queries[part], asked.distances[part], asked.rows[part], truth, asked.given)


def _require_same(ctx: Context, one: list[Asked], two: list[Asked], told: str) -> None:
    left, right = (np.concatenate([part.distances for part in parts]) for parts in (one, two))
    seen = {"distances": left, "distances_apart": right, **one[0].seen}
    if ctx.claims.batch_invariant:
        mine, theirs = (np.concatenate([part.rows for part in parts]) for parts in (one, two))
        same = np.array_equal(left, right) and np.array_equal(mine, theirs)
        ctx.require(same, f"{told}, the same queries get other bits", **seen)
    elif exact(ctx.claims):
        for whole, part in zip(one, two, strict=True):
            require_agree(ctx, whole, part, f"{told}, the same queries get other distances")
    else:
        # Each may miss the share that is claimed, here and there another one.
        share = np.isclose(left, right, rtol=1e-3).mean()
        enough = 1 - 2 * (1 - ctx.claims.recall) - 0.1
        ctx.require(share >= enough, f"{told}, {1 - share:.0%} of the distances are others", **seen)


@law(
    "N17",
    "neighbors",
    statement="Values times a power of two give distances times that power, at every legal size of values.",
    why="Nothing says that features are about 1 in size. Scaling so changes no digit of them.",
    seen="Something added under the root or to lengths; a stop below a fixed distance; float16; squares that vanish.",
    mend="Compare distances with each other only, never with a constant; form no higher power than the square.",
    witnesses=6,
    saboteurs=(MOODY, NEXT_ROW),
    **{**_REAL, "after": ()},
)
def powers_of_two(ctx: Context) -> None:
    """Scale up and down; where distances come from differences, mix the sizes too."""
    few_bits = ctx.claims.dtype == "float16"
    for family, total, width, k in (
        (probes.gaussian, 120, 3, 4),
        (probes.clusters, 300, 65, 2),
        (probes.duplicates, 40, 4, 9),
    ):
        bank, queries = _pair(ctx, family, total, 20, width)
        queries = np.concatenate([queries, bank[:5]])
        plain = judge(ctx, bank, queries, k)
        for power in (-3, -1) if few_bits else (-40, -30, -12, 12, 30, 40):
            factor = np.float32(2.0**power)
            scaled = judge(ctx, bank * factor, queries * factor, k)
            told = f"values times 2^{power} do not give distances times 2^{power}"
            require_agree(ctx, plain, scaled, told, scale=4.0**-power)
    if ctx.claims.arith == "E0" and not few_bits:
        judge(ctx, *pairs.split(probes.many_scales, 100, 40, 4), 5)


@law(
    "N18",
    "neighbors",
    statement="The order of the bank does not matter, and more rows never make a distance longer.",
    why="Patches come image by image; that neighbours in memory are alike must not decide what is found.",
    seen="Cells or graphs that depend on the order of rows; a search that stops at the first row that is near enough.",
    mend="Look at every row that may be nearer than the k-th best so far.",
    witnesses=6,
    saboteurs=(MOODY, NEXT_ROW),
    **_EXACT,
)
def any_order_of_rows(ctx: Context) -> None:
    """Shuffle and sort the bank, then add rows to it."""
    for family, total, width, k in (
        (probes.manifold, 400, 5, 3),
        (probes.clusters, 600, 65, 2),
        (probes.lattice, 90, 3, 9),
    ):
        bank, queries = _pair(ctx, family, total, 30, width)
        first = judge(ctx, bank, queries, k)
        by_value = np.argsort(bank[:, 0], kind="stable")
        for order in (by_value, by_value[::-1], ctx.rng(total).permutation(total)):
            moved = judge(ctx, bank[order], queries, k)
            require_agree(ctx, first, moved, "another order of the bank gives other distances")
        more = judge(ctx, np.concatenate([bank, np.roll(bank, 1, axis=1)]), queries, k)
        longer = np.maximum(more.squares - first.squares, 0)
        own = (np.take_along_axis(one.truth.slack, one.rows, axis=1) for one in (first, more))
        ctx.within(longer, 3 * sum(own) + first.squares * 2.0**-21, "with more rows a distance is longer", **more.seen)


@law(
    "N19",
    "neighbors",
    statement="Two queries' distances differ by no more than the queries are apart.",
    why="A score that jumps between neighbouring pixels is an artefact, not a defect.",
    seen="Cells: on the two sides of a border different rows are looked at.",
    mend="Measure every row that may be nearest. Else claim level approx.",
    witnesses=4,
    saboteurs=(MOODY, SQUARED),
    **_EXACT,
)
def distances_change_smoothly(ctx: Context) -> None:
    """Walk from row to row in small steps, and compare each step with the next."""
    for family, total, width, k in (
        (probes.clusters, 500, 8, 1),
        (probes.manifold, 400, 30, 3),
        (probes.lattice, 60, 2, 5),
    ):
        bank = _pair(ctx, family, total, 1, width)[0]
        share = np.linspace(0, 1, num=17, dtype=np.float32)[:, None, None]
        path = (bank[None, :4] * (1 - share) + bank[None, -4:] * share).transpose(1, 0, 2).reshape(-1, width)
        asked = ask(ctx, bank, np.round(path) if ctx.claims.arith == "lattice" else path, k)
        steps = np.sqrt(np.square(np.diff(asked.queries.astype(np.float64), axis=0)).sum(axis=1))[:, None]
        slack = np.take_along_axis(asked.truth.slack, asked.rows, axis=1)
        lengths = asked.distances.astype(np.float64)
        loose = np.minimum(np.sqrt(slack), slack / np.maximum(lengths, 1e-300)) + lengths * 2.0**-22
        jumps = np.maximum(np.abs(np.diff(lengths, axis=0)) - steps, 0)
        # Choosing may round as well as measuring.
        ctx.within(jumps, 3 * (loose[1:] + loose[:-1]), "distances jump between near queries", **asked.seen)
        ctx.witness(int((steps > 0).any()) * 2)


@law(
    "N20",
    "neighbors",
    statement="Moving, mirroring and reordering the columns of bank and queries alike changes no distance.",
    why="Only differences count: not where zero lies, not in which direction or column a value differs.",
    seen="Cosines instead of distances; products in few bits without taking off the mean; columns that were left out.",
    mend="Use Euclidean distances over all columns; take off the mean before expanding squares.",
    witnesses=20,
    saboteurs=(FARTHER, NEXT_ROW),
    **_EXACT,
)
def moved_mirrored_reordered(ctx: Context) -> None:
    """Change lattices, on which no digit is lost; then put all that tells rows apart into one column."""
    far = _far(ctx)
    for total, width, k in ((60, 2, 3), (65, 5, 60), (90, 12, 2)):
        bank, queries = pairs.split(probes.lattice, total, 20, width)
        plain = judge(ctx, bank, queries, k)
        signs = ctx.rng(width).choice([-1, 1], size=width)
        order = ctx.rng(total).permutation(width)
        moves = {"moved": far * np.abs(signs), "moved to and fro": far * signs}
        changed = {told: (bank + by, queries + by) for told, by in moves.items()}
        changed |= {"mirrored": (bank * signs, queries * signs), "reordered": (bank[:, order], queries[:, order])}
        for told, (rows, asking) in changed.items():
            other = judge(ctx, rows.astype(np.float32), asking.astype(np.float32), k)
            if ctx.claims.dtype != "float16":  # which may have to be scaled
                require_agree(ctx, plain, other, f"{told} columns give other distances")
    for width, places in ((19, range(19)), (67, range(60, 67)), (130, (0, 127, 128, 129)), (1030, (1023, 1024, 1029))):
        for place in places:
            _judge_column(ctx, width, place)


def _judge_column(ctx: Context, width: int, place: int) -> None:
    bank, queries = np.zeros((13, width), dtype=np.float32), np.zeros((3, width), dtype=np.float32)
    bank[:, place] = 10 * ctx.rng(place).permutation(13)
    queries[:, place] = (120, 41, 9)
    judge(ctx, bank, queries, 3)


def _far(ctx: Context) -> int:
    """How far whole numbers can be moved so that the claimed arithmetic still tells them apart."""
    if ctx.claims.dtype in {"float16", "bfloat16"}:
        return 1 if ctx.claims.arith == "E1" else 16
    return 64 if ctx.claims.arith in {"E1", "lattice"} else 4096
