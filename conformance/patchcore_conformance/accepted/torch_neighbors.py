"""A search that is right and answers torch tensors."""

from __future__ import annotations

from typing import Any

import torch

from patchcore_conformance.accepted.registry import accepted
from patchcore_conformance.model.neighbors import Exact


@accepted("neighbors", "answers tensors", level="exact", arith="E0", dtype="float64")
class Tensors(Exact):
    """Answers tensors, distances in float32."""

    def answer(self, distances: Any, rows: Any) -> Any:
        return torch.from_numpy(distances).float(), torch.from_numpy(rows).int()
