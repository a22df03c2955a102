"""G02, G09, G10: where an embedding lies, on which grid layers meet, and in which order they are joined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance import corruptions
from patchcore_conformance.drivers.aggregator import (
    grid_of,
    needs_channels,
    require_equal_grids,
    side_by_side,
    takes_size,
    well_formed,
)
from patchcore_conformance.laws.aggregator_reach import touched
from patchcore_conformance.laws.aggregator_windows import whole_numbers
from patchcore_conformance.registry import law

if TYPE_CHECKING:
    from patchcore_conformance.context import Context
    from patchcore_conformance.drivers.driver import Array


def _scrambled(array: Array, _: np.random.Generator) -> Any:
    images, height, width, values = array.shape
    return array.reshape(images, width, height, values).swapaxes(1, 2)


@law(
    "G02",
    "aggregator",
    statement="The embedding of row r, column c of the finest map lies at [r, c] of the answer.",
    why="Scores are painted where their embedding lies.",
    seen="Rows and columns exchanged, which square grids hide.",
    mend="Keep the order (images, rows, columns, values); transpose axes, never reshape one into another.",
    witnesses=6,
    saboteurs=corruptions.spoiling("rows and columns exchanged", _scrambled, "aggregate"),
)
def cells_keep_their_places(ctx: Context) -> None:
    """Change cells on grids, square and not, off the diagonal, and see around which embedding the answer changes."""
    part, rng = ctx.make(), ctx.rng()
    for grid in ((9, 14), (14, 9), (11, 11)):
        maps = (rng.standard_normal((3, 2, *grid)).astype(np.float32),)
        cells = (4, 4), (3, grid[1] - 5), (grid[0] - 5, 3)
        for cell, changed in zip(cells, touched(ctx, part, maps, 0, *cells), strict=True):
            reached = np.argwhere(changed)
            middle = reached.mean(axis=0).round(2).tolist() if len(reached) else "nowhere"
            near = len(reached) and np.abs(reached.mean(axis=0) - cell).max() < 0.45
            told = f"cell {cell} of a grid {grid} changed, but the embeddings did around {middle}"
            ctx.require(near, told, map_0=maps[0], reached=reached)
            ctx.witness()


_OF_A_CELL = 0.06  # that a ramp may be off: smoother ways of resizing than the bilinear one are as right


def _ramp(length: int, size: int) -> Array:
    """Return what a ramp over ``length`` cells is at the middles of ``size`` cells of the same extent."""
    return np.asarray((np.arange(size) + 0.5) * (length / size) - 0.5)


def _shifted_by_half(array: Array, _: np.random.Generator) -> Any:
    array[:, :, 1:] = (array[:, :, 1:] + array[:, :, :-1]) / 2
    return array


def _drawn_too_small(array: Array, _: np.random.Generator) -> Any:
    return array.take((np.arange(array.shape[1]) * 0.9).astype(int), axis=1)


@law(
    "G09",
    "aggregator",
    statement="Layers meet on the finest grid: there a coarse constant stays constant, and a coarse ramp a ramp in the "
    "same place.",
    why="Patches of two layers that belong together must lie over the same part of the photograph.",
    seen="Corners aligned instead of cells, which shifts the coarse layer outwards; the grid of the wrong layer; axes "
    "of one cell dropped, or divided by one cell less; weights kept for a grid, whatever it is resized from.",
    mend="Resize bilinearly between the middles of cells (align_corners=False) to the first map's grid.",
    after=("G02",),
    witnesses=4,
    saboteurs=(
        *corruptions.spoiling("shifted by half a cell", _shifted_by_half, "aggregate"),
        *corruptions.spoiling("drawn too small", _drawn_too_small, "aggregate"),
        *corruptions.spoiling("shifted by a row", lambda a, _: np.roll(a, 1, axis=1), "aggregate"),
    ),
)
def layers_meet_on_the_finest_grid(ctx: Context) -> None:
    """Bring ramps along each axis, from grids that divide the finest and others; and grids of one row or column."""
    part = ctx.make(patch_size=1) if takes_size(ctx) else ctx.make()
    for coarse in ((1, 1), (1, 9), (7, 1)):
        _require_stretched(ctx, part, coarse)
    half, quarter = (32, 36), (16, 18)
    for axis in (2, 3):
        for below in ([half], [quarter], [half, quarter]):  # one after the other onto one grid, then both at once
            _require_ramps(ctx, part, below, (64, 72), axis)
            ctx.witness()
        # 248 x 384 pixels at strides of 8 and 16: the axes do not grow alike
        _require_ramps(ctx, part, [(16, 24)], (31, 48), axis)
    maps = (np.zeros((1, 2, 31, 33), np.float32), np.full((1, 3, 16, 17), 7, np.float32))
    found = grid_of(ctx, part, maps)
    middle = found[:, 13:18, 14:19, 2:]
    require_equal_grids(ctx, middle, np.full_like(middle, 7), "a coarse constant of 7 does not stay 7", maps)


def _require_stretched(ctx: Context, part: Any, coarse: tuple[int, int]) -> None:
    """Bring a constant of one row, one column or one cell; a window that is larger, and given, may be refused."""
    maps = (np.zeros((2, 2, 7, 9), np.float32), np.full((2, 3, *coarse), 7, np.float32))
    try:
        found = grid_of(ctx, part, maps)
    except (TypeError, ValueError):
        if takes_size(ctx):
            raise
        return
    if takes_size(ctx) and side_by_side(found, maps):
        told = f"a coarse constant of 7 on {coarse[0]} x {coarse[1]} cells does not stay 7"
        require_equal_grids(ctx, found[..., 2:], np.full((2, 7, 9, 3), 7), told, maps)


def _require_ramps(ctx: Context, part: Any, coarse: list[tuple[int, int]], finest: tuple[int, int], axis: int) -> None:
    """Bring one ramp of two channels for each coarse grid, below a finest map of zeros."""
    ramps = [np.zeros((1, 2, *grid), np.float32) for grid in coarse]
    for ramp in ramps:
        ramp += np.arange(ramp.shape[axis], dtype=np.float32).reshape((-1, 1) if axis == 2 else (1, -1))
    maps = (np.zeros((1, 3, *finest), np.float32), *ramps)
    found = grid_of(ctx, part, maps)
    needs_channels(found, maps)
    margin = 6 * round(finest[0] / coarse[-1][0])  # the window of a default size, and the resizing
    for place, grid in enumerate(coarse):
        inner = found[0, margin:-margin, margin:-margin, 3 + 2 * place : 5 + 2 * place]
        expected = _ramp(grid[axis - 2], finest[axis - 2])[margin:-margin]
        wide = np.broadcast_to(expected[:, None, None] if axis == 2 else expected[:, None], inner.shape)
        if not (takes_size(ctx) or ctx.claims.linear):  # a maximum moves a ramp up, and keeps it a ramp
            wide = wide + np.median(inner - wide)
        told = f"a ramp along axis {axis} of map {1 + place}, {grid}, is no ramp in its place on the grid {finest}"
        ctx.within(np.abs(inner - wide), _OF_A_CELL, told, **{f"map_{n}": one for n, one in enumerate(maps)})


def _layers_exchanged(array: Array, _: np.random.Generator) -> Any:
    return np.concatenate([array[..., 2:], array[..., :2]], axis=-1)


@law(
    "G10",
    "aggregator",
    statement="Every layer counts, and layers are joined in the order given.",
    why="A bank and a query that were joined in another order are compared value by value all the same.",
    seen="Layers in the order of a dict, or sorted by name or size; joined channel by channel where they are alike; "
    "a last layer that is never looked at.",
    mend="Go through the maps in the order of the argument.",
    after=("G02",),
    witnesses=3,
    saboteurs=corruptions.spoiling("layers exchanged", _layers_exchanged, "aggregate"),
)
def layers_keep_their_order(ctx: Context) -> None:
    """Change one layer after the other, with numbers of channels that tell them apart and equal ones; take lists."""
    part, rng = ctx.make(), ctx.rng()
    for channels in ((2, 5, 3), (4, 1, 6), (3, 3, 3)):
        grids = ((12, 14), (12, 14), (6, 7))
        maps = tuple(whole_numbers(rng, 1, count, *grid) for count, grid in zip(channels, grids, strict=True))
        before = grid_of(ctx, part, maps)
        for layer, start in enumerate(np.cumsum((0, *channels[:-1]))):
            other = tuple(one + 4 if place == layer else one for place, one in enumerate(maps))
            changed = (np.abs(grid_of(ctx, part, other) - before) > 1e-3).any(axis=(0, 1, 2))
            ctx.require(changed.any(), f"layer {layer} of {len(maps)} changed, but no embedding did")
            values = np.flatnonzero(changed)
            inside = values.min() >= start and values.max() < start + channels[layer]
            told = (
                f"layer {layer} of channels {channels} reaches values {values.min()}..{values.max()} of the embedding"
            )
            ctx.require(inside or not side_by_side(before, maps), told, reached=changed)
            ctx.witness()
        listed = well_formed(ctx, part.aggregate([layer.copy() for layer in maps]), maps)
        require_equal_grids(ctx, listed, before, "a list got another answer than a tuple", maps)
    alike = (whole_numbers(rng, 1, 3, 8, 9), whole_numbers(rng, 1, 3, 8, 9))
    there, back = grid_of(ctx, part, alike), grid_of(ctx, part, alike[::-1])
    told = "two layers of as many channels give the same embeddings in either order: they were not joined"
    ctx.require(there.shape == back.shape and np.abs(there - back).max() > 1e-3, told, map_0=alike[0], map_1=alike[1])
    needs_channels(before, maps)  # the order of what was mixed shows nowhere
