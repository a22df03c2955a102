"""The reference's forward pass as an extractor: plain, slow, and what the fast ones are held to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.extractors.backbone_settings import BackboneSettings
from patchcore_reference.backbones import feature_maps, require_pixels

if TYPE_CHECKING:
    from patchcore_plugin.arrays import FeatureMap, Pixels


@dataclass(frozen=True, kw_only=True)
class NumpyCnn(BackboneSettings):
    """EfficientNet-Lite, ResNet or Wide-ResNet in NumPy alone."""

    def extract(self, pixels: Pixels) -> tuple[FeatureMap, ...]:
        """Return one map per layer, as ``FeatureExtractor`` promises; bad pixels are refused first."""
        images = as_numpy(pixels, "pixels")
        require_pixels(images)
        return feature_maps(images, self.loaded_weights().arrays, self.backbone, self.layers)
