"""Searches: indexes own their data, stand alone, and hold exactly the bank they were built from."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from patchcore_conformance import pairs, probes
from patchcore_conformance.drivers.driver import shuffled_within
from patchcore_conformance.drivers.foreign import Foreign
from patchcore_conformance.drivers.neighbors import as_many, for_claims, judge, require_kept
from patchcore_conformance.laws.neighbor_saboteurs import MOODY, NEXT_ROW, SHIFTED, SQUARED
from patchcore_conformance.registry import law

if TYPE_CHECKING:
    from collections.abc import Callable

    from patchcore_conformance.context import Context
    from patchcore_conformance.drivers.neighbors import Asked, Table


def _pair(ctx: Context, total: int, queries: int, width: int, seed: int = 0) -> tuple[Table, Table]:
    family = probes.lattice if ctx.claims.arith == "lattice" else probes.clusters
    return for_claims(ctx, *pairs.split(family, total, queries, width, seed))


def _require_still(ctx: Context, before: Asked, after: Asked, message: str) -> None:
    """Hold a later answer to the same bits; both were judged, so a part that is not deterministic has passed."""
    if ctx.claims.deterministic:
        same = np.array_equal(before.distances, after.distances) and np.array_equal(before.rows, after.rows)
        ctx.require(same, message, distances_before=before.distances, rows_before=before.rows, **after.seen)


@law(
    "N14",
    "neighbors",
    statement="An index holds the bank it was built from, whatever was built before or after by the same search.",
    why="Who fits again must not be answered by the old bank, nor by both.",
    seen="index.add called on the index of last time, so that the bank is in it twice or old rows stay.",
    mend="Make a new index in build, and return it; keep nothing of it on the search.",
    witnesses=6,
    saboteurs=(MOODY, NEXT_ROW, SQUARED),
)
def each_build_starts_anew(ctx: Context) -> None:
    """Build several times with one search, larger, smaller, the same again, and of another width."""
    search = ctx.make()
    built, answers = [], []
    for total, width, seed in ((300, 65, 3), (31, 1, 4), (40, 5, 0), (90, 5, 1), (9, 5, 2), (9, 5, 2)):
        bank, queries = _pair(ctx, total, 12, width, seed)
        index = search.build(bank.copy())
        answers.append(judge(ctx, bank, queries, 3, index))
        judge(ctx, bank, queries, total, index)
        built.append((index, bank, queries))
    for (index, bank, queries), before in reversed(list(zip(built, answers, strict=True))):
        _require_still(
            ctx, before, judge(ctx, bank, queries, 3, index), "an index answers otherwise after later builds"
        )
    _refuses_unbuilt(ctx)


def _refuses_unbuilt(ctx: Context) -> None:
    search = ctx.raw()
    if not hasattr(search, "query"):
        return
    try:
        answer = search.query(np.zeros((2, 3), dtype=np.float32), k=1)
    except Exception:  # noqa: BLE001 - the contract does not say which
        return
    ctx.broken(f"a search without a bank was asked and answered {answer!r}, but an error is needed")


@law(
    "N15",
    "neighbors",
    statement="What the caller does to the bank after build changes nothing.",
    why="Embeddings are collected in one array that the next batch overwrites.",
    seen="The caller's array kept instead of a copy, where it happened to be float32 already.",
    mend="Copy the bank in build: numpy.array(bank, copy=True); asarray and ascontiguousarray may not copy.",
    witnesses=6,
    saboteurs=(MOODY, NEXT_ROW),
)
def the_index_owns_its_bank(ctx: Context) -> None:
    """Overwrite and drop the bank, in each dtype and layout that a part may keep without copying."""
    for total, width in ((40, 5), (300, 65)):
        bank, queries = _pair(ctx, total, 12, width)
        for given in (bank.copy(), bank.astype(np.float64), np.asfortranarray(bank), bank.astype(np.float16)):
            meant = given.astype(np.float32)
            index = ctx.make().build(given)
            before = judge(ctx, meant, queries, 3, index)
            given += np.ones_like(given) * 50
            given[::2] = 0
            del given
            after = judge(ctx, meant, queries, 3, index)
            _require_still(ctx, before, after, "after the caller changed its bank, the index answers otherwise")
        for what, lend in _LENT.items():
            _require_copied(ctx, bank, queries, what, lend)


def _locked(array: Any) -> Any:
    view = array.view()
    view.flags.writeable = False
    return view


# Ways to lend an array that its owner can still write to.
_LENT: dict[str, Callable[[Any], Any]] = {"a read-only view": _locked, "an array of another library": Foreign}


def _require_copied(ctx: Context, bank: Any, queries: Any, what: str, lend: Callable[[Any], Any]) -> None:
    """Build from an array that is lent, and change it; a stranger's array need not be taken."""
    for given in (bank.copy(), bank.astype(np.float64)):
        try:
            index = ctx.make().build(lend(given))
            before = judge(ctx, bank, queries, 3, index)
        except (TypeError, ValueError, AttributeError, BufferError, NotImplementedError):
            if lend is _locked:
                raise
            return
        given += 50
        after = judge(ctx, bank, queries, 3, index)
        _require_still(ctx, before, after, f"after the owner of {what} changed it, the index answers otherwise")


@law(
    "N16",
    "neighbors",
    statement="Indexes of two searches, or of one, answer independently, in whatever turns they are asked.",
    why="Several detectors live in one process, and a detector may ask while another one is being built.",
    seen="The index kept on the class; one buffer for the candidates, or the answers, of all calls.",
    mend="Keep bank, index and buffers in attributes of the index, or in local variables.",
    witnesses=8,
    saboteurs=(MOODY, NEXT_ROW),
)
def indexes_are_independent(ctx: Context) -> None:
    """Ask four indexes of equal and of different shapes in turns, with different numbers of queries and k."""
    search = ctx.make()
    asked = [
        (_pair(ctx, total, 15, width, seed))
        for total, width, seed in ((50, 66, 0), (50, 66, 1), (290, 66, 2), (9, 66, 3))
    ]
    indexes = [
        maker.build(bank.copy())
        for maker, (bank, _) in zip((search, ctx.make(), search, ctx.make()), asked, strict=True)
    ]
    seen: dict[tuple[int, int, int], Asked] = {}
    for turn in range(12):
        for place, (index, (bank, queries)) in enumerate(zip(indexes, asked, strict=True)):
            count, k = (1, 15, 4)[(turn + place) % 3], (1, 5, 2)[(turn * 2 + place) % 3]
            found = judge(ctx, bank, queries[:count], k, index)
            before = seen.setdefault((place, count, k), found)
            _require_still(ctx, before, found, "an index answers otherwise after others were asked")
            if turn < 3:
                judge(ctx, bank, queries[-count:], k, index)
            require_kept(ctx, before)
    _one_array_for_all_batches(ctx)


def _one_array_for_all_batches(ctx: Context) -> None:
    """Write each batch of queries into the same array, as whoever reads images in batches may do."""
    bank, queries = _pair(ctx, 60, 24, 5, 7)
    index, array = ctx.make().build(bank.copy()), np.empty((8, 5), np.float32)
    for start in (0, 8, 16):
        array[...] = queries[start : start + 8]
        answer = index.query(array, k=as_many(ctx, 3))
        judge(ctx, bank, queries[start : start + 8], 3, SimpleNamespace(query=lambda *_, answer=answer, **__: answer))


@law(
    "N25",
    "neighbors",
    statement="Whatever is built, asked, overwritten and asked again, in any order, each answer is right for its bank.",
    why="A service builds, scores and builds again for weeks: rare orders of calls do happen.",
    seen="A cache that was right for every order of calls but the one that nobody tried.",
    mend="Let an index be a value: made once by build, never changed by query.",
    witnesses=20,
    saboteurs=(MOODY, SQUARED, SHIFTED),
)
def any_order_of_calls(ctx: Context) -> None:
    """Draw scripts of calls, and measure each answer again in float64."""
    step = st.tuples(st.sampled_from(("build", "query", "query", "overwrite")), st.integers(0, 5), st.integers(1, 5))
    ctx.search(st.lists(step, min_size=4, max_size=12), lambda script: _play(ctx, script), 2 * ctx.profile.examples)


def _play(ctx: Context, script: list[tuple[str, int, int]]) -> None:
    """Build and ask by one search, and build of one array whose values change."""
    search, shared = ctx.make(), np.zeros((8, 3), dtype=np.float32)
    indexes: list[tuple[Any, Table]] = []
    for place, (action, one, other) in enumerate([("build", 0, 1), *script]):
        if action == "build":
            bank = shared if one == 0 else probes.lattice(3 * one + other, 3, seed=other)
            indexes.append((search.build(bank), bank.copy()))
        elif action == "overwrite":
            shared[...] = probes.lattice(8, 3, seed=10 * one + other)
        else:
            index, bank = indexes[one % len(indexes)]
            queries = probes.lattice(other, 3, seed=place)
            for asked in (queries, shuffled_within(queries)):
                judge(ctx, bank, asked, other, index)
