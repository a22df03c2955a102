"""The aggregator of the paper's public code: averages over runs of each patch's values, 1,024 for each embedding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from patchcore_plugin.aggregators.widths import Widths
from patchcore_plugin.arrays import as_numpy
from patchcore_reference.adaptive_mean import adaptive_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from patchcore_plugin.arrays import FeatureMap, PatchGrid


@dataclass(frozen=True, kw_only=True)
class AdaptiveMean(Widths):
    """Each layer's patch_size x patch_size patches averaged to ``layer_width`` values, all layers' to ``width``."""

    def aggregate(self, maps: Sequence[FeatureMap]) -> PatchGrid:
        """Summarise and join: maps (B, C_l, H_l, W_l), finest first -> (B, h, w, width)."""
        layers = [as_numpy(layer, f"maps[{number}]") for number, layer in enumerate(maps)]
        return adaptive_mean(layers, self.patch_size, self.layer_width, self.width)
