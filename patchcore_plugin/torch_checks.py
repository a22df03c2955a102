"""The door of every torch part: what is refused before anything is computed, on whatever device the values are."""

from __future__ import annotations

import numpy as np
import torch

from patchcore_plugin.errors import EmptyInputError, NonFiniteError, ShapeError, WidthMismatchError


def wide(device: torch.device) -> torch.dtype:
    """Name the type in which a device sums without loss that matters: float64, or float32 where there is no other."""
    return torch.float32 if device.type == "mps" else torch.float64


def floats(tensor: torch.Tensor) -> torch.Tensor:
    """Convert to float32 what 24 bits hold, all else to float64 where the device has it."""
    narrow = tensor.element_size() <= (4 if tensor.is_floating_point() else 2)
    return tensor.to(torch.float32 if narrow else wide(tensor.device))


def require_rows(rows: torch.Tensor, name: str) -> None:
    """Refuse all but a finite, non-empty (rows, width) tensor."""
    shape = tuple(rows.shape)
    if len(shape) != 2:
        raise ShapeError(f"{name} has shape {shape}, but one row per embedding, (rows, width), is needed.")
    if 0 in shape:
        raise EmptyInputError(f"{name} is empty: its shape is {shape}. At least one row of one value is needed.")
    require_finite(rows, name)


def require_queries(queries: torch.Tensor, width: int) -> None:
    """Refuse queries that cannot be compared with bank rows of a width; no queries at all are fine."""
    shape = tuple(queries.shape)
    if len(shape) != 2:
        raise ShapeError(f"queries have shape {shape}, but one row per query, (rows, width), is needed.")
    if shape[1] != width:
        raise WidthMismatchError(
            f"each query has {shape[1]} values but each memory-bank row has {width}. "
            "Score with the settings the bank was built with, or fit again."
        )
    require_finite(queries, "queries")


def require_maps(maps: torch.Tensor, name: str) -> None:
    """Refuse all but a finite, non-empty (B, C, H, W) tensor."""
    shape = tuple(maps.shape)
    if len(shape) != 4:
        raise ShapeError(f"{name} has shape {shape}, but (images, channels, height, width) is needed.")
    if 0 in shape:
        raise EmptyInputError(f"{name} is empty: its shape is {shape}.")
    require_finite(maps, name)


def require_layers(maps: list[torch.Tensor]) -> None:
    """Refuse maps that cannot be joined on the grid of the first."""
    if not maps:
        raise EmptyInputError("there are no feature maps to join. Name at least one layer.")
    for number, layer in enumerate(maps):
        require_maps(layer, f"maps[{number}]")
        if len(layer) != len(maps[0]):
            raise ShapeError(f"maps[{number}] holds {len(layer)} image(s) but maps[0] holds {len(maps[0])}.")
        grid, finest = tuple(layer.shape[2:]), tuple(maps[0].shape[2:])
        if grid[0] > finest[0] or grid[1] > finest[1]:
            raise ShapeError(
                f"maps[{number}] has a grid of {grid}, finer than maps[0] with {finest}. Give the finest layer first."
            )


def require_finite(values: torch.Tensor, name: str) -> None:
    """Refuse NaN and infinity, and say where the first one is."""
    if not values.is_floating_point() or bool(torch.isfinite(values.sum(dtype=wide(values.device)))):
        return
    bad = (~torch.isfinite(values)).nonzero()
    if len(bad):
        place = ", ".join(str(index) for index in np.asarray(bad[0].cpu()))
        raise NonFiniteError(
            f"{name} has {len(bad)} value(s) that are NaN or infinite, the first at [{place}]. "
            "Repair or leave out what they were computed from."
        )
