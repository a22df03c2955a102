"""G01, G03, G04, G11: an embedding is made of the window around its cell, weighed evenly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance import corruptions
from patchcore_conformance.drivers.aggregator import (
    borders,
    grid_of,
    identity,
    needs_channels,
    require_equal_grids,
    side_by_side,
    sizes,
)
from patchcore_conformance.registry import law

if TYPE_CHECKING:
    from patchcore_conformance.context import Context
    from patchcore_conformance.drivers.driver import Array

SHIFTED = corruptions.spoiling("shifted by a cell", lambda array, _: np.roll(array, 1, axis=2), "aggregate")
_SUMS = corruptions.spoiling("sums for means", lambda array, _: array * 9, "aggregate")


def whole_numbers(rng: np.random.Generator, *shape: int) -> Array:
    """Draw a map of small whole numbers, of which sums are exact."""
    return rng.integers(-9, 10, shape).astype(np.float32)


@law(
    "G01",
    "aggregator",
    statement="With a window of one cell, a single layer comes out as it came in, its channels last.",
    why="It shows that no value goes astray on the way from maps to embeddings.",
    seen="A reshape where axes had to be exchanged.",
    mend="Move the channel axis to the end (numpy.moveaxis, torch.permute); never reshape over it.",
    witnesses=2,
    saboteurs=SHIFTED,
)
def one_cell_is_itself(ctx: Context) -> None:
    """Compare embeddings with the map."""
    part, rng = identity(ctx), ctx.rng()
    shapes = ((2, 3, 5, 7), (1, 4, 6, 4), (3, 1, 2, 5), (3, 3, 4, 5), (4, 4, 4, 4), (1, 130, 3, 4), (1, 1100, 2, 3))
    for shape in shapes:
        maps = (whole_numbers(rng, *shape),)
        found = grid_of(ctx, part, maps)
        needs_channels(found, maps)
        require_equal_grids(ctx, found, np.moveaxis(maps[0], 1, -1), "a cell is not what the map holds there", maps)
        ctx.witness()


@law(
    "G03",
    "aggregator",
    statement="One cell's value goes evenly into the embeddings of the p x p cells around it, 1/p^2 into each.",
    why="The paper's summary of a neighbourhood is its mean.",
    seen="A window that begins at the cell instead of around it; a radius taken for a size; sums for means.",
    mend="Average over cells y - p//2 .. y + p//2 and the same in x, divided by p * p; or claim even=False, where "
    "cells are weighed on purpose.",
    applies=lambda claims: claims.linear and claims.channelwise and claims.even,
    promise="linear, channelwise and even",
    after=("G02",),
    witnesses=2,
    saboteurs=(*SHIFTED, *_SUMS),
)
def impulses_spread_evenly(ctx: Context) -> None:
    """Put one cell of 900 into a map of zeros."""
    for options in sizes(ctx, 1, 3, 5):
        part = ctx.make(**options)
        impulse = np.zeros((1, 2, 13, 16), np.float32)
        impulse[0, 1, 6, 7] = 900
        found = grid_of(ctx, part, (impulse,))
        size = options.get("patch_size") or _width_of(ctx, found[0, :, :, 1])
        expected = np.zeros((1, 13, 16, 2))
        half = size // 2
        expected[0, 6 - half : 7 + half, 7 - half : 8 + half, 1] = 900 / size**2
        told = f"one cell of 900 does not give 900/{size}^2 to each of the {size} x {size} cells around it"
        require_equal_grids(ctx, found, expected, told, (impulse,))
        ctx.witness(2)


def _width_of(ctx: Context, response: Array) -> int:
    """Return how many cells across one cell's value spreads; an odd number, or the window has no middle."""
    width = int((np.abs(response).max(axis=0) > 1e-3).sum())
    ctx.require(
        width % 2 == 1, f"one cell's value spreads over {width} columns: an odd number is needed", found=response
    )
    return width


@law(
    "G04",
    "aggregator",
    statement="A constant map gives that constant away from the edges; at them, what the declared border makes of it.",
    why="Edges that come out darker, unsaid, look like anomalies or hide them.",
    seen="Zeros beyond the edge counted or not, otherwise than declared; sums for means; embeddings normalised to one.",
    mend="Divide by p^2 for border 'zero', by the number of cells on the map for 'valid'; a part without an option "
    "border says which by the claim padding, 'zero' (unless said) or 'valid'.",
    witnesses=4,
    saboteurs=(*_SUMS, *corruptions.spoiling("darker at the left", lambda a, _: _darker(a), "aggregate")),
)
def constants_stay(ctx: Context) -> None:
    """Ask with constants of both signs, large and broken, one and two layers; then look at the edges."""
    for options, border in borders(ctx):
        part = ctx.make(**options)
        for value in (5.0, -3.0, 2.5, 1000.0, 0.0):
            layers = (np.full((1, 2, 16, 18), value, np.float32), np.full((1, 3, 9, 10), value, np.float32))
            for maps in (layers[:1], layers):
                _require_constant(ctx, grid_of(ctx, part, maps), maps, value)
                ctx.witness()
        large = (np.full((1, 1, 96, 112), 1000.1, np.float32),)  # as far as running sums lose digits
        _require_constant(ctx, grid_of(ctx, part, large)[:, 80:, 88:], large, float(large[0][0, 0, 0, 0]))
        maps = (np.full((1, 2, 16, 18), 9, np.float32),)
        found = grid_of(ctx, part, maps)
        if side_by_side(found, maps):
            _require_border(ctx, part, found, maps, border)


def _darker(array: Array) -> Array:
    array[:, :, 8] *= 0.5
    return array


def _require_constant(ctx: Context, found: Array, maps: tuple[Array, ...], value: float) -> None:
    middle = found[:, 7:9, 8:10]
    if side_by_side(found, maps):
        require_equal_grids(ctx, middle, np.full_like(middle, value), f"maps of {value} do not give {value}", maps)
        return
    if not ctx.claims.at_least("covariant", "aggregator"):
        needs_channels(found, maps)
    else:
        told = f"maps of {value} do not give the same embedding everywhere away from the edges"
        require_equal_grids(ctx, middle, middle[:, :1, :1], told, maps, float(np.abs(middle).max()))


def size_of(part: Any) -> int | None:
    """Read the window's size from a part that tells it."""
    size = getattr(part, "patch_size", None)
    return size if isinstance(size, int) else None


def _require_border(ctx: Context, part: Any, found: Array, maps: tuple[Array, ...], border: str) -> None:
    size, corner, edge = size_of(part), found[0, 0, 0], found[0, 8, 0]
    if border == "valid":
        require_equal_grids(ctx, found, np.full_like(found, 9), "a border of 'valid' must keep constants", maps)
    elif ctx.claims.linear and ctx.claims.channelwise and ctx.claims.even and size is not None and size % 2:
        inside = (size // 2 + 1) / size
        expected = np.stack([np.full_like(corner, 9 * inside**2), np.full_like(edge, 9 * inside)])
        told = "a border of 'zero' must give 9 * the share of the window that lies on the map, in corner and edge"
        require_equal_grids(ctx, np.stack([corner, edge]), expected, told, maps)
    else:
        told = f"a border of 'zero' must lie between 0 and 9 at the edges, but it is {corner[0]:.4g} and {edge[0]:.4g}"
        ctx.require(((found >= -1e-3) & (found <= 9 + 9e-3)).all(), told, map_0=maps[0], answered=found)
        if size != 1 and ctx.claims.at_least("covariant", "aggregator"):
            _require_zeros_count(ctx, part, found, maps)


def _require_zeros_count(ctx: Context, part: Any, found: Array, maps: tuple[Array, ...]) -> None:
    """Require that zeros beyond the edge show there for one sign: a maximum hides them where all is above zero."""
    below = grid_of(ctx, part, (-maps[0],))
    kept = (np.abs(found - 9) <= 9e-3).all() and (np.abs(below + 9) <= 9e-3).all()
    told = "a border of 'zero' must show at the edges of constant maps, but they stay constant as with 'valid'"
    ctx.require(not kept, told, map_0=maps[0], answered=found)


@law(
    "G11",
    "aggregator",
    statement="A window without a middle, or larger than the map, is refused, or answered on the full grid.",
    why="A grid that lost a row moves every heat map, and nobody is told.",
    seen="Even windows that give a grid one cell larger or smaller.",
    mend="Refuse even sizes with a ValueError, and pad so that the grid stays what it was.",
    witnesses=3,
    saboteurs=corruptions.spoiling("a row lost", lambda array, _: array[:, 1:], "aggregate"),
)
def odd_windows_keep_the_grid(ctx: Context) -> None:
    """Ask for even windows, and for windows larger than a map; a good size comes along as a yardstick."""
    rng = ctx.rng()
    for options in sizes(ctx, 2, 3, 4, 9, 15):
        for shape in ((1, 2, 5, 4), (1, 2, 3, 8), (2, 1, 1, 1)):
            maps = (whole_numbers(rng, *shape) + 10,)
            ctx.witness()
            try:
                part = ctx.make(**options)
                answer = part.aggregate(tuple(layer.copy() for layer in maps))
            except (TypeError, ValueError):
                continue
            found = grid_of(ctx, _Answered(answer), maps)
            if side_by_side(found, maps) and ctx.claims.linear:
                most = float(maps[0].max()) + 1e-3
                told = f"{options or 'the window'}: a mean of values from 1 to 19 lies outside of 0 to {most:.4g}"
                ctx.require((found >= -1e-3).all() and (found <= most).all(), told, map_0=maps[0], answered=found)


class _Answered:
    """Stands for a part that has answered already."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def aggregate(self, _: Any) -> Any:
        return self._answer
