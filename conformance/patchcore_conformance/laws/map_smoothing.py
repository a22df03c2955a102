"""A14, A15, A16: smoothing is a Gaussian after resizing, image by image, and mirrors what lies beyond the edge.

How a map goes on there is free, as long as a constant stays one: mirrored with the edge pixel or without it, the edge
pixel repeated, or weights that are summed over the map alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance import corruptions
from patchcore_conformance.drivers.driver import MANY, ONE_OVER
from patchcore_conformance.drivers.maps import drawn, held, seen, share
from patchcore_conformance.laws.anomaly_maps import BRIGHTER, ROLLED, SHIFTED
from patchcore_conformance.model.maps import Blurred, Squares
from patchcore_conformance.registry import law

if TYPE_CHECKING:
    from patchcore_conformance.context import Context
    from patchcore_conformance.drivers.maps import Array, Size

_TWICE = corruptions.spoiling(
    "shown on the other side too", lambda found, _: found + found[:, ::-1, ::-1] / found.dtype.type(2), "anomaly_map"
)


@law(
    "A14",
    "maps",
    statement="Smoothing is a Gaussian of sigma pixels of the map, in both directions.",
    why="Sigma decides how large a defect must be to be seen; it is part of every published result.",
    seen="Sigma taken for a variance, or counted in patches; a kernel too short; smoothing before resizing.",
    mend="Weigh by exp(-x^2 / (2 sigma^2)) out to three or four sigma, after resizing, with weights that sum to 1.",
    after=("A12",),
    witnesses=4,
    saboteurs=(*SHIFTED, *BRIGHTER),
)
def smoothing_is_gaussian(ctx: Context) -> None:
    """Draw one bright patch on a grid of the map's own size, so that nothing is resized; then on coarser grids."""
    part = ctx.make()
    _require_order(ctx, part)
    for sigma, size in (
        (1.0, (21, 23)),
        (2.0, (31, 40)),
        (4.0, (63, 59)),
        (1.5, (25, 25)),
        (6.0, (80, 75)),
        (4, (55, 61)),
        (10.0, (97, 103)),
    ):
        scores = np.zeros((2, *size), dtype=np.float32)
        y, x = size[0] // 2, size[1] // 2
        scores[:, y, x] = 64, 256
        found = drawn(ctx, part, scores, size, sigma)
        profiles = (np.exp(-0.5 * np.square((np.arange(n) - at) / sigma)) for n, at in ((size[0], y), (size[1], x)))
        down, across = (profile / profile.sum() for profile in profiles)
        expected = np.outer(down, across)
        for image, height in enumerate((64, 256)):
            told = f"one bright pixel is not smoothed into a Gaussian of sigma {sigma}"
            # A kernel may end at three sigma, where a hundredth of its height is left.
            slack = (0.02 + share(ctx)) * height * expected.max()
            error = np.abs(found[image] - height * expected)
            ctx.within(error, slack, told, **seen(scores, size, sigma, map=found[image]))
        ctx.witness()
    _require_some_smoothing(ctx, part)
    _require_up_to_the_edge(ctx, part)


def _require_some_smoothing(ctx: Context, part: Any) -> None:
    """Ask for less than a pixel: pixels may be sampled or averaged there, but it is not nothing."""
    scores = np.zeros((1, 9, 11), dtype=np.float32)
    scores[0, 4, 5] = 64
    for sigma, most in ((0.6, 0.6), (0.8, 0.4)):
        found = drawn(ctx, part, scores, (9, 11), sigma)
        told = f"of one bright pixel more than {most} are left where sigma is {sigma}: it was not smoothed"
        ctx.within(np.maximum(found.max() - 64 * most, 0), 64 * share(ctx), told, **seen(scores, (9, 11), sigma))


def _require_up_to_the_edge(ctx: Context, part: Any) -> None:
    """Hold a map to what the ways to go on beyond the edge leave, also in its first and last rows and columns."""
    for size, sigma in (((36, 31), 2.0), ((70, 75), 5.0)):
        scores = held(ctx, ctx.rng(sigma).integers(0, 65, (1, *size)))
        ways = [_continued(mode).anomaly_map(scores, size, sigma) for mode in ("symmetric", "reflect", "edge")]
        ones, zeros = np.ones_like(scores), _continued("constant")
        ways.append(zeros.anomaly_map(scores, size, sigma) / zeros.anomaly_map(ones, size, sigma))
        found, slack = drawn(ctx, part, scores, size, sigma), 64 * (0.02 + share(ctx))
        over = np.maximum(np.min(ways, axis=0) - found, found - np.max(ways, axis=0))
        told = f"near its edge a map is none that sigma {sigma} gives, however it goes on beyond"
        ctx.within(np.maximum(over, 0), slack, told, **seen(scores, size, sigma, map=found))


def _continued(mode: Any) -> Blurred:
    """Return the model with another way to go on beyond the edge."""

    class Continued(Blurred):
        def padded(self, maps: Any, widths: Any) -> Any:
            return np.pad(maps, widths, mode=mode)

    return Continued()


def _require_order(ctx: Context, part: Any) -> None:
    """Compare with a model, away from the edges: smoothing the grid first gives another map."""
    model = Blurred() if ctx.claims.resize == "bilinear" else Squares()
    for grid, size, sigma in (
        *(((11, 9), (88, 72), 4.0), ((7, 8), (112, 128), 6.0), ((20, 24), (60, 72), 1.0)),
        ((12, 10), (420, 350), 5.0),
    ):
        scores = np.zeros((1, *grid), dtype=np.float32)
        scores[0, grid[0] // 2, grid[1] // 2] = 64
        found, expected = drawn(ctx, part, scores, size, sigma), model.anomaly_map(scores, size, sigma)
        told = (
            f"one bright patch of {grid} at {size} is not what resizing, then a Gaussian of sigma {sigma}, makes of it"
        )
        slack = (0.02 + share(ctx)) * float(expected.max())
        ctx.within(np.abs(found - expected), slack, told, **seen(scores, size, sigma, map=found))
    _require_pixels_of_the_map(ctx, part, model)


def _require_pixels_of_the_map(ctx: Context, part: Any, model: Blurred) -> None:
    """Draw maps that are coarser than their grid: sigma counts pixels of the map there too, not patches.

    The block is large, so that it does not matter whether patches are averaged where they are many to a pixel.
    """
    for grid, size, sigma in (((96, 80), (48, 40), 3.0), ((90, 108), (30, 36), 2.0)):
        scores = np.zeros((1, *grid), dtype=np.float32)
        scores[0, grid[0] // 2 - 6 : grid[0] // 2 + 6, grid[1] // 2 - 6 : grid[1] // 2 + 6] = 64
        found, expected = drawn(ctx, part, scores, size, sigma), model.anomaly_map(scores, size, sigma)
        told = (
            f"a block of bright patches on {grid}, drawn at {size}, is not smoothed by sigma {sigma} pixels of the map"
        )
        slack = (0.1 + share(ctx)) * float(expected.max())
        ctx.within(np.abs(found - expected), slack, told, **seen(scores, size, sigma, map=found))


@law(
    "A15",
    "maps",
    statement="A map is made of its own image's scores alone, in their unit: twice the scores are twice the map.",
    why="Maps of several photographs are compared with one threshold, whichever were drawn together.",
    seen="Maps brought to 0..1 by their own or the batch's largest value; Eq. 7, which is for images, applied to maps.",
    mend="Return what resizing and smoothing give; scale for display, if at all, in a copy.",
    witnesses=6,
    saboteurs=(*ROLLED, *BRIGHTER),
)
def maps_keep_their_unit(ctx: Context) -> None:
    """Draw images together, alone, backwards, doubled, and raised."""
    part, rng = ctx.make(), ctx.rng()
    for grid, size, sigma in (((5, 7), (40, 42), 4.0), ((4, 3), (26, 31), 1.0), ((6, 6), (6, 6), 0.0)):
        scores = held(ctx, rng.integers(1, 200, (4, *grid)) / 16 * np.array([1, 16, 2, 1])[:, None, None])
        together = drawn(ctx, part, scores, size, sigma)
        close = share(ctx) * scores.max(axis=(1, 2), keepdims=True).astype(np.float64)
        evidence = seen(scores, size, sigma)
        for image in range(len(scores)):
            alone = drawn(ctx, part, scores[image : image + 1], size, sigma)[0]
            told = f"image {image} of 4 gets another map alone"
            ctx.within(np.abs(alone - together[image]), 2 * close[image], told, **evidence, image=image)
        backwards = drawn(ctx, part, scores[::-1].copy(), size, sigma)[::-1]
        ctx.within(np.abs(backwards - together), 2 * close, "images in another order get other maps", **evidence)
        for factor in (2.0, 0.25):
            found = drawn(ctx, part, scores * np.float32(factor), size, sigma)
            told = f"{factor:g} times the scores are not {factor:g} times the map"
            ctx.within(np.abs(found - factor * together), 3 * factor * close, told, **evidence)
        raised = drawn(ctx, part, held(ctx, scores + 64), size, sigma)
        told = "scores that are 64 higher do not give a map that is 64 higher"
        ctx.within(np.abs(raised - together - 64), 3 * (close + 64 * share(ctx)), told, **evidence)
        ctx.witness(2)
    for images in (MANY, ONE_OVER):
        _require_alone_alike(ctx, part, held(ctx, rng.integers(1, 200, (images, 3, 4)) / 16))


def _require_alone_alike(ctx: Context, part: Any, many: Array) -> None:
    """Draw many images together and some of them alone."""
    together = drawn(ctx, part, many, (12, 16), 1.0)
    for image in (0, 1, len(many) // 2, len(many) - 1):
        alone = drawn(ctx, part, many[image : image + 1], (12, 16), 1.0)[0]
        told = f"image {image} of {len(many)} gets another map alone"
        ctx.within(
            np.abs(alone - together[image]), 2 * share(ctx) * float(many.max()), told, **seen(many, (12, 16), 1.0)
        )


@law(
    "A16",
    "maps",
    statement="A score shows near its patch only, also one at the edge; none comes out on the other side.",
    why="A defect at the left edge must not be drawn at the right one.",
    seen="Smoothing by a Fourier transform, or by rolling, which goes round; edges counted as background.",
    mend="Mirror the map beyond its edge before smoothing, and cut it back afterwards.",
    witnesses=6,
    saboteurs=(*_TWICE, *ROLLED),
)
def scores_do_not_go_round(ctx: Context) -> None:
    """Draw single patches in corners and at edges, and look far away from them."""
    part = ctx.make()
    for grid, size, sigma in (
        ((8, 10), (96, 110), 4.0),
        ((9, 7), (63, 77), 2.0),
        ((40, 44), (40, 44), 1.0),
        ((9, 8), (290, 270), 5.0),
    ):
        h, w = grid
        places = [(0, 0), (0, w - 1), (h - 1, 0), (h - 1, w - 1), (h // 2, 0), (0, w // 2)]
        scores = np.zeros((len(places), *grid), dtype=np.float32)
        for image, place in enumerate(places):
            scores[image][place] = 100
        found = drawn(ctx, part, scores, size, sigma)
        for image, (y, x) in enumerate(places):
            down, across = (
                np.abs(np.arange(pixels) - ((at + 0.5) * pixels / n - 0.5)) - 1.5 * pixels / n
                for pixels, n, at in ((size[0], h, y), (size[1], w, x))
            )
            far = np.maximum(down[:, None], across) > 6 * sigma
            evidence = seen(scores[image : image + 1], size, sigma, map=found[image])
            told = f"patch {(y, x)} of {grid} shows far from its place at {size}, sigma {sigma}"
            ctx.within(np.abs(found[image])[far], 0.1 + 100 * share(ctx), told, **evidence)
            at = tuple(int((place + 0.5) * pixels / n) for place, pixels, n in ((y, size[0], h), (x, size[1], w)))
            least = 0.3 * _inside(ctx, part, grid, size, sigma)
            told = (
                f"patch {(y, x)} of {grid} is drawn at {found[image][at]:.4g}, less than a third of one in the middle"
            )
            ctx.require(found[image][at] >= least, told, **evidence)
        ctx.witness(2)


def _inside(ctx: Context, part: Any, grid: Size, size: Size, sigma: float) -> float:
    """Return how bright a patch of 100 is in the middle of the grid."""
    scores = np.zeros((1, *grid), dtype=np.float32)
    scores[0, grid[0] // 2, grid[1] // 2] = 100
    return float(drawn(ctx, part, scores, size, sigma).max())
