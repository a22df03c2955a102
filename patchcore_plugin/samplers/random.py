"""Rows drawn at random: what any sampler has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.samplers.how_many import HowMany, require_setting
from patchcore_reference.checks import require_rows

if TYPE_CHECKING:
    from patchcore_plugin.arrays import Embeddings, Rows


@dataclass(frozen=True, kw_only=True)
class RandomRows(HowMany):
    """Keep rows drawn without replacement, each as likely as any other; a smaller number gives a prefix."""

    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_setting(self.seed, "seed", least=0)

    def select(self, embeddings: Embeddings) -> Rows:
        """Choose rows of (N, D), in the order drawn."""
        rows = as_numpy(embeddings, "embeddings")
        require_rows(rows, "embeddings")
        order = np.random.default_rng(self.seed).permutation(len(rows))
        return order[: self.how_many(len(rows))].astype(np.int64)
