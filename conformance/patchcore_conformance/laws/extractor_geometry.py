"""E06, E07: what lies where in the image lies there in the maps, and reaches no farther than the receptive field."""

from __future__ import annotations

from math import ceil, lcm
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance import corruptions
from patchcore_conformance.drivers.extractor import cell, drawn, maps_of, pixels, scaled, share
from patchcore_conformance.registry import law

if TYPE_CHECKING:
    from patchcore_conformance.context import Context
    from patchcore_conformance.drivers.driver import Array

_BROAD = 512  # pixels: no reach is measured beyond
_LONG = 600  # pixels: more than are worked on at a time where large images are cut into strips


def _covariant(ctx: Context) -> bool:
    return ctx.claims.at_least("covariant", "extractor")


def _flipped(array: Array, _: np.random.Generator) -> Any:
    return array[..., ::-1]


@law(
    "E06",
    "extractor",
    statement="What changes at a place of the image changes the maps most at that place; at level covariant, a shifted "
    "image has shifted maps.",
    why="A heat map has to point at the defect.",
    seen="Maps that are flipped, of a wrong stride, or that know where in the image they are.",
    mend="Undo every flip, crop and transposition before maps are returned; pad alike on both sides.",
    after=("E01",),
    witnesses=4,
    saboteurs=corruptions.spoiling("left and right exchanged", _flipped, "extract"),
)
def places_are_kept(ctx: Context) -> None:
    """Change the image in each of its quarters; shift it along each axis where that is claimed to shift the maps."""
    part, rng = ctx.make(), ctx.rng()
    image = pixels(ctx, rng, 1, 128, 256)  # on half of this, one cell of a deep network's coarse map decides by chance
    before = maps_of(ctx, part, image)
    side = scaled(ctx, 64)
    for top, left in ((0, side // 2), (0, 5 * side // 2), (side, side // 2), (side, 5 * side // 2)):
        other = image.copy()
        other[..., top : top + side, left : left + side] = pixels(ctx, rng, 1, 64, 64)
        for place, (one, two) in enumerate(zip(before, maps_of(ctx, part, other), strict=True)):
            where = _middle_of_change(one, two)
            right = (where[0] < 0.5) == (top == 0) and (where[1] < 0.5) == (left < side)
            told = f"rows {top}..{top + side - 1}, columns {left}..{left + side - 1} of {2 * side} x {4 * side} changed"
            needed = (
                f"{told}, but map {place} changed around {where[0]:.2f} of its height and {where[1]:.2f} of its width"
            )
            ctx.require(right, needed, image=image, changed=other)
            ctx.witness()
    if _covariant(ctx):
        reach, strides = _reach(ctx, part), _strides(ctx, part)
        for axis in (2, 3):
            _require_shifted(ctx, part, reach, strides, axis)


def _middle_of_change(one: Array, two: Array) -> tuple[float, float]:
    """Return where a map changed most, as shares of its height and width; large changes weigh more."""
    weights = np.square(np.square(one.astype(np.float64) - two).sum(axis=(0, 1)))
    total = max(float(weights.sum()), 1e-300)
    rows, columns = (np.arange(n) / max(n - 1, 1) for n in weights.shape)
    return float((weights.sum(axis=1) * rows).sum() / total), float((weights.sum(axis=0) * columns).sum() / total)


def _reach(ctx: Context, part: Any) -> int:
    """Return how many pixels across one value depends on: as claimed, or as seen in a broad image."""
    if ctx.claims.receptive_field is not None:
        return ctx.claims.receptive_field
    image = pixels(ctx, ctx.rng("reach"), 1, 32, _BROAD)
    other = image.copy()
    broad = image.shape[3]
    middle = broad // 2
    other[..., middle - 4 : middle + 4] = -other[..., middle - 4 : middle + 4]
    reach = 1
    for one, two in zip(maps_of(ctx, part, image), maps_of(ctx, part, other), strict=True):
        columns = np.flatnonzero((one != two).any(axis=(0, 1, 2)))
        whole = len(columns) == 0 or columns[0] == 0 or columns[-1] == one.shape[3] - 1
        ctx.require(
            not whole, f"a change in the middle of {broad} columns reaches the edges, or nothing: no covariance"
        )
        stride = broad / one.shape[3]
        reach = max(
            reach, ceil(2 * stride * (max(columns[-1] * stride - middle, middle - columns[0] * stride) / stride + 1))
        )
    return reach


def _strides(ctx: Context, part: Any) -> list[int]:
    """Return by how many pixels an image has to grow for a row more in each map."""
    short, tall = (pixels(ctx, ctx.rng("grid"), 1, height, 32) for height in (32, _BROAD))
    grown = tall.shape[2] - short.shape[2]
    pairs = zip(maps_of(ctx, part, short), maps_of(ctx, part, tall), strict=True)
    return [round(grown / max(two.shape[2] - one.shape[2], 1)) for one, two in pairs]


def _require_shifted(ctx: Context, part: Any, reach: int, strides: list[int], axis: int) -> None:
    """Cut two windows out of a long picture, whole strides apart, and compare the cells whose reach lies in both."""
    stride = lcm(*strides)
    unit = lcm(stride, cell(ctx))
    length = unit * ceil(max(_LONG, reach + 6 * stride) / unit)
    shape = (length + stride, cell(ctx)) if axis == 2 else (cell(ctx), length + stride)
    picture = drawn(ctx.rng(f"picture {axis}"), 1, *shape)
    windows = (picture.take(range(start, start + length), axis) for start in (0, stride))
    first, second = (maps_of(ctx, part, np.ascontiguousarray(window)) for window in windows)
    for place, (one, two) in enumerate(zip(first, second, strict=True)):
        cells, margin = stride // strides[place], ceil(reach / 2 / strides[place]) + 1
        stop = one.shape[axis] - cells - margin
        here = two.take(range(margin, stop), axis).astype(np.float64)
        there = one.take(range(margin + cells, stop + cells), axis).astype(np.float64)
        size = float(np.abs(one).max())
        told = f"shifted by {stride} pixels along axis {axis}, map {place} is not shifted by {cells} cells"
        ctx.within(np.abs(here - there), share(ctx) * size, told, picture=picture)
        ctx.witness()


@law(
    "E07",
    "extractor",
    statement="Every part of the image counts; at level covariant, nothing counts beyond the receptive field.",
    why="A defect at the edge must be seen, and one at the left must not raise scores at the right.",
    seen="Images cropped to their middle; features normalised over the whole image; constant answers.",
    mend="Keep the whole image; drop normalisation over it, or claim the level deterministic.",
    after=("E01",),
    witnesses=5,
    saboteurs=corruptions.spoiling("one answer for all", lambda array, _: np.ones_like(array), "extract"),
)
def reach_is_as_claimed(ctx: Context) -> None:
    """Change corners and the middle; then everything left of a column, where a reach is claimed."""
    part, rng = ctx.make(), ctx.rng()
    image = pixels(ctx, rng, 1, 64, 96)
    before = maps_of(ctx, part, image)
    side = cell(ctx)
    for top, left in ((0, 0), (0, 2 * side), (side, 0), (side, 2 * side), (side // 2, side)):
        other = image.copy()
        other[..., top : top + side, left : left + side] = pixels(ctx, rng, 1, 32, 32)
        for place, (one, two) in enumerate(zip(before, maps_of(ctx, part, other), strict=True)):
            where = f"rows {top}..{top + side - 1}, columns {left}..{left + side - 1} of {2 * side} x {3 * side}"
            told = f"{where} changed, but map {place} did not"
            ctx.require(not np.array_equal(one, two), told, image=image, changed=other)
        ctx.witness()
    _require_edges(ctx, part, image, before)
    if _covariant(ctx):
        _require_local(ctx, part, _reach(ctx, part))
        if ctx.claims.receptive_field is not None:
            _require_claimed(ctx, part, ctx.claims.receptive_field)


def _require_edges(ctx: Context, part: Any, image: Array, before: list[Array]) -> None:
    """Change a strip along each edge; one map is enough: deep ones may lose what no stride of theirs reaches."""
    rows, columns = image.shape[2:]
    width = max(8, rows // max(found.shape[2] for found in before))
    for name, strip in (
        ("first rows", np.s_[..., :width, :]),
        ("last rows", np.s_[..., rows - width :, :]),
        ("first columns", np.s_[..., :width]),
        ("last columns", np.s_[..., columns - width :]),
    ):
        other = image.copy()
        other[strip] *= -1
        found = maps_of(ctx, part, other)
        same = all(np.array_equal(one, two) for one, two in zip(before, found, strict=True))
        ctx.require(
            not same, f"the {width} {name} of {rows} x {columns} changed, but no map did", image=image, changed=other
        )


def _require_local(ctx: Context, part: Any, reach: int) -> None:
    side = cell(ctx)
    length = side * ceil((reach + 128) / side)
    image = drawn(ctx.rng("local"), 1, side, length)
    other = image.copy()
    other[..., :side] *= -1
    for place, (one, two) in enumerate(zip(maps_of(ctx, part, image), maps_of(ctx, part, other), strict=True)):
        own = length / one.shape[3]
        first = ceil((side + reach / 2) / own) + 1
        gaps = np.abs(one.astype(np.float64) - two)[..., first:]
        told = f"columns 0..{side - 1} changed, and with them map {place} beyond the receptive field of {reach} pixels"
        ctx.within(gaps, 1e-6 * float(np.abs(one).max()), told, image=image, changed=other)
        ctx.witness()


def _require_claimed(ctx: Context, part: Any, reach: int) -> None:
    """Measure how far to the left and to the right values depend on pixels, wherever their middles lie."""
    strides, length = _strides(ctx, part), cell(ctx) * ceil((2 * reach + 128) / cell(ctx))
    image = drawn(ctx.rng("claimed"), 1, cell(ctx), length)
    before = maps_of(ctx, part, image)
    starts = range(length // 2, length // 2 + max(strides), max(1, max(strides) // 8))
    left, right = [-length] * len(before), [-length] * len(before)
    for start in starts:
        for side, sides in ((slice(None, start), left), (slice(start, None), right)):
            other = image.copy()
            other[..., side] *= -1
            for place, (one, two) in enumerate(zip(before, maps_of(ctx, part, other), strict=True)):
                cells = np.flatnonzero(_moved(one, two).any(axis=(0, 1, 2)))
                if len(cells):
                    last, first = int(cells[-1]) * strides[place] - start + 1, start - int(cells[0]) * strides[place]
                    sides[place] = max(sides[place], last if sides is left else first)
    for place in range(len(before)):
        seen = left[place] + right[place] + 1
        told = f"a value of map {place} depends on {seen} pixels across at least, but {reach} are claimed"
        ctx.require(seen <= reach, told, image=image)
        ctx.witness()


def _moved(one: Array, two: Array) -> Array:
    return np.asarray(np.abs(one.astype(np.float64) - two) > 1e-6 * np.abs(one).max())
