"""An extractor of torch tensors: what comes out is read without importing torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from patchcore_conformance.accepted.registry import accepted
from patchcore_conformance.model.extractor import TOY_FIELD, ToyBackbone


@accepted("extractor", "torch tensors", level="covariant", receptive_field=TOY_FIELD, serialisable=True)
@dataclass(frozen=True, kw_only=True)
class TorchToy(ToyBackbone):
    """The model's network by torch, float32, under inference mode."""

    def extract(self, pixels: Any) -> Any:
        """Turn pixels into tensors."""
        images = self.checked(np.asarray(pixels)).astype(np.float32)
        found, maps = torch.from_numpy(np.ascontiguousarray(images)), []
        with torch.inference_mode():
            for stage in range(max(self.kept) + 1):
                weight, bias = (torch.from_numpy(one.astype(np.float32)) for one in self.weights(stage))
                found = torch.nn.functional.conv2d(found, weight, bias, stride=self.steps[stage], padding=1).relu()
                maps.append(found)
        return tuple(maps[stage] for stage in self.kept)
