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


def join_layers(maps: Sequence[npt.NDArray[Any]], weights: Sequence[float] = ()) -> npt.NDArray[np.float32]:
    """Resize each layer to the grid of the first and put the layers' channels one after another.

    Distances add the squares of all channels, so a layer of large values outweighs the others; ``weights`` multiplies
    each layer with a number, which says how much it is to count.

    Shapes: maps (B, C_l, H_l, W_l), finest first -> float32 (B, h, w, D), (h, w) = (H_0, W_0), D = sum of the C_l.
    Order:  patch (y, x) of image b at [b, y, x]; layers in the order given.
    Raises: EmptyInputError without maps; ShapeError when the maps hold different numbers of images, a later layer is
            finer than the first, or there are weights but not one above 0 for each layer.
    Cost:   O(B*h*w*D) time and memory; one image of one layer in float64 at a time.
    Source: Roth et al., CVPR 2022, arXiv:2106.08265, Section 3.1 and Eq. 3.
    """
    require_layers(maps)
    require_weights(weights, len(maps))
    images, _, height, width = maps[0].shape
    joined = np.empty((images, height, width, sum(layer.shape[1] for layer in maps)), dtype=np.float32)
    start = 0
    for number, layer in enumerate(maps):
        stop = start + layer.shape[1]
        for image, grid in zip(layer, joined, strict=True):
            grid[..., start:stop] = resize_bilinear(image, (height, width)).transpose(1, 2, 0)
        if weights:
            joined[..., start:stop] *= np.float32(weights[number])
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


def require_weights(weights: Sequence[float], layers: int | None = None) -> None:
    """Refuse weights that are not above 0, or not one for each of ``layers``; none at all are fine."""
    wrong = [one for one in weights if isinstance(one, bool) or not 0 < one < np.inf]
    if wrong:
        raise ShapeError(
            f"a layer's weight is {wrong[0]!r}, but a number above 0 is needed. To drop a layer, name it not."
        )
    if layers is not None and weights and len(weights) != layers:
        raise ShapeError(f"there are {len(weights)} weights for {layers} layer(s). Give one for each, finest first.")
