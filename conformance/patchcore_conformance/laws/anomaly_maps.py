"""A10 to A13: a map has its size, keeps constants and ranges, and shows each patch in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance import corruptions
from patchcore_conformance.drivers.maps import drawn, held, seen, share
from patchcore_conformance.model.maps import Blurred
from patchcore_conformance.registry import law

if TYPE_CHECKING:
    import numpy.typing as npt

    from patchcore_conformance.context import Context
    from patchcore_conformance.drivers.maps import Array, Size

_MAP = "anomaly_map"
BRIGHTER = corruptions.spoiling("a tenth brighter", lambda found, _: found * 1.1 + found.dtype.type(0.1), _MAP)
_MUCH_BRIGHTER = corruptions.spoiling("half as bright again", lambda found, _: found * 1.5 + 1, _MAP)
SHIFTED = corruptions.spoiling("shifted by a pixel", lambda found, _: np.roll(found, 1, axis=2), _MAP)
_DARKER = corruptions.spoiling("darker at the left edge", lambda found, _: _faded(found), _MAP)
ROLLED = corruptions.spoiling(
    "the next image's map", lambda found, _: np.roll(found, 1, axis=0) if len(found) > 1 else None, _MAP
)

# Grid, size of the map, sigma.
_SIZES: tuple[tuple[Size, Size, float], ...] = (
    *(((3, 4), (20, 31), 0.0), ((3, 4), (20, 31), 0.5), ((5, 7), (40, 28), 4.0), ((1, 1), (24, 30), 4.0)),
    *(((28, 20), (224, 160), 4.0), ((7, 5), (27, 35), 1.0), ((16, 20), (12, 10), 0.5), ((6, 9), (33, 47), 2.0)),
    *(((9, 2), (36, 64), 3.3), ((1, 6), (20, 48), 2.0), ((30, 33), (30, 33), 1.5), ((4, 4), (64, 64), 0.25)),
)


# Maps that are smaller than the Gaussian reaches, in one direction or both. These may be refused, but not be wrong.
_SMALLER_THAN_THE_GAUSSIAN: tuple[tuple[Size, Size, float], ...] = (
    *(((2, 9), (12, 60), 8.0), ((9, 2), (60, 10), 6.0), ((3, 3), (9, 7), 4.0)),
)


def _faded(found: Array) -> Array:
    found[:, :, 0] *= 0.5
    return found


@law(
    "A10",
    "maps",
    statement="A map has the size that was asked for, keeps constants up to its edges, and stays in the scores' range.",
    why="Edges that come out darker hide defects there; values beyond the range are defects that nobody scored.",
    seen="Zeros beyond the edge; cubic resizing that overshoots; (W, H) for (H, W); maps brought to 0..1.",
    mend="Resize by weighted means, mirror the map beyond its edge, and divide the Gaussian by its sum.",
    witnesses=24,
    saboteurs=(*BRIGHTER, *_DARKER),
)
def maps_keep_size_constants_and_range(ctx: Context) -> None:
    """Draw constants of several sizes, then scores at random and spikes."""
    part, rng = ctx.make(), ctx.rng()
    for grid, size, sigma in _SMALLER_THAN_THE_GAUSSIAN:
        _require_constant_or_refused(ctx, part, grid, size, sigma)
    _require_digits_of_large_maps(ctx, part)
    for grid, size, sigma in _SIZES:
        for value in (5.0, 0.0, 1e-4, 3000.0):
            scores = held(ctx, np.full((2, *grid), value))
            found = drawn(ctx, part, scores, size, sigma)
            told = f"scores of {value:g} on {grid} do not give {value:g} everywhere at size {size}, sigma {sigma}"
            error = np.abs(found - scores[0, 0, 0])
            ctx.within(error, share(ctx) * float(scores.max()), told, **seen(scores, size, sigma, map=found))
        spikes = rng.choice([0.0, 100.0], size=(1, *grid), p=[0.8, 0.2])
        for scores in (held(ctx, rng.random((2, *grid)) + 3), held(ctx, spikes)):
            found = drawn(ctx, part, scores, size, sigma)
            low, high = (scores.astype(np.float64).min(axis=(1, 2)), scores.astype(np.float64).max(axis=(1, 2)))
            over = np.maximum(low - found.min(axis=(1, 2)), found.max(axis=(1, 2)) - high)
            told = f"a map leaves its scores' range at {grid} to {size}, sigma {sigma}"
            ctx.within(np.maximum(over, 0), share(ctx) * high, told, **seen(scores, size, sigma, map=found))
            ctx.witness()


def _require_digits_of_large_maps(ctx: Context, part: Any) -> None:
    """Draw a map of a photograph of half a megapixel: its size is no reason to keep fewer digits."""
    size = (800, 700)
    scores = held(ctx, np.full((1, 4, 5), 4097.0))
    found = drawn(ctx, part, scores, size, 2.0)
    told = f"scores of 4097 do not give 4097 everywhere at size {size}"
    ctx.within(np.abs(found - float(scores[0, 0, 0])), share(ctx) * 4097, told, **seen(scores, size, 2.0))


def _require_constant_or_refused(ctx: Context, part: Any, grid: Size, size: Size, sigma: float) -> None:
    scores = np.full((2, *grid), 5, dtype=np.float32)
    try:
        found = drawn(ctx, part, scores, size, sigma)
    except (ValueError, TypeError, RuntimeError):  # libraries that mirror a map once raise one of these
        return
    told = f"scores of 5 on {grid} do not give 5 everywhere at size {size}, which sigma {sigma} reaches across"
    ctx.within(np.abs(found - 5), 5 * share(ctx), told, **seen(scores, size, sigma, map=found))


@law(
    "A11",
    "maps",
    statement="One patch's score has its centre of mass in the middle of that patch, and keeps its volume.",
    why="A map is laid over the photograph: half a patch beside the defect is beside the part.",
    seen="Corners aligned, or pixels counted from their corner: half a patch off; rows and columns exchanged.",
    mend="Pixel i of H lies at (i + 0.5) h / H - 0.5 among h patches (align_corners=False); the Gaussian is centred.",
    witnesses=8,
    saboteurs=(*SHIFTED, *BRIGHTER, *ROLLED),
)
def scores_stay_in_their_place(ctx: Context) -> None:
    """Draw single patches, another one in each image of a batch."""
    part = ctx.make()
    for grid, size, sigma in (
        *(((9, 9), (72, 72), 4.0), ((11, 7), (88, 84), 2.0), ((13, 15), (52, 60), 1.0), ((9, 8), (27, 40), 0.0)),
        *(((12, 6), (72, 96), 3.0), ((41, 37), (41, 37), 2.0)),
    ):
        places = [(grid[0] // 2, grid[1] // 2), (grid[0] // 2 - 1, grid[1] // 2), (grid[0] // 2, grid[1] // 2 - 1)]
        scores = np.zeros((len(places), *grid), dtype=np.float32)
        for image, (y, x) in enumerate(places):
            scores[image, y, x] = 8 * (image + 1)
        _require_places(ctx, drawn(ctx, part, scores, size, sigma), scores, places, size, sigma)


def _require_places(
    ctx: Context, found: npt.NDArray[np.float64], scores: Array, places: list[Size], size: Size, sigma: float
) -> None:
    steps = (size[0] / scores.shape[1], size[1] / scores.shape[2])
    for image, (y, x) in enumerate(places):
        volume, expected = found[image].sum(), float(scores[image].max()) * steps[0] * steps[1]
        at = f"patch {(y, x)} of {scores.shape[1:]}, drawn at {size} with sigma {sigma},"
        evidence = seen(scores, size, sigma, map=found[image])
        told = f"{at} has the volume {volume:.6g} for {expected:.6g}"
        ctx.within(abs(volume - expected), (0.01 + share(ctx)) * expected, told, **evidence)
        middle = [found[image].sum(axis=1 - axis) @ np.arange(size[axis]) / volume for axis in (0, 1)]
        wanted = [(y + 0.5) * steps[0] - 0.5, (x + 0.5) * steps[1] - 0.5]
        told = f"{at} has its centre at ({middle[0]:.3f}, {middle[1]:.3f}) for ({wanted[0]:.3f}, {wanted[1]:.3f})"
        ctx.within(np.abs(np.subtract(middle, wanted)), 0.02 + 20 * share(ctx), told, **evidence)
        ctx.witness()


@law(
    "A12",
    "maps",
    statement="With sigma 0 a map is the resized grid, and on a grid of the map's own size the scores themselves.",
    why="What is not to be smoothed must not be; and only so can resizing be told from smoothing.",
    seen="Division by sigma; a least sigma that nobody asked for; another resizing than was claimed.",
    mend="Return the resized grid where sigma is 0. Claim resize='nearest' where patches are drawn as squares.",
    witnesses=6,
    saboteurs=(*BRIGHTER, *SHIFTED),
)
def no_sigma_no_blur(ctx: Context) -> None:
    """Compare with a grid resized in float64."""
    part, rng = ctx.make(), ctx.rng()
    for grid, size in (
        *(((3, 4), (20, 31)), ((5, 7), (40, 28)), ((6, 9), (6, 9)), ((1, 5), (8, 23)), ((8, 3), (9, 50))),
        *(((28, 28), (224, 224)), ((2, 2), (2, 17))),
    ):
        scores = held(ctx, rng.random((2, *grid)) * 9)
        for sigma in (0.0, 0):
            found = drawn(ctx, part, scores, size, sigma)
            told = f"scores on {grid} at size {size} without smoothing are not those of a {ctx.claims.resize} resizing"
            error = np.abs(found - _resized(ctx, scores.astype(np.float64), size, found))
            ctx.within(error, share(ctx) * float(scores.max()), told, **seen(scores, size, sigma, map=found))
        ctx.witness()


def _resized(ctx: Context, scores: npt.NDArray[np.float64], size: Size, found: Array) -> npt.NDArray[np.float64]:
    """Resize as claimed; of the patches that a pixel may show, drawn as squares, take the one that fits best."""
    if ctx.claims.resize == "bilinear":
        return np.asarray(Blurred().resized(scores, size))
    rows, columns = (_shown(length, pixels) for length, pixels in zip(scores.shape[1:], size, strict=True))
    shown = np.stack([scores[:, row[:, None], column] for row in rows for column in columns])
    best = np.abs(shown - found).argmin(axis=0)
    return np.asarray(np.take_along_axis(shown, best[None], axis=0)[0])


def _shown(length: int, pixels: int) -> list[npt.NDArray[np.int64]]:
    """Return the patch at each pixel's edge, at its middle, and at its other edge."""
    places = (np.arange(pixels)[None] + np.array([[0.0], [0.5], [1 - 1e-6]])) * (length / pixels)
    return list(np.clip(np.floor(places + 1e-9).astype(np.int64), 0, length - 1))


@law(
    "A13",
    "maps",
    statement="Scores that rise evenly give a map that rises evenly, away from the edges.",
    why="Only then lies every pixel between the right two patches, also where sizes are no multiples of each other.",
    seen="Resizing from the left edge; corners aligned; a Gaussian that is off by half a pixel.",
    mend="Resize between the middles of patches, and smooth with a kernel of odd length.",
    witnesses=4,
    saboteurs=(*SHIFTED, *_MUCH_BRIGHTER),
)
def ramps_stay_ramps(ctx: Context) -> None:
    """Draw planes that rise in both directions."""
    part = ctx.make()
    for grid, size, sigma in (
        *(((9, 12), (100, 118), 4.0), ((14, 10), (97, 70), 2.0), ((12, 13), (75, 64), 1.0), ((11, 9), (50, 61), 0.0)),
    ):
        down, across = np.arange(grid[0])[:, None], np.arange(grid[1])
        scores = held(ctx, np.stack([2 * down + across + 1, 3 * across[::-1] + 0 * down]))
        found = drawn(ctx, part, scores, size, sigma)
        y, x = ((np.arange(pixels) + 0.5) * n / pixels - 0.5 for pixels, n in zip(size, grid, strict=True))
        expected = np.stack([2 * y[:, None] + x + 1, 3 * (grid[1] - 1 - x) + 0 * y[:, None]])
        margin = [int(4 * sigma + pixels / n) + 1 for pixels, n in zip(size, grid, strict=True)]
        inside = (slice(None), *(slice(edge, -edge) for edge in margin))
        slack = share(ctx) * float(scores.max())
        if ctx.claims.resize == "nearest":  # up to half a patch and a pixel off, in either direction
            slack += 2 * (0.5 + grid[0] / size[0]) + 3 * (0.5 + grid[1] / size[1])
        told = f"even slopes on {grid} do not stay even slopes at {size}, sigma {sigma}"
        ctx.within(np.abs(found - expected)[inside], slack, told, **seen(scores, size, sigma, map=found))
        ctx.witness()
