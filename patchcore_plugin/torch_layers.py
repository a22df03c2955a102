"""What torch aggregators share: how layers come in, are brought to one grid, and are laid side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from patchcore_plugin.torch_checks import floats, require_layers
from patchcore_plugin.torch_device import on_device
from patchcore_reference.embeddings import require_weights

if TYPE_CHECKING:
    from collections.abc import Sequence


def layers_on(device: torch.device, maps: Sequence[Any]) -> list[torch.Tensor]:
    """Bring feature maps onto a device, checked, as float32 or float64.

    Shapes: maps (B, C_l, H_l, W_l), finest first; the same comes back.
    Raises: EmptyInputError without maps; ShapeError when they hold different numbers of images or a later layer is
            finer than the first; NonFiniteError.
    """
    layers = [on_device(layer, device, f"maps[{number}]") for number, layer in enumerate(maps)]
    require_layers(layers)
    return [floats(layer) for layer in layers]


def side_by_side(layers: Sequence[torch.Tensor], weights: Sequence[float] = ()) -> torch.Tensor:
    """Resize each layer to the grid of the first and put the layers' channels one after another.

    Shapes: (B, C_l, H_l, W_l), finest first -> float32 (B, h, w, D), (h, w) = (H_0, W_0), D = sum of the C_l.
    Units:  those of the layers, times their weights, where there are any.
    Raises: ShapeError when there are weights, but not one for each layer.
    """
    require_weights(weights, len(layers))
    images, _, height, width = layers[0].shape
    joined = layers[0].new_empty((images, height, width, sum(layer.shape[1] for layer in layers)), dtype=torch.float32)
    start = 0
    for number, layer in enumerate(layers):
        stop = start + layer.shape[1]
        joined[..., start:stop] = resize_bilinear(layer, (height, width)).permute(0, 2, 3, 1)
        if weights:
            joined[..., start:stop] *= weights[number]
        start = stop
    return joined


def resize_bilinear(maps: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Resize the last two axes, with half-pixel centres, as the reference does.

    torch's own interpolation computes positions in float32, which is off by a part 1e-5 on grids of 100 cells.

    Shapes: float (..., H, W), size (H', W') -> (..., H', W').
    """
    return _resize_axis(_resize_axis(maps, size[0], axis=-2), size[1], axis=-1)


def _resize_axis(values: torch.Tensor, size: int, axis: int) -> torch.Tensor:
    length = values.shape[axis]
    if size == length:
        return values
    cells = torch.arange(size, dtype=torch.float64, device="cpu")  # few numbers, and not every device has float64
    middles = ((cells + 0.5) * (length / size) - 0.5).clamp(0, length - 1)
    before = middles.floor().to(torch.int64)
    after = (before + 1).clamp(max=length - 1)
    weight = (middles - before).to(values.dtype).reshape(-1, *[1] * (-1 - axis)).to(values.device)
    start = values.index_select(axis, before.to(values.device))
    step = values.index_select(axis, after.to(values.device)) - start
    return start.addcmul_(step, weight)
