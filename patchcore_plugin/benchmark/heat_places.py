"""Where the heat of an image lies, compared with where its defect is; and pictures that show both."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from patchcore_plugin.benchmark.record import Picture
from patchcore_plugin.report.data_uri import data_uri
from patchcore_plugin.report.heat_map import overlay, shrink, thumbnail

Mask = npt.NDArray[np.bool_]

_LONGEST = 280  # pixels of a picture's longer side: enough to judge, small enough to keep a dozen of them a run
_OUTLINE = (0, 205, 190)  # a colour that no heat has


def hottest_on_defect(mask: Mask, heat: npt.NDArray[Any], grid: tuple[int, int]) -> bool:
    """Say whether the hottest point lies on the defect, or no farther from it than one patch reaches.

    Shapes: mask, heat (H, W); NaN was not looked at. grid (h, w) of patches.
    """
    y, x = np.unravel_index(int(np.nanargmax(heat)), heat.shape)
    reach_y, reach_x = (-(-size // count) for size, count in zip(heat.shape, grid, strict=True))
    near = mask[max(0, y - reach_y) : y + reach_y + 1, max(0, x - reach_x) : x + reach_x + 1]
    return bool(near.any())


def heat_scale(good_patches: npt.NDArray[Any], threshold: float) -> tuple[float, float]:
    """Choose the colours so that what is ordinary in good images is not painted and the threshold is the middle.

    What stays below the threshold in a missed part can then still be seen.

    Shapes: good_patches (..., h, w), the patch scores of good images -> low, high.
    """
    ordinary = float(np.median(good_patches))
    reach = threshold - ordinary
    return (ordinary, threshold + reach) if reach > 0 else (threshold - 1.0, threshold + 1.0)


def picture_of(
    name: str,
    image: npt.NDArray[Any],
    heat: npt.NDArray[Any],
    mask: Mask | None,
    scale: tuple[float, float],
    white_level: float | None,
) -> Picture:
    """Draw the photograph with its defect outlined, and its heat map."""
    photo = thumbnail(image, _LONGEST, white_level)
    if mask is not None and mask.any():
        photo = _outlined(photo, mask)
    painted = overlay(image, heat, low=scale[0], high=scale[1], white_level=white_level)
    return Picture(
        name, data_uri(photo, "JPEG"), data_uri(shrink(painted, _LONGEST), "JPEG"), photo.shape[1], photo.shape[0]
    )


def _outlined(photo: npt.NDArray[np.uint8], mask: Mask) -> npt.NDArray[np.uint8]:
    """Draw a line around the defect, beside it and not upon it."""
    colours = np.stack([photo] * 3, axis=-1) if photo.ndim == 2 else photo.copy()
    small = Image.fromarray(mask.astype(np.uint8) * 255).resize((photo.shape[1], photo.shape[0]), Image.Resampling.BOX)
    marked = ndimage.binary_dilation(np.asarray(small) > 0, iterations=2)
    colours[ndimage.binary_dilation(marked, iterations=2) & ~marked] = _OUTLINE
    return colours
