"""The aggregator of the paper's public code by torch: what adaptive-mean gives, without leaving the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from patchcore_plugin.aggregators.widths import Widths
from patchcore_plugin.torch_device import device_of
from patchcore_plugin.torch_layers import layers_on, resize_bilinear
from patchcore_reference.adaptive_mean import parts

if TYPE_CHECKING:
    from collections.abc import Sequence

_VALUES = 2**22  # of laid-out patches of a layer in memory at a time, or those of one image


@dataclass(frozen=True, kw_only=True)
class TorchAdaptiveMean(Widths):
    """Each layer's patch_size x patch_size patches averaged to ``layer_width`` values, all layers' to ``width``.

    Patches are laid out and averaged a few images at a time, on each layer's own grid, and the averages resized; see
    ``patchcore_reference.adaptive_mean`` for why that is the same.
    """

    device: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        device_of(self.device)

    def aggregate(self, maps: Sequence[Any]) -> torch.Tensor:
        """Summarise and join: maps (B, C_l, H_l, W_l), finest first -> (B, h, w, width) on the device.

        Raises: as ``layers_on``.
        """
        layers = layers_on(device_of(self.device), maps)
        images, _, height, width = layers[0].shape
        embeddings = layers[0].new_empty((images, height, width, self.width), dtype=torch.float32)
        step = max(1, _VALUES // max(layer[0].numel() * self.patch_size**2 for layer in layers))
        for some in (slice(start, start + step) for start in range(0, images, step)):
            means = [resize_bilinear(self._patch_means(layer[some]), (height, width)) for layer in layers]
            averages = _averages(torch.cat(means, dim=1).flatten(2), self.width)
            embeddings[some] = averages.mT.reshape(-1, height, width, self.width)
        return embeddings

    def _patch_means(self, layer: torch.Tensor) -> torch.Tensor:
        """Average each patch: (B, C, H, W) -> (B, layer_width, H, W)."""
        patches = torch.nn.functional.unfold(layer, self.patch_size, padding=self.patch_size // 2)
        return _averages(patches, self.layer_width).reshape(len(layer), -1, *layer.shape[2:])


def _averages(runs: torch.Tensor, count: int) -> torch.Tensor:
    """Average runs of numbers, each sum in the order of its run: (B, n, cells) -> (B, count, cells)."""
    starts, stops = torch.tensor(parts(runs.shape[1], count), device=runs.device).unbind(1)
    lengths = stops - starts
    sums = runs.index_select(1, starts)
    for step in range(1, -(-runs.shape[1] // count) + 1):
        numbers = (starts + step).clamp(max=runs.shape[1] - 1)
        sums.addcmul_(runs.index_select(1, numbers), (lengths > step).to(runs.dtype)[:, None])
    return sums / lengths.to(runs.dtype)[:, None]
