"""Resizing: brings layers to one grid and score grids to the size of an image.

Bilinear with half-pixel centres, as in the paper; and by the nearest cell, which is how anomalib draws its maps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from patchcore_reference.checks import require_finite, require_real
from patchcore_reference.errors import EmptyInputError, ShapeError


def resize_bilinear(maps: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Resize the last two axes.

    Cell i of n covers [i/n, (i+1)/n] of the axis and its value stands in the middle; beyond the outermost middles the
    map continues as a constant. Nothing is averaged away when the target is smaller (no antialiasing).

    Shapes: maps (..., H, W), size (H', W') -> float32 (..., H', W').
    Units:  those of the maps; a value never leaves the range of its four neighbours.
    Raises: ShapeError, EmptyInputError, NonFiniteError.
    Cost:   O(output) time; twice the output in float64.
    Source: Roth et al., CVPR 2022, arXiv:2106.08265, Section 3.1 (layers of another resolution) and 3.3 (maps).
    """
    _require_maps(maps)
    height, width = require_size(size)
    taller = _resize_axis(maps.astype(np.float64), height, axis=-2)
    return _resize_axis(taller, width, axis=-1).astype(np.float32)


def resize_nearest(maps: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Resize the last two axes by repeating or leaving out cells: output cell i of n shows the cell its edge i/n is in.

    Shapes: maps (..., H, W), size (H', W') -> float32 (..., H', W').
    Units:  those of the maps; no new value appears.
    Raises: ShapeError, EmptyInputError, NonFiniteError.
    Cost:   O(output) time.
    Source: torch.nn.functional.interpolate(mode="nearest"), in whole numbers: torch rounds the ratio of the sizes.
    """
    _require_maps(maps)
    height, width = require_size(size)
    rows = np.arange(height) * maps.shape[-2] // height
    columns = np.arange(width) * maps.shape[-1] // width
    return np.asarray(maps[..., rows[:, None], columns], dtype=np.float32)


def _require_maps(maps: npt.NDArray[Any]) -> None:
    if maps.ndim < 2:
        raise ShapeError(f"maps have shape {maps.shape}, but at least (height, width) is needed.")
    if 0 in maps.shape:
        raise EmptyInputError(f"maps are empty: their shape is {maps.shape}.")
    require_real(maps, "maps")
    require_finite(maps, "maps")


def require_size(size: tuple[int, int]) -> tuple[int, int]:
    """Refuse all but two positive whole numbers."""
    if len(size) != 2 or not all(isinstance(n, int | np.integer) and not isinstance(n, bool) and n > 0 for n in size):
        raise ShapeError(f"size is {size!r}, but (height, width), two whole numbers above zero, is needed.")
    return int(size[0]), int(size[1])


def _resize_axis(values: npt.NDArray[np.float64], size: int, axis: int) -> npt.NDArray[np.float64]:
    """Interpolate one axis; written as start + step * weight, so that a constant stays the same bits."""
    length = values.shape[axis]
    if size == length:
        return values
    middles = np.clip((np.arange(size) + 0.5) * (length / size) - 0.5, 0.0, length - 1.0)
    before = np.floor(middles).astype(np.intp)
    after = np.minimum(before + 1, length - 1)
    weight = (middles - before).reshape(-1, *[1] * (-1 - axis))
    start = np.take(values, before, axis=axis)
    step: npt.NDArray[np.float64] = np.take(values, after, axis=axis)
    step -= start
    step *= weight
    step += start
    return step
