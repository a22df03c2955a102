"""From a layer's output to a map (B, C, h, w): convolutional maps, channels-last maps, and tokens of transformers.

Networks do not say what the axes of their tensors mean. It is read off the shape: the grid of a map has the proportions
of the image, and a number of tokens is the product of such a grid, after class and register tokens are taken away.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

_CHANNELS_FIRST = (nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d, nn.AvgPool2d)  # whatever the rest of the network does
_SLACK = 2  # cells that a grid may miss or have more on each axis, from borders that convolutions cut or add


@dataclass(frozen=True, kw_only=True)
class Conventions:
    """What a network says about its tensors: tokens in front of the patches, and whether maps have channels last."""

    extra_tokens: int = 0  # class, distillation and register tokens
    channels_last: bool = False


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How one layer's output becomes a map with ``channels`` on a ``grid``."""

    form: Literal["map", "channels-last map", "tokens"]
    channels: int
    grid: tuple[int, int]
    extra_tokens: int = 0

    def map_of(self, output: torch.Tensor) -> torch.Tensor:
        """Return a view as (B, C, h, w)."""
        if self.form == "map":
            return output
        if self.form == "channels-last map":
            return output.permute(0, 3, 1, 2)
        return output[:, self.extra_tokens :].transpose(1, 2).reshape(-1, self.channels, *self.grid)


def layout_of(
    module: nn.Module, output: object, images: int, size: tuple[int, int], conventions: Conventions
) -> Layout | str:
    """Tell how to read a layer's output for a batch of ``images`` of H x W ``size``; or why it is no map."""
    if not isinstance(output, torch.Tensor):
        return f"gives a {type(output).__name__}, not one tensor"
    shape = tuple(output.shape)
    found: Layout | str | None = None
    if output.is_floating_point() and output.shape[0] == images and 0 not in shape:
        if output.ndim == 4:
            found = _map_layout(shape, size, conventions.channels_last and not isinstance(module, _CHANNELS_FIRST))
        elif output.ndim == 3:
            found = _token_layout(shape, size, conventions.extra_tokens)
    wanted = f"that fits no grid of {size[0]} x {size[1]} pixels"
    return found or f"gives a tensor of shape {('B', *shape[1:]) if shape[:1] == (images,) else shape}: {wanted}"


def _map_layout(shape: Sequence[int], size: tuple[int, int], channels_last: bool) -> Layout | None:
    _, first, second, third = shape
    readings = [
        Layout(form="map", channels=first, grid=(second, third)),
        Layout(form="channels-last map", channels=third, grid=(first, second)),
    ]
    ordered = reversed(readings) if channels_last else readings
    return next((layout for layout in ordered if _is_grid(layout.grid, size)), None)


def _is_grid(grid: tuple[int, int], size: tuple[int, int]) -> bool:
    """Whether one stride explains both axes."""
    longest = [length / max(cells - _SLACK, 0.5) for cells, length in zip(grid, size, strict=True)]
    shortest = [length / (cells + _SLACK) for cells, length in zip(grid, size, strict=True)]
    return max(shortest) <= min(longest) and max(longest) >= 1


def _token_layout(shape: Sequence[int], size: tuple[int, int], extra_tokens: int) -> Layout | str | None:
    _, tokens, channels = shape
    for extra, rounded_up in product(dict.fromkeys((extra_tokens, 0)), (False, True)):
        grid = _grid_of(tokens - extra, size, rounded_up)
        if grid and not rounded_up and (size[0] % grid[0] or size[0] * grid[1] != size[1] * grid[0]):
            return (
                f"cuts {size[0]} x {size[1]} pixels into {grid[0]} x {grid[1]} patches and would not see what is left "
                "at the border. Change images.size (or images.crop) so that whole patches fill it"
            )
        if grid:
            return Layout(form="tokens", channels=channels, grid=grid, extra_tokens=extra)
    return None


def _grid_of(patches: int, size: tuple[int, int], rounded_up: bool) -> tuple[int, int] | None:
    """The only grid with so many cells that a whole stride makes of the image: both axes shrink as strides grow."""
    for stride in range(1, max(size) + 1 if patches > 0 else 1):
        h, w = ((length + (stride - 1) * rounded_up) // stride for length in size)
        if h * w == patches:
            return h, w
    return None
