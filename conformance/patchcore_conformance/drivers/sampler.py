"""How the kit asks a sampler: with ``count`` and ``seed`` where it takes them, and what makes an answer well-formed."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from patchcore_conformance.drivers.once import once_a_factory
from patchcore_conformance.numerics import rounded_to
from patchcore_conformance.plain import plain
from patchcore_conformance.violation import NotOffered

if TYPE_CHECKING:
    from patchcore_conformance.certificates import Ints
    from patchcore_conformance.context import Context


@dataclass(frozen=True)
class Knobs:
    """Which options a sampler takes: ``size`` is "count", "keep", or "" where it decides by itself how many rows."""

    size: str
    seed: bool

    def options(self, total: int, count: int, seed: int) -> dict[str, Any]:
        """Return what to create it with for ``count`` of ``total`` rows."""
        sizes: dict[str, dict[str, Any]] = {"count": {"count": count}, "keep": {"keep": count / total}, "": {}}
        return {**sizes[self.size], **({"seed": seed} if self.seed else {})}


@once_a_factory
def knobs(ctx: Context) -> Knobs:
    """Find out which options the factory takes: a TypeError or a ValueError refuses one."""
    sizes: dict[str, dict[str, Any]] = {"count": {"count": 1}, "keep": {"keep": 0.5}, "": {}}
    size = next((name for name, option in sizes.items() if takes(ctx, **option)), "")
    return Knobs(size, takes(ctx, **sizes[size], seed=1))


def takes(ctx: Context, **options: Any) -> bool:
    """Say whether the factory makes a part with these options."""
    try:
        ctx.raw(**options)
    except (TypeError, ValueError):
        return False
    return True


def takes_keyword(method: Any, name: str) -> bool:
    """Say whether a method may be called with a keyword; one that is not there, or does not say, may not."""
    try:
        return name in inspect.signature(method).parameters
    except (TypeError, ValueError):
        return False


def chosen(ctx: Context, embeddings: npt.NDArray[Any], count: int, seed: int = 0) -> Ints:
    """Let a fresh sampler choose ``count`` rows, and hold the answer to what every law takes for granted.

    The part gets a copy: a law about something else is not to break over a changed input.
    """
    found = knobs(ctx)
    part = ctx.make(**found.options(len(embeddings), count, seed))
    return well_formed(ctx, part.select(embeddings.copy()), embeddings, count if found.size else None)


def well_formed(ctx: Context, answer: Any, embeddings: npt.NDArray[Any], count: int | None, name: str = "rows") -> Ints:
    """Hold an answer to distinct row numbers, ``count`` of them; any number where that is None."""
    rows, total = plain(answer, name), len(embeddings)
    seen = {"embeddings": embeddings, "rows": rows}
    ctx.require(
        rows.ndim == 1 and rows.dtype.kind in "iu",
        f"{name} are {rows.dtype} {rows.shape}, but row numbers, whole numbers (M,), are needed",
        **seen,
    )
    ctx.require(
        np.iinfo(rows.dtype).max >= total - 1,
        f"{name} are {rows.dtype}, in which not each of {total} row numbers has a place",
        **seen,
    )
    wanted = f"{count}" if count is not None else f"1 to {total}"
    ctx.require(
        len(rows) == count if count is not None else 1 <= len(rows) <= total,
        f"{len(rows)} {name} came out of {total}, but {wanted} were asked for",
        **seen,
    )
    outside = (rows < 0) | (rows >= total)
    if outside.any():
        ctx.broken(f"row number {rows[outside][0]} lies outside 0..{total - 1}", **seen)
    values, times = np.unique(rows, return_counts=True)
    if len(values) < len(rows):
        ctx.broken(f"row {values[times > 1][0]} was chosen {times.max()} times among {len(rows)} of {total}", **seen)
    return rows.astype(np.int64)


def needs_size(ctx: Context) -> None:
    """Leave out a law about numbers of rows for a sampler that decides them by itself."""
    if not knobs(ctx).size:
        raise NotOffered("this sampler takes neither count nor keep: it decides by itself how many rows it keeps")


def for_claims(ctx: Context, embeddings: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Bring a probe to values that the claimed dtype holds exactly."""
    return rounded_to(embeddings, ctx.claims.dtype)
