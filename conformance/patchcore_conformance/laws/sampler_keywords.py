"""S22, S23: what a sampler offers beside ``select`` alone is kept: a bound on memory, and what it foretells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance import probes
from patchcore_conformance.certificates import require_greedy
from patchcore_conformance.drivers.sampler import chosen, for_claims, knobs, takes_keyword, well_formed
from patchcore_conformance.laws.sampler_certificates import require_covering
from patchcore_conformance.laws.sampler_saboteurs import ONE_LESS, ROW_TWICE
from patchcore_conformance.registry import law
from patchcore_conformance.violation import NotOffered

if TYPE_CHECKING:
    from patchcore_conformance.certificates import Ints
    from patchcore_conformance.context import Context
    from patchcore_conformance.probes import Rows

_SIZES = ((40, 3, 12), (900, 9, 60), (3000, 16, 90))
_SHARES = (4.0, 0.5, 0.05)  # of the bytes of the embeddings
_FORETELLING = ("how_many", "at_most", "least_memory", "warm_up", "select_with_report")


@law(
    "S22",
    "sampler",
    statement="Told how much memory it may use, a sampler chooses as well as without a bound, or refuses.",
    why="The bound is set where a machine is small; nobody who sets it asks for a worse memory bank.",
    seen="The first rows that fit, and none of the others; blocks that are chosen from one by one.",
    mend="Read the rows again and again instead of leaving some out; raise ValueError where the bound is too tight.",
    after=("S01",),
    witnesses=2,
    saboteurs=(ONE_LESS, ROW_TWICE),
)
def memory_bounds_choose_as_well(ctx: Context) -> None:
    """Choose with much memory, with half of what the embeddings take, and with hardly any."""
    part = ctx.raw(**knobs(ctx).options(9, 3, 0))
    if not takes_keyword(part.select, "memory"):
        raise NotOffered("this sampler takes no bound on memory")
    for total, width, count in _SIZES:
        embeddings = for_claims(ctx, probes.clusters(total, width))
        for share in _SHARES:
            _judge_bounded(ctx, embeddings, count, int(share * embeddings.nbytes))
    if not ctx.witnesses:
        raise NotOffered("this sampler refused every bound on memory that it was given")


def _judge_bounded(ctx: Context, embeddings: Rows, count: int, memory: int) -> None:
    known = knobs(ctx)
    part = ctx.make(**known.options(len(embeddings), count, 0))
    try:
        answer = part.select(embeddings.copy(), memory=memory)
    except (ValueError, MemoryError):
        return
    rows = well_formed(ctx, answer, embeddings, count if known.size else None)
    _require_as_good(ctx, embeddings, rows, f"chosen within {memory:,} bytes")
    ctx.witness()


def _require_as_good(ctx: Context, embeddings: Rows, rows: Ints, told: str) -> None:
    """Hold rows to what the sampler claims of its choices; where it claims nothing, any will do."""
    if ctx.claims.at_least("exact", "sampler"):
        if ctx.claims.arith != "lattice":
            require_greedy(ctx, embeddings, rows, case=told)
    elif ctx.claims.at_least("approx", "sampler"):
        require_covering(ctx, embeddings, rows, f" {told}")


@law(
    "S23",
    "sampler",
    statement="What a sampler foretells of a selection comes true: how many rows, within which memory, by which call.",
    why="A fit is planned by it: disks and memory are set aside, and hours begin.",
    seen="how_many that rounds otherwise than select; least_memory that select then refuses; a report of other rows.",
    mend="Let select ask the same method that foretells, and select_with_report be what select calls.",
    after=("S01",),
    witnesses=1,
    saboteurs=(ONE_LESS,),
)
def forecasts_come_true(ctx: Context) -> None:
    """Compare what is foretold of several numbers of rows with what is chosen of them."""
    known = knobs(ctx)
    offered = [name for name in _FORETELLING if hasattr(ctx.raw(**known.options(9, 3, 0)), name)]
    if not offered:
        raise NotOffered("this sampler foretells nothing")
    for total, width, count in ((9, 2, 4), (45, 3, 13), (100, 5, 29), (250, 4, 125)):
        embeddings = for_claims(ctx, probes.gaussian(total, width))
        expected = chosen(ctx, embeddings, count)
        part = ctx.make(**known.options(total, count, 0))
        for name in offered:
            _FORECASTS[name](ctx, part, embeddings, expected)
            ctx.witness()


def _how_many(ctx: Context, part: Any, embeddings: Rows, rows: Ints) -> None:
    told = part.how_many(len(embeddings))
    ctx.require(
        told == len(rows), f"how_many({len(embeddings)}) is {told}, but {len(rows)} rows were chosen", rows=rows
    )


def _at_most(ctx: Context, part: Any, embeddings: Rows, rows: Ints) -> None:
    most = part.at_most(*embeddings.shape)
    ctx.require(most >= len(rows), f"at_most{embeddings.shape} is {most}, but {len(rows)} rows were chosen", rows=rows)


def _least_memory(ctx: Context, part: Any, embeddings: Rows, rows: Ints) -> None:
    if not takes_keyword(part.unwatched.select, "memory"):
        return
    least = int(part.least_memory(*embeddings.shape))
    try:
        answer = part.select(embeddings.copy(), memory=max(1, least))
    except (ValueError, MemoryError) as refusal:
        ctx.broken(f"least_memory{embeddings.shape} is {least}, but with that much select refused: {refusal}")
    well_formed(ctx, answer, embeddings, len(rows))


def _warm_up(ctx: Context, part: Any, embeddings: Rows, rows: Ints) -> None:
    part.warm_up(embeddings.copy())
    found = well_formed(ctx, part.select(embeddings.copy()), embeddings, len(rows))
    _require_same_rows(ctx, rows, found, "after warm_up other rows are chosen")


def _reported(ctx: Context, part: Any, embeddings: Rows, rows: Ints) -> None:
    found = well_formed(ctx, part.select_with_report(embeddings.copy()).rows, embeddings, len(rows), "reported rows")
    _require_same_rows(ctx, rows, found, "select_with_report answers other rows than select")


def _require_same_rows(ctx: Context, one: Ints, two: Ints, told: str) -> None:
    if ctx.claims.deterministic:
        ctx.require(np.array_equal(one, two), told, one=one, two=two)


_FORECASTS = {
    "how_many": _how_many,
    "at_most": _at_most,
    "least_memory": _least_memory,
    "warm_up": _warm_up,
    "select_with_report": _reported,
}
