"""Rows drawn at random: what any sampler has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from patchcore_plugin.samplers.how_many import HowMany, require_setting
from patchcore_plugin.samplers.stored_rows import row_count

if TYPE_CHECKING:
    from patchcore_plugin.arrays import Embeddings, Rows
    from patchcore_plugin.samplers.stored_rows import Stored


@dataclass(frozen=True, kw_only=True)
class RandomRows(HowMany):
    """Keep rows drawn without replacement, each as likely as any other; a smaller number gives a prefix."""

    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_setting(self.seed, "seed", least=0)

    def select(self, embeddings: Embeddings | Stored, memory: int | None = None) -> Rows:  # noqa: ARG002  see below
        """Choose rows of (N, D), in the order drawn.

        Cost: 8 bytes a row. Rows on the disk are not read: taking ``memory`` says that they may stay there.
        """
        total = row_count(embeddings)
        return np.random.default_rng(self.seed).permutation(total)[: self.how_many(total)].astype(np.int64)

    def least_memory(self, total: int, width: int) -> int:  # noqa: ARG002  rows of any width are only counted
        """Bytes that choosing takes beside the rows."""
        return 8 * total
