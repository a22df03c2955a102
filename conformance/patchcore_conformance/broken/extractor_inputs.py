"""Extractors with one mistake each in how they take the pixels that come in."""

from __future__ import annotations

from typing import Any

import numpy as np

from patchcore_conformance.broken.registry import broken
from patchcore_conformance.model.extractor import ToyBackbone


@broken("extractor", "outliers cut off in place", caught_by=("X02",))
class CutsInPlace(ToyBackbone):
    def checked(self, pixels: Any) -> Any:
        pixels = super().checked(pixels)
        return np.clip(pixels, -6, 6, out=pixels if pixels.flags.writeable else None)


@broken("extractor", "NaN looked for in the beginning only", caught_by=("X08",))
class BriefLook(ToyBackbone):
    def checked(self, pixels: Any) -> Any:
        super().checked(np.nan_to_num(pixels))
        if not np.isfinite(pixels[:8]).all():
            raise ValueError("pixels hold NaN or infinity")
        return pixels
