"""G12: which embeddings a cell reaches: those of the window around it, also in long maps and from coarser ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance import corruptions
from patchcore_conformance.drivers.aggregator import grid_of, sizes, takes_size
from patchcore_conformance.laws.aggregator_windows import SHIFTED, size_of
from patchcore_conformance.registry import law

if TYPE_CHECKING:
    from patchcore_conformance.context import Context
    from patchcore_conformance.drivers.driver import Array


@law(
    "G12",
    "aggregator",
    statement="An embedding depends on the p x p cells around its place, on all of them, and on nothing beyond.",
    why="A defect must raise the scores of its neighbourhood only, and the size of that is a setting.",
    seen="A patch_size that is ignored; features normalised over the whole map; columns left over after whole "
    "registers of eight.",
    mend="Let the window reach p//2 cells in each direction; drop whatever looks at the whole map.",
    witnesses=2,
    saboteurs=(
        *SHIFTED,
        *corruptions.spoiling("scaled by the largest value", lambda a, _: a / max(np.abs(a).max(), 1e-9), "aggregate"),
    ),
)
def windows_reach_so_far(ctx: Context) -> None:
    """Change one cell in many ways and see which embeddings ever change; then in long maps, and in a coarser layer."""
    rng = ctx.rng()
    for options in sizes(ctx, 1, 3, 5):
        part = ctx.make(**options)
        maps = (rng.standard_normal((3, 3, 13, 15)).astype(np.float32),)
        (reached,) = touched(ctx, part, maps, 0, (6, 8))
        size = options.get("patch_size") or int(reached.any(axis=1).sum())
        _require_reach(ctx, reached, (6, 8), size, options, maps)
        second = (maps[0], rng.standard_normal((3, 2, 13, 15)).astype(np.float32))
        (reached,) = touched(ctx, part, second, 1, (6, 8))
        _require_reach(ctx, reached, (6, 8), size, {**options, "layer": "the second"}, second[1:])
        ctx.witness()
        if size == 3 or not options:
            _long_maps_to_their_ends(ctx, part, size, options)
    _coarse_layer_stays_near(ctx)


def _long_maps_to_their_ends(ctx: Context, part: Any, size: int, options: dict[str, Any]) -> None:
    """Look at lengths of which no blocks and no vector registers come out even: where blocks meet, and at the end."""
    rng, narrow = ctx.rng("long"), 7
    for length, places in ((67, (64,)), (113, ())):
        for grid in ((narrow, length), (length, narrow)):
            maps = ((rng.standard_normal((1, 4, *grid)) + 2).astype(np.float32),)
            ends = (*places, length - 1 - size // 2)
            cells = [(narrow // 2, end) if grid[0] == narrow else (end, narrow // 2) for end in ends]
            for cell, reached in zip(cells, touched(ctx, part, maps, 0, *cells), strict=True):
                _require_reach(ctx, reached, cell, size, options, maps)


def _require_reach(
    ctx: Context, reached: Array, cell: tuple[int, int], size: int, options: dict[str, Any], maps: tuple[Array, ...]
) -> None:
    """Require that a cell reaches exactly the window around it."""
    rows, columns = np.flatnonzero(reached.any(axis=1)), np.flatnonzero(reached.any(axis=0))
    expected, half = np.zeros_like(reached), size // 2
    expected[max(cell[0] - half, 0) : cell[0] + half + 1, max(cell[1] - half, 0) : cell[1] + half + 1] = True
    spans = f"rows {rows.min()}..{rows.max()}, columns {columns.min()}..{columns.max()}" if rows.size else "nothing"
    where = f"{options or 'the window'}: cell {cell} of a grid {reached.shape}"
    told = f"{where} reaches {spans}, not exactly the {size} x {size} around it"
    ctx.require(np.array_equal(reached, expected), told, reached=reached, map=maps[0])


def touched(ctx: Context, part: Any, maps: tuple[Array, ...], layer: int, *cells: tuple[int, int]) -> list[Array]:
    """Return which embeddings change when each cell does, upwards or downwards, in any image: (h, w) a cell."""
    steps = np.repeat((-50.0, 50.0, -3.0, 3.0), len(maps[0])).astype(np.float32)
    others = [np.tile(one, (4, 1, 1, 1)) for one in maps]
    before, found = grid_of(ctx, part, others), []
    for row, column in cells:
        cell = others[layer][:, :, row, column]  # changed in place: caches that go by shape or place are met, too
        kept = cell.copy()
        cell += steps[:, None]
        # Running sums leave traces of rounding along their way: those are no reach.
        found.append(np.asarray((np.abs(grid_of(ctx, part, others) - before) > 1e-4).any(axis=(0, 3))))
        cell[...] = kept
    return found


def _coarse_layer_stays_near(ctx: Context) -> None:
    rng = ctx.rng("coarse")
    part = ctx.make(patch_size=3) if takes_size(ctx) else ctx.make()
    fine, coarse = rng.standard_normal((1, 2, 28, 32)), rng.standard_normal((1, 2, 14, 16))
    maps = (fine.astype(np.float32), coarse.astype(np.float32))
    if takes_size(ctx):
        small, large = (touched(ctx, ctx.make(patch_size=size), maps, 1, (6, 8))[0].sum() for size in (1, 5))
        told = f"a cell of the second layer reaches {small} cells in a window of 1, and {large} in one of 5"
        ctx.require(large > small, told, map_1=maps[1])
    (reached,) = touched(ctx, part, maps, 1, (6, 8))
    rows, columns = np.flatnonzero(reached.any(axis=1)), np.flatnonzero(reached.any(axis=0))
    ctx.require(rows.size > 0, "a cell of the second layer changes nothing", map_1=maps[1])
    size = 3 if takes_size(ctx) else size_of(part)
    ctx.witness()
    if size is None:
        return
    # Two fine cells each coarse one; the window, and one more coarse cell for the resizing.
    near = 2 * (size // 2 + 1) + 1
    spans = f"rows {rows.min()}..{rows.max()}, columns {columns.min()}..{columns.max()}"
    inside = (
        rows.min() >= 12 - near
        and rows.max() <= 13 + near
        and columns.min() >= 16 - near
        and columns.max() <= 17 + near
    )
    centred = abs(rows.mean() - 12.5) <= 0.6 and abs(columns.mean() - 16.5) <= 0.6
    told = f"cell (6, 8) of a map half as fine reaches {spans}, around (12.5, 16.5) of the finest grid"
    ctx.require(inside and centred, told, reached=reached)
