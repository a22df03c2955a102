"""Layers brought to one grid and laid side by side: one embedding per patch, the set P of Eq. 3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from patchcore_reference.checks import require_maps
from patchcore_reference.errors import EmptyInputError, ShapeError
from patchcore_reference.resize import resize_bilinear

if TYPE_CHECKING:
    from collections.abc import Sequence


def join_layers(maps: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
    """Resize each layer to the grid of the first and put the layers' channels one after another.

    Shapes: maps (B, C_l, H_l, W_l), finest first -> float32 (B, h, w, D), (h, w) = (H_0, W_0), D = sum of the C_l.
    Order:  patch (y, x) of image b at [b, y, x]; layers in the order given.
    Raises: EmptyInputError without maps; ShapeError when the maps hold different numbers of images or a later layer is
            finer than the first.
    Cost:   O(B*h*w*D) time and memory; one image of one layer in float64 at a time.
    Source: Roth et al., CVPR 2022, arXiv:2106.08265, Section 3.1 and Eq. 3.
    """
    require_layers(maps)
    images, _, height, width = maps[0].shape
    joined = np.empty((images, height, width, sum(layer.shape[1] for layer in maps)), dtype=np.float32)
    start = 0
    for layer in maps:
        stop = start + layer.shape[1]
        for image, grid in zip(layer, joined, strict=True):
            grid[..., start:stop] = resize_bilinear(image, (height, width)).transpose(1, 2, 0)
        start = stop
    return joined


def require_layers(maps: Sequence[npt.NDArray[Any]]) -> None:
    """Refuse maps that cannot be joined on the grid of the first."""
    if not maps:
        raise EmptyInputError("there are no feature maps to join. Name at least one layer.")
    for number, layer in enumerate(maps):
        require_maps(layer, f"maps[{number}]")
        if len(layer) != len(maps[0]):
            raise ShapeError(f"maps[{number}] holds {len(layer)} image(s) but maps[0] holds {len(maps[0])}.")
        if layer.shape[2] > maps[0].shape[2] or layer.shape[3] > maps[0].shape[3]:
            raise ShapeError(
                f"maps[{number}] has a grid of {layer.shape[2:]}, finer than maps[0] with {maps[0].shape[2:]}. "
                "Give the finest layer first."
            )
