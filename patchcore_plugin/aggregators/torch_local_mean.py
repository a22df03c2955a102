"""The paper's aggregator by torch: what local-mean gives, without leaving the device of the maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from patchcore_plugin.errors import ConfigError, ShapeError
from patchcore_plugin.torch_device import device_of
from patchcore_plugin.torch_layers import layers_on, side_by_side
from patchcore_reference.embeddings import require_weights
from patchcore_reference.local_mean import Border, require_patch

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, kw_only=True)
class TorchLocalMean:
    """Mean over patch_size x patch_size cells of each layer, then all layers on the finest layer's grid.

    ``border`` says what lies beyond the edge: "zero" counts zeros, as both public implementations do; "valid" counts
    only the cells that exist. ``layer_weights`` multiplies each layer, finest first, so that it counts more or less; ()
    leaves them as they are. ``device`` is where it is computed and where the answer stays.
    """

    patch_size: int = 3
    border: Border = "zero"
    layer_weights: tuple[float, ...] = ()
    device: str = "auto"

    def __post_init__(self) -> None:
        try:
            require_patch(self.patch_size, self.border)
            require_weights(self.layer_weights)
        except ShapeError as problem:
            raise ConfigError(f"aggregator torch-local-mean: {problem}") from None
        device_of(self.device)

    def aggregate(self, maps: Sequence[Any]) -> torch.Tensor:
        """Summarise and join: maps (B, C_l, H_l, W_l), finest first -> (B, h, w, D) on the device.

        Raises: as ``layers_on``.
        """
        layers = layers_on(device_of(self.device), maps)
        return side_by_side([self._means(layer) for layer in layers], self.layer_weights)

    def _means(self, layer: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(
            layer, self.patch_size, stride=1, padding=self.patch_size // 2, count_include_pad=self.border == "zero"
        )
