"""Feature map -> mean over each patch's neighbourhood: f_agg of Eq. 2, with stride 1."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from patchcore_reference.checks import require_maps
from patchcore_reference.errors import ShapeError

Border = Literal["zero", "valid"]


def local_mean(maps: npt.NDArray[Any], patch_size: int = 3, border: Border = "zero") -> npt.NDArray[np.float32]:
    """Replace each cell by the mean of the patch_size x patch_size cells around it.

    ``border="zero"`` counts cells beyond the edge as zeros, so that edges come out darker, as in both public
    implementations of PatchCore. ``border="valid"`` takes the mean of the cells that exist: a constant stays constant.

    Shapes: maps (B, C, H, W) -> float32 (B, C, H, W).
    Units:  those of the maps.
    Raises: ShapeError when patch_size is not an odd whole number or border is unknown; EmptyInputError, NonFiniteError.
    Cost:   O(B*C*H*W*patch_size) time; one image in float64 at a time.
    Source: Roth et al., CVPR 2022, arXiv:2106.08265, Eq. 1 and 2, f_agg as average pooling.
    """
    require_maps(maps, "maps")
    require_patch(patch_size, border)
    cells = _cells_inside(maps.shape[2:], patch_size) if border == "valid" else np.float64(patch_size**2)
    means = np.empty(maps.shape, dtype=np.float32)
    for image, mean in zip(maps, means, strict=True):
        mean[...] = _window_sums(_window_sums(image.astype(np.float64), patch_size, axis=1), patch_size, axis=2) / cells
    return means


def require_patch(patch_size: int, border: str) -> None:
    """Refuse a neighbourhood without a middle cell, and borders that nobody defined."""
    whole = isinstance(patch_size, int | np.integer) and not isinstance(patch_size, bool)
    if not whole or patch_size < 1 or patch_size % 2 == 0:
        raise ShapeError(f"patch_size is {patch_size!r}, but an odd whole number is needed: 1, 3, 5 ...")
    if border not in ("zero", "valid"):
        raise ShapeError(f"border is {border!r}, but only 'zero' and 'valid' exist. Choose one of them.")


def _window_sums(values: npt.NDArray[np.float64], size: int, axis: int) -> npt.NDArray[np.float64]:
    """Sum the ``size`` neighbours of each cell along one axis; what lies beyond the edge adds nothing."""
    sums = values.copy()
    length = values.shape[axis]
    ahead, behind = np.moveaxis(sums, axis, 0), np.moveaxis(values, axis, 0)
    for shift in range(1, min(size // 2, length - 1) + 1):
        ahead[shift:] += behind[:-shift]
        ahead[:-shift] += behind[shift:]
    return sums


def _cells_inside(grid: tuple[int, ...], size: int) -> npt.NDArray[np.float64]:
    """Count how many cells of each window lie on the map."""
    return _window_sums(_window_sums(np.ones(grid), size, axis=0), size, axis=1)
