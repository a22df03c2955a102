"""An aggregator of torch tensors: what comes out is read without importing torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from patchcore_conformance.accepted.registry import accepted
from patchcore_conformance.model.aggregator import LocalMean


@accepted("aggregator", "torch tensors", level="covariant", linear=True, channelwise=True, serialisable=True)
@dataclass(frozen=True, kw_only=True)
class TorchMean(LocalMean):
    """The model by torch's average pooling and interpolation, float32; the answer is a view with channels last."""

    def aggregate(self, maps: Any) -> Any:
        """Summarise and join."""
        layers = self.checked([np.asarray(layer) for layer in maps])
        half, inside = self.patch_size // 2, self.border == "zero"
        with torch.no_grad():
            pooled = [
                functional.avg_pool2d(
                    torch.tensor(np.ascontiguousarray(layer, dtype=np.float32)),
                    self.patch_size, stride=1, padding=half, count_include_pad=inside,
                )
                for layer in layers
            ]  # fmt: skip
            grid = tuple(pooled[0].shape[2:])
            joined = [functional.interpolate(one, size=grid, mode="bilinear", align_corners=False) for one in pooled]
            return torch.cat(joined, dim=1).permute(0, 2, 3, 1)
