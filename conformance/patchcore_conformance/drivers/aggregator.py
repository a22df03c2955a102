"""How the kit asks an aggregator: with ``patch_size`` and ``border`` where it takes them, and what a good answer is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from patchcore_conformance.drivers.driver import SHARES
from patchcore_conformance.drivers.sampler import takes
from patchcore_conformance.plain import plain
from patchcore_conformance.violation import NotOffered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from patchcore_conformance.context import Context
    from patchcore_conformance.drivers.driver import Array

Border = Literal["zero", "valid"]


def takes_size(ctx: Context) -> bool:
    """Say whether the window can be chosen by ``patch_size``."""
    return takes(ctx, patch_size=3)


def sizes(ctx: Context, *wanted: int) -> list[dict[str, Any]]:
    """Return options for each window that can be asked for; no options where the part takes no ``patch_size``."""
    return [{"patch_size": size} for size in wanted] if takes_size(ctx) else [{}]


def borders(ctx: Context) -> list[tuple[dict[str, Any], Border]]:
    """Return options for each border that can be asked for, with what each must do; else the one that is claimed."""
    known: list[Border] = ["zero", "valid"]
    asked = [border for border in known if takes(ctx, border=border)]
    if len(asked) == 2:
        return [({"border": border}, border) for border in asked]
    return [({}, ctx.claims.padding)]


def identity(ctx: Context) -> Any:
    """Return a part whose window is one cell, which leaves each cell as it is."""
    if not takes_size(ctx):
        raise NotOffered("this aggregator takes no patch_size: its window cannot be made one cell")
    return ctx.make(patch_size=1)


def grid_of(ctx: Context, part: Any, maps: Sequence[Array]) -> Array:
    """Ask, and hold the answer to (B, h, w, D) finite numbers on the finest grid; the part gets copies."""
    return well_formed(ctx, part.aggregate(tuple(layer.copy() for layer in maps)), maps)


def well_formed(ctx: Context, answer: Any, maps: Sequence[Array]) -> Array:
    """Hold an answer to its shape and kind."""
    found = plain(answer, "the patch embeddings")
    images, _, height, width = maps[0].shape
    told = {f"map_{place}": layer for place, layer in enumerate(maps)}
    good = found.ndim == 4 and found.shape[:3] == (images, height, width) and found.shape[3] > 0
    ctx.require(
        good and found.dtype.kind == "f",
        f"the patch embeddings are {found.dtype} {found.shape}, but real numbers ({images}, {height}, {width}, D) are "
        "needed: images, rows and columns of the finest map, values",
        **told,
    )
    ctx.require(np.isfinite(found).all(), "the patch embeddings hold NaN or infinity", **told)
    return found.astype(np.float64)


def side_by_side(found: Array, maps: Sequence[Array]) -> bool:
    """Say whether an embedding is as wide as all layers together, so that each value has its channel."""
    return bool(found.shape[3] == sum(layer.shape[1] for layer in maps))


def needs_channels(found: Array, maps: Sequence[Array]) -> None:
    """Leave out a law about single channels for an aggregator that makes other values of them."""
    if not side_by_side(found, maps):
        raise NotOffered(
            f"an embedding has {found.shape[3]} values, not one a channel: which is which, nobody can tell"
        )


def share(ctx: Context) -> float:
    """Return how far two right answers may be apart, as a share of the largest value that came in."""
    return SHARES[ctx.claims.dtype]


def require_equal_grids(
    ctx: Context, found: Array, expected: Any, message: str, maps: Sequence[Array], size: float | None = None
) -> None:
    """Hold patch embeddings to others, within a share of the largest value that came in, or of ``size``."""
    expected = np.asarray(expected, dtype=np.float64)
    told = {f"map_{place}": layer for place, layer in enumerate(maps)} | {"expected": expected, "answered": found}
    shapes = f"shapes {found.shape} and {expected.shape}"
    fits = found.ndim == expected.ndim and all(n in (1, m) for n, m in zip(expected.shape, found.shape, strict=True))
    ctx.require(fits, f"{message}: {shapes}", **told)
    largest = max(float(np.abs(layer).max()) for layer in maps) if size is None else size
    ctx.within(np.abs(found - expected), share(ctx) * largest, message, **told)
