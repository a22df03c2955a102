"""A sampler that computes and answers in torch."""

from __future__ import annotations

from typing import Any

import torch

from patchcore_conformance.accepted.registry import accepted
from patchcore_conformance.model.sampler import Greedy


@accepted("sampler", "torch tensors, expanded squares", level="exact", arith="E1", prefix_stable=True)
class Tensors(Greedy):
    """Computes float32 distances of torch, by products once there are more than 25 rows, and answers a tensor."""

    def select(self, embeddings: Any) -> Any:
        """Choose rows of (N, D)."""
        rows = torch.as_tensor(self.checked(embeddings).astype("float32"))
        chosen = [int(torch.randint(len(rows), (1,), generator=torch.Generator().manual_seed(self.seed)))]
        near = torch.full((len(rows),), torch.inf)
        for _ in range(self.how_many(len(rows)) - 1):
            near = torch.minimum(near, torch.cdist(rows, rows[chosen[-1:]])[:, 0])
            near[chosen[-1]] = -1
            chosen.append(int(near.argmax()))
        return torch.tensor(chosen)
