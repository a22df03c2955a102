"""G05, G06, G07, G08: sums, channels, images and places that an aggregator must treat alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance import corruptions
from patchcore_conformance.drivers.aggregator import grid_of, require_equal_grids, side_by_side
from patchcore_conformance.drivers.driver import MANY, ONE_OVER
from patchcore_conformance.laws.aggregator_windows import whole_numbers
from patchcore_conformance.registry import law

if TYPE_CHECKING:
    from patchcore_conformance.context import Context
    from patchcore_conformance.drivers.driver import Array

_MOODY = corruptions.spoiling("answers otherwise each time", corruptions.moody, "aggregate")


def _maps(ctx: Context, salt: str, images: int = 2) -> tuple[Array, ...]:
    rng = ctx.rng(salt)
    return whole_numbers(rng, images, 3, 9, 12), whole_numbers(rng, images, 5, 5, 7)


@law(
    "G05",
    "aggregator",
    statement="The embedding of a sum of maps is the sum of their embeddings, and of a multiple the multiple.",
    why="A mean is linear; what is not, weighs bright and dark photographs otherwise.",
    seen="Maximum instead of mean; embeddings normalised to length one, unsaid.",
    mend="Use means, sums and interpolation only; or do not claim linear.",
    applies=lambda claims: claims.linear,
    promise="linear",
    witnesses=3,
    saboteurs=corruptions.spoiling("negative values cut off", lambda array, _: np.maximum(array, 0), "aggregate"),
)
def sums_map_to_sums(ctx: Context) -> None:
    """Combine two sets of maps of whole numbers."""
    part, one, two = ctx.make(), _maps(ctx, "one"), _maps(ctx, "two")
    first, second = grid_of(ctx, part, one), grid_of(ctx, part, two)
    for left, right in ((1, 1), (3, -2), (-1, 0), (0.5, 4)):
        maps = tuple((left * a + right * b).astype(np.float32) for a, b in zip(one, two, strict=True))
        told = f"the embedding of {left} * X + {right} * Y is not {left} times that of X plus {right} times that of Y"
        require_equal_grids(ctx, grid_of(ctx, part, maps), left * first + right * second, told, maps, size=9 * 5)
        ctx.witness()


@law(
    "G06",
    "aggregator",
    statement="Channels in another order give the same embedding in that order, and no value is made of two of them.",
    why="Channels of a network have no neighbours; mixing them is a choice that must be declared.",
    seen="Pooling along the channels, as the original does, under a claim that channels stay apart.",
    mend="Summarise each channel by itself; or do not claim channelwise.",
    applies=lambda claims: claims.channelwise,
    promise="channelwise",
    witnesses=2,
    saboteurs=_MOODY,
)
def channels_stay_apart(ctx: Context) -> None:
    """Change each channel by itself; permute the channels of each layer where an embedding has one value for each."""
    part, maps = ctx.make(), _maps(ctx, "maps")
    before = grid_of(ctx, part, maps)
    _require_values_of_one_channel(ctx, part, maps, before)
    if not side_by_side(before, maps):
        return
    for first, second in (([2, 0, 1], [4, 2, 0, 3, 1]), ([0, 2, 1], [1, 0, 4, 3, 2])):
        permuted = (maps[0][:, first], maps[1][:, second])
        expected = before[..., [*first, *(3 + one for one in second)]]
        told = "channels in another order do not give the embedding in that order"
        require_equal_grids(ctx, grid_of(ctx, part, permuted), expected, told, permuted)
        ctx.witness()


def _require_values_of_one_channel(ctx: Context, part: Any, maps: tuple[Array, ...], before: Array) -> None:
    """Require that no value of an embedding follows two channels; a channel may have several, as mean and spread."""
    owner: dict[int, tuple[int, int]] = {}
    for place, layer in enumerate(maps):
        for channel in range(layer.shape[1]):
            other = [one.copy() for one in maps]
            other[place][:, channel] *= -2
            for value in np.flatnonzero((np.abs(grid_of(ctx, part, other) - before) > 1e-3).any(axis=(0, 1, 2))):
                first = owner.setdefault(int(value), (place, channel))
                told = (
                    f"value {value} of an embedding follows two channels, (map, channel) {first} and {(place, channel)}"
                )
                ctx.require(first == (place, channel), told, map_0=maps[0], map_1=maps[1])
            ctx.witness()


@law(
    "G07",
    "aggregator",
    statement="The embeddings of an image do not depend on the images beside it, and come in the order of the images.",
    why="A photograph must score the same alone and in a batch.",
    seen="The batch's mean taken off; the first image's grid answered for all; half precision in large batches; "
    "images left over after whole parts of a batch.",
    mend="Compute each image by itself; let no sum run over the first axis.",
    witnesses=8,
    saboteurs=(
        *_MOODY,
        *corruptions.spoiling("the batch's mean taken off", lambda a, _: a - a.mean(axis=0), "aggregate"),
    ),
)
def images_do_not_meet(ctx: Context) -> None:
    """Ask for a batch and for each image alone: dim images beside glaring ones, then very many."""
    part, rng = ctx.make(), ctx.rng()
    for images in (2, 5):
        factors = np.array([1, 1000, 0.001, 0, -30])[:images].reshape(-1, 1, 1, 1)
        maps = tuple((layer * factors).astype(np.float32) for layer in _maps(ctx, f"{images}", images))
        together = grid_of(ctx, part, maps)
        for place in range(images):
            alone = tuple(layer[place : place + 1] for layer in maps)
            told = f"image {place} of {images} has other embeddings than alone"
            require_equal_grids(ctx, together[place : place + 1], grid_of(ctx, part, alone), told, alone)
            ctx.witness()
        order = rng.permutation(images)[::-1]
        permuted = tuple(layer[order] for layer in maps)
        found = grid_of(ctx, part, permuted)
        for place, image in enumerate(order):
            told = "images in another order do not give their embeddings in that order"
            one = tuple(layer[image : image + 1] for layer in maps)
            require_equal_grids(ctx, found[place : place + 1], together[image : image + 1], told, one)
            ctx.witness()
    for images in (MANY, ONE_OVER):
        _many_images_do_not_meet(ctx, part, images)


def _many_images_do_not_meet(ctx: Context, part: Any, images: int) -> None:
    """Ask for so many images that no parts come out even, of values with many digits, and for some of them alone."""
    maps = tuple(layer + ctx.rng("digits").random(layer.shape, np.float32) for layer in _maps(ctx, "many", images))
    together = grid_of(ctx, part, maps)
    for place in (0, 1, images // 2, images - 1):
        alone = tuple(layer[place : place + 1] for layer in maps)
        told = f"image {place} of {images} has other embeddings than alone"
        require_equal_grids(ctx, together[place : place + 1], grid_of(ctx, part, alone), told, alone)
        ctx.witness()


@law(
    "G08",
    "aggregator",
    statement="Shifted maps give shifted embeddings, away from the edges.",
    why="The same scratch must look alike wherever it is.",
    seen="Embeddings that carry their place in them.",
    mend="Use no coordinates; treat each cell like every other. Or claim the level deterministic.",
    applies=lambda claims: claims.at_least("covariant", "aggregator"),
    promise="level covariant",
    after=("G02",),
    witnesses=3,
    saboteurs=_MOODY,
)
def shifts_are_followed(ctx: Context) -> None:
    """Cut two windows out of one pair of maps, two cells of the coarse one apart."""
    part, rng = ctx.make(), ctx.rng()
    fine, coarse = whole_numbers(rng, 1, 3, 34, 38), whole_numbers(rng, 1, 4, 17, 19)
    before = grid_of(ctx, part, (fine[:, :, :30, :34], coarse[:, :, :15, :17]))
    margin = 12  # the window of a default size on the coarse map, and the resizing
    for down, right in ((2, 0), (0, 2), (1, 1), (2, 1)):
        maps = (
            np.ascontiguousarray(fine[:, :, 2 * down : 30 + 2 * down, 2 * right : 34 + 2 * right]),
            np.ascontiguousarray(coarse[:, :, down : 15 + down, right : 17 + right]),
        )
        rows, columns = slice(margin, 30 - margin), slice(margin, 34 - margin)
        found = grid_of(ctx, part, maps)[:, rows, columns]
        moved = before[:, margin + 2 * down : 30 - margin + 2 * down, margin + 2 * right : 34 - margin + 2 * right]
        told = f"maps shifted by {2 * down} rows and {2 * right} columns do not give shifted embeddings"
        require_equal_grids(ctx, found, moved, told, maps)
        ctx.witness()
