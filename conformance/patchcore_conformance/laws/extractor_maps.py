"""E01, E02, E08, E10, E11: one map a layer on the right grid, each image by itself, from all that its pixels say."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance import corruptions
from patchcore_conformance.drivers.driver import ONE_OVER
from patchcore_conformance.drivers.extractor import differ, drawn, maps_of, pixels, require_equal_maps, scaled
from patchcore_conformance.registry import law
from patchcore_conformance.saboteur import Saboteur

if TYPE_CHECKING:
    from patchcore_conformance.context import Context
    from patchcore_conformance.drivers.driver import Array
    from patchcore_conformance.saboteur import Call

_MOODY = corruptions.spoiling("answers otherwise each time", corruptions.moody, "extract")


def _transposed(array: Array, _: np.random.Generator) -> Any:
    return array.swapaxes(-1, -2)


def _reversed_layers(call: Call, _: np.random.Generator) -> Any:
    return None if call.error is not None or len(call.output) < 2 else tuple(call.output)[::-1]


@law(
    "E01",
    "extractor",
    statement="There is one map for each named layer, with the channels told, finest first, on a grid that grows with "
    "the image: rows with its height, columns with its width.",
    why="Each patch of the grid is drawn at its place in the photograph.",
    seen="Transposed axes, layers in reverse, an input size that is written into the code.",
    mend="Return maps (B, C, H, W) of the image's own size divided by the layer's stride, the finest layer first.",
    witnesses=2,
    saboteurs=(
        *corruptions.spoiling("rows and columns exchanged", _transposed, "extract"),
        Saboteur("layers in reverse", "extract", _reversed_layers),
    ),
)
def maps_lie_on_their_grids(ctx: Context) -> None:
    """Let height and width grow one after the other, then ask for sizes that no stride divides."""
    part, rng = ctx.make(), ctx.rng()
    grids = {size: _grids(ctx, part, pixels(ctx, rng, 1, *size)) for size in ((32, 32), (96, 32), (32, 96), (96, 160))}
    strides: list[float] = []
    for layer, small in enumerate(grids[32, 32]):
        tall, broad, large = (grids[size][layer] for size in ((96, 32), (32, 96), (96, 160)))
        rows, columns = tall[0] - small[0], broad[1] - small[1]
        told = f"map {layer} has grids {small} of 32 x 32, {tall} of 96 x 32, {broad} of 32 x 96, {large} of 96 x 160"
        ctx.require(rows > 0 and columns > 0, f"{told}: it must grow with the image")
        alone = tall[1] == small[1] and broad[0] == small[0]
        # One cell to spare: a stride need not divide the sizes that are asked for.
        steady = abs(large[0] - tall[0]) <= 1 and abs(large[1] - small[1] - 2 * columns) <= 1
        ctx.require(alone and steady, f"{told}: rows must follow the height, and columns the width, by one stride")
        strides.append(scaled(ctx, 64) / rows)
        ctx.witness()
    _require_strides(ctx, part, strides)
    _require_finest_first(ctx, grids[96, 160])
    _require_layers_as_asked(ctx, tuple(part.layers), pixels(ctx, rng, 1, 32, 96))
    for size in ((50, 70), (65, 33)):
        _odd_size(ctx, part, drawn(rng, 1, *size), grids)
    for size in ((1, 1), (3, 5), (12, 12)):
        _tiny_size(ctx, part, drawn(rng, 1, *size))


def _grids(ctx: Context, part: Any, images: Array) -> list[tuple[int, int]]:
    return [(found.shape[2], found.shape[3]) for found in maps_of(ctx, part, images)]


def _require_strides(ctx: Context, part: Any, found: list[float]) -> None:
    """Hold the strides that a part tells, if it does, to those that were seen: of the image, or of the layer before."""
    told = getattr(part, "strides", None)
    if isinstance(told, (tuple, list)) and len(told) == len(found) and all(isinstance(one, int) for one in told):
        good = any(_close(ctx, list(one), found) for one in (told, np.cumprod(told).tolist()))
        ctx.require(good, f"the maps have strides {found}, but the part tells {list(told)}")


def _close(ctx: Context, told: list[int], found: list[float]) -> bool:
    """Say whether strides agree, but for one cell that 64 pixels may have more or less."""
    length = scaled(ctx, 64)
    return all(one > 0 and abs(length / one - length / two) < 1 for one, two in zip(told, found, strict=True))


def _require_finest_first(ctx: Context, grids: list[tuple[int, int]]) -> None:
    ordered = all(one[0] >= two[0] and one[1] >= two[1] for one, two in pairwise(grids))
    ctx.require(ordered, f"the grids are {grids}, but the finest must come first and the coarsest last")
    ctx.witness()


def _require_layers_as_asked(ctx: Context, names: tuple[str, ...], images: Array) -> None:
    """Ask for the first layer, then for all in reverse, where there is such an option: the finest comes first."""
    try:
        first, reverse = ctx.make(layers=names[:1]), ctx.make(layers=names[::-1])
    except (TypeError, ValueError):
        return
    maps_of(ctx, first, images)
    _require_finest_first(ctx, _grids(ctx, reverse, images))  # also after a part that needs less of the network


def _tiny_size(ctx: Context, part: Any, images: Array) -> None:
    """Refuse what is smaller than a stride, or answer maps of one cell at least."""
    with suppress(TypeError, ValueError, RuntimeError):  # the last is how libraries refuse
        maps_of(ctx, part, images)


def _odd_size(ctx: Context, part: Any, images: Array, known: dict[tuple[int, int], list[tuple[int, int]]]) -> None:
    """Refuse a size that strides do not divide, or round it up or down in each layer."""
    try:
        found = _grids(ctx, part, images)
    except (TypeError, ValueError):
        return
    height, width = images.shape[2:]
    for layer, (rows, columns) in enumerate(found):
        most = known[96, 160][layer]
        # By the share of the image: right for every rounding at every stride, with one cell to spare.
        near = (
            abs(rows - most[0] * height / scaled(ctx, 96)) <= 2
            and abs(columns - most[1] * width / scaled(ctx, 160)) <= 2
        )
        ctx.require(
            near, f"map {layer} of an image of {height} x {width} has a grid of {rows} x {columns}", pixels=images
        )
    ctx.witness()


@law(
    "E02",
    "extractor",
    statement="The maps of an image do not depend on the images beside it, up to 1e-4 of their size.",
    why="A photograph must score the same alone and in a batch.",
    seen="Batch normalisation left in training mode; pixels normalised by the mean of the batch.",
    mend="Put the network into evaluation mode before each call; compute statistics per image or not at all.",
    after=("E01",),
    witnesses=6,
    saboteurs=_MOODY,
)
def images_do_not_meet(ctx: Context) -> None:
    """Ask for a batch and for each of its images alone: dim ones beside glaring ones, flat ones beside noise."""
    part, rng = ctx.make(), ctx.rng()
    mixed = pixels(ctx, rng, 4, 32, 64)
    mixed[1] *= 0.02
    mixed[2] = 2.5 * np.sign(mixed[2])
    mixed[3] = -1.5
    for images in (mixed, mixed[1:3], pixels(ctx, rng, ONE_OVER, 32, 32)):
        together = maps_of(ctx, part, images)
        for place in sorted({0, 1, len(images) // 2, len(images) - 1}):
            alone = maps_of(ctx, part, images[place : place + 1])
            batched = [found[place : place + 1] for found in together]
            told = f"image {place} of {len(images)} has other maps than alone"
            require_equal_maps(ctx, alone, batched, told, pixels=images)
            ctx.witness()


@law(
    "E08",
    "extractor",
    statement="Images in another order give their maps in that order, and different images have different maps.",
    why="The answer's first image must be the question's first.",
    seen="The first image answered for all; images that leak into their neighbours; a constant answer.",
    mend="Compute each image from its own pixels, and keep the first axis as it comes.",
    after=("E01",),
    witnesses=2,
    saboteurs=(
        *_MOODY,
        *corruptions.spoiling("the first image for all", lambda a, _: np.repeat(a[:1], len(a), 0), "extract"),
    ),
)
def order_is_kept(ctx: Context) -> None:
    """Ask for a batch in two orders."""
    part, images = ctx.make(), pixels(ctx, ctx.rng(), 5, 32, 64)
    images[3] = images[0]
    order = np.array([3, 1, 4, 2, 0])
    before, after = maps_of(ctx, part, images), maps_of(ctx, part, images[order])
    require_equal_maps(ctx, [found[order] for found in before], after, "another order got other maps", pixels=images)
    ctx.witness()
    for place, found in enumerate(before):
        ctx.require(
            differ(found[0], found[1]) and differ(found[1], found[2]), f"two images have one map {place}", pixels=images
        )
        ctx.witness()


@law(
    "E10",
    "extractor",
    statement="Every value that a normalised pixel can have counts, in each of the three channels.",
    why="Pixels arrive normalised: most lie between -2.2 and 2.7, dark ones below zero.",
    seen="Pixels normalised twice, cut to 0..1, or cast to whole numbers; channels that are never read.",
    mend="Feed pixels to the network as they come: no scaling by 255, no clipping, no cast to uint8.",
    after=("E01",),
    witnesses=6,
    saboteurs=corruptions.spoiling("one answer for all", lambda array, _: np.ones_like(array), "extract"),
)
def every_pixel_value_counts(ctx: Context) -> None:
    """Tell two images apart that lie in the dark, in the light, between whole numbers, or differ in one channel."""
    part, rng = ctx.make(), ctx.rng()

    def between(low: float, high: float) -> Array:
        return rng.uniform(low, high, (1, 3, scaled(ctx, 32), scaled(ctx, 64))).astype(np.float32)

    for low, high in ((-2.1, -1.1), (1.1, 2.6), (0.05, 0.45), (-2.1, 2.6)):
        _require_told_apart(ctx, part, between(low, high), between(low, high), f"pixels from {low} to {high}")
    for low, high in ((-2.1, -1.95), (2.52, 2.63)):  # white and black, where two halves differ a little
        image = np.full((1, 3, scaled(ctx, 32), scaled(ctx, 64)), low, dtype=np.float32)
        image[..., image.shape[3] // 2 :] = high
        _require_told_apart(ctx, part, image, image[..., ::-1].copy(), f"halves of {low} and {high}, either way")
    for channel in range(3):
        image = between(-2.1, 2.6)
        other = image.copy()
        other[:, channel] = between(-2.1, 2.6)[:, channel]
        _require_told_apart(ctx, part, image, other, f"channel {channel}")


def _require_told_apart(ctx: Context, part: Any, one: Array, two: Array, what: str) -> None:
    pairs = list(zip(maps_of(ctx, part, one), maps_of(ctx, part, two), strict=True))
    gaps = [float(np.linalg.norm(left.astype(np.float64) - right)) for left, right in pairs]
    sizes = [max(float(np.linalg.norm(left.astype(np.float64))), 1e-30) for left, _ in pairs]
    share = max(gap / size for gap, size in zip(gaps, sizes, strict=True))
    ctx.require(
        share > 1e-3, f"{what}: two images give maps that differ by {share:.2g} of their size", one=one, two=two
    )
    ctx.witness()


@law(
    "E11",
    "extractor",
    statement="Maps have the digits of the claimed dtype: small changes of the pixels show in proportion.",
    why="Distances between near patches are what anomalies are told by.",
    seen="Autocast left on, so that a network that says float32 computes in half precision.",
    mend="Switch autocast off around the forward pass, and restore it; or claim dtype='float16'.",
    applies=lambda claims: claims.dtype in ("float32", "float64"),
    promise="dtype float32 or float64",
    after=("E01",),
    witnesses=1,
    saboteurs=(
        *corruptions.spoiling("half precision", lambda a, _: a.astype(np.float16).astype(np.float32), "extract"),
        *corruptions.spoiling(
            "bfloat16", lambda a, _: (a.astype(np.float32).view(np.uint32) & 0xFFFF0000).view(np.float32), "extract"
        ),
    ),
)
def small_changes_show(ctx: Context) -> None:
    """Move pixels by 4e-5 and by twice that: the maps move twice as far, where no digits were dropped on the way."""
    part, rng = ctx.make(), ctx.rng()
    image = pixels(ctx, rng, 1, 64, 64)
    way = rng.choice([-1.0, 1.0], image.shape)
    still, once, twice = (maps_of(ctx, part, (image + times * 4e-5 * way).astype(np.float32)) for times in (0, 1, 2))
    for place, (start, near, far) in enumerate(zip(still, once, twice, strict=True)):
        told = f"every value of map {place} fits into half precision: digits were lost"
        ctx.require((start.astype(np.float32).view(np.uint32) & 0x1FFF).any(), told, pixels=image)
        one, two = (np.linalg.norm(found.astype(np.float64) - start) for found in (near, far))
        told = f"map {place} moved by {one:.3g}, and by {two:.3g} for twice the change of the pixels: digits were lost"
        ctx.require(one > 0 and 1.6 < two / one < 2.4, told, pixels=image, way=way)
        ctx.witness()
