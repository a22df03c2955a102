"""The paper's aggregator: the mean over each patch's neighbourhood, layers laid side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.errors import ConfigError, ShapeError
from patchcore_reference.embeddings import join_layers, require_weights
from patchcore_reference.local_mean import Border, local_mean, require_patch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from patchcore_plugin.arrays import FeatureMap, PatchGrid


@dataclass(frozen=True, kw_only=True)
class LocalMean:
    """Mean over patch_size x patch_size cells of each layer, then all layers on the finest layer's grid.

    ``border`` says what lies beyond the edge: "zero" counts zeros, as both public implementations do; "valid" counts
    only the cells that exist. ``layer_weights`` multiplies each layer, finest first, so that it counts more or less; ()
    leaves them as they are.
    """

    patch_size: int = 3
    border: Border = "zero"
    layer_weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        try:
            require_patch(self.patch_size, self.border)
            require_weights(self.layer_weights)
        except ShapeError as problem:
            raise ConfigError(f"aggregator local-mean: {problem}") from None

    def aggregate(self, maps: Sequence[FeatureMap]) -> PatchGrid:
        """Summarise and join: maps (B, C_l, H_l, W_l), finest first -> (B, h, w, D)."""
        layers = [as_numpy(layer, f"maps[{number}]") for number, layer in enumerate(maps)]
        return join_layers([local_mean(layer, self.patch_size, self.border) for layer in layers], self.layer_weights)
