"""Samplers: what is told on the way is true, and telling it changes nothing."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance import corruptions, probes
from patchcore_conformance.drivers.sampler import chosen, for_claims, knobs, takes_keyword, well_formed
from patchcore_conformance.registry import law
from patchcore_conformance.violation import NotOffered

if TYPE_CHECKING:
    from patchcore_conformance.context import Context
    from patchcore_conformance.probes import Rows
    from patchcore_conformance.saboteur import Call

_SIZES = ((1, 1, 1), (30, 3, 30), (300, 5, 40), (1200, 2, 300))


def _tell_less_again(call: Call) -> None:
    if progress := call.kwargs.get("progress"):
        progress(2, 3)
        progress(1, 3)


@law(
    "S21",
    "sampler",
    statement="Progress is told as (done, total): 0 <= done <= total, done never falls, total stays; the rows do, too.",
    why="Whoever waits for hours looks at nothing else: a bar that runs backwards or past its end helps nobody.",
    seen="(total, done), the wrong way round; a count that starts anew with each block.",
    mend="Call progress(done, total) with whole numbers that count the whole selection, and choose as without it.",
    after=("S01",),
    witnesses=2,
    saboteurs=(
        *corruptions.misbehaving("tells less than before", _tell_less_again, "select", "select_with_report"),
        *corruptions.spoiling("answers otherwise each time", corruptions.moody, "select"),
    ),
)
def progress_is_told(ctx: Context) -> None:
    """Listen to selections of several sizes, and compare them with those that nobody listened to."""
    part = ctx.raw(**knobs(ctx).options(9, 3, 0))
    asked = [name for name in ("select", "select_with_report") if takes_keyword(getattr(part, name, None), "progress")]
    if not asked:
        raise NotOffered("this sampler takes no progress")
    for name in asked:
        for total, width, count in _SIZES:
            ctx.witness(_judge_told(ctx, name, for_claims(ctx, probes.lattice(total, width)), count))
    if not ctx.witnesses:
        raise NotOffered("this sampler takes progress, but told nothing about hundreds of rows")


def _judge_told(ctx: Context, name: str, embeddings: Rows, count: int) -> bool:
    """Hold one selection to what it told; say whether it told anything."""
    known, told = knobs(ctx), list[tuple[Any, Any]]()
    part = ctx.make(**known.options(len(embeddings), count, 0))
    answer = getattr(part, name)(embeddings.copy(), progress=lambda done, total: told.append((done, total)))
    _require_true(ctx, told, embeddings)
    answer = answer if name == "select" else answer.rows
    rows = well_formed(ctx, answer, embeddings, count if known.size else None)
    if ctx.claims.deterministic:
        same = np.array_equal(rows, chosen(ctx, embeddings, count))
        ctx.require(same, f"{name} answers other rows when it tells progress", embeddings=embeddings, rows=rows)
    return bool(told)


def _require_true(ctx: Context, told: list[tuple[Any, Any]], embeddings: Rows) -> None:
    for call in told:
        whole = all(isinstance(one, (int, np.integer)) and not isinstance(one, bool) for one in call)
        fits = whole and 0 <= call[0] <= call[1] and call[1] == told[0][1]
        needed = f"0 <= done <= total is needed, in whole numbers, and the total told first, {told[0][1]}"
        ctx.require(fits, f"progress was called with {call}, but {needed}", embeddings=embeddings)
    for before, after in pairwise(told):
        falls = f"progress was called with {before}, then with {after}: done must not fall"
        ctx.require(before[0] <= after[0], falls, embeddings=embeddings)
