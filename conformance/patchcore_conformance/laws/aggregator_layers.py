"""G02, G09, G10, G13: where an embedding lies, where layers meet, in which order, and that each is averaged."""

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
from patchcore_conformance.violation import NotOffered

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
    for coarse, finest in (
        *(((1, 1), (7, 9)), ((1, 9), (7, 9)), ((7, 1), (7, 9)), ((3, 4), (7, 9))),
        *(((4, 5), (8, 10)), ((3, 4), (12, 16)), ((5, 4), (15, 12))),
    ):
        _require_stretched(ctx, part, coarse, finest)
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


def _require_stretched(ctx: Context, part: Any, coarse: tuple[int, int], finest: tuple[int, int]) -> None:
    """Bring a constant, also one of a single row or column; a window that is larger, and given, may be refused."""
    maps = (np.zeros((2, 2, *finest), np.float32), np.full((2, 3, *coarse), 7, np.float32))
    try:
        found = grid_of(ctx, part, maps)
    except (TypeError, ValueError):
        if takes_size(ctx):
            raise
        return
    if takes_size(ctx) and side_by_side(found, maps):
        told = f"a coarse constant of 7 on {coarse[0]} x {coarse[1]} cells does not stay 7"
        require_equal_grids(ctx, found[..., 2:], np.full((2, *finest, 3), 7), told, maps)


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


@law(
    "G13",
    "aggregator",
    statement="Layers of coarser grids are averaged too, over their own cells or over those that they are resized to.",
    why="A later layer's neighbourhood belongs to the embedding as much as the finest one's.",
    seen="A window that is shrunk by the stride, and so is one cell in later layers; only the finest layer averaged.",
    mend="Average each map over the same number of cells, then bring it to the finest grid.",
    applies=lambda claims: claims.linear and claims.channelwise and claims.even,
    promise="linear, channelwise and even",
    after=("G02", "G03", "G09"),
    witnesses=1,
    saboteurs=corruptions.spoiling("a hundredfold", lambda array, _: array * 100, "aggregate"),
)
def coarser_layers_are_averaged(ctx: Context) -> None:
    """Put 900 into one cell of a grid three times as coarse: less than that is left in its middle."""
    part = ctx.make(**({"patch_size": 3} if takes_size(ctx) else {}))
    maps = (np.zeros((1, 2, 39, 33), np.float32), np.zeros((1, 3, 13, 11), np.float32))
    maps[1][0, 1, 6, 5] = 900
    own = grid_of(ctx, part, (maps[1],))[0, 6, 5, 1]  # the same cell where it needs no resizing
    if abs(own - 900) < 9:
        raise NotOffered("the window of this aggregator is a single cell")
    found = grid_of(ctx, part, maps)
    needs_channels(found, maps)
    left = found[0, 19, 16, 3]
    told = f"one cell of 900 in a later layer leaves {left:.4g} in its middle, and {own:.4g} in the finest layer"
    ctx.require(0 < left < 0.75 * 900, f"{told}: later layers are not averaged", answered=found[0, :, :, 3])
    ctx.witness()
