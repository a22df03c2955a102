"""No thinning: the memory bank holds every patch of every training image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from patchcore_plugin.samplers.stored_rows import row_count

if TYPE_CHECKING:
    from patchcore_plugin.arrays import Embeddings, Rows
    from patchcore_plugin.samplers.stored_rows import Stored


@dataclass(frozen=True, kw_only=True)
class KeepAll:
    """Keep every row, in the order given."""

    def select(self, embeddings: Embeddings | Stored, memory: int | None = None) -> Rows:  # noqa: ARG002  see below
        """Choose every row of (N, D).

        Cost: 8 bytes a row. Rows on the disk are not read: taking ``memory`` says that they may stay there. The memory
              bank then holds them all, as ``how_many`` tells beforehand.
        """
        return np.arange(row_count(embeddings), dtype=np.int64)

    def how_many(self, total: int) -> int:
        """Number of rows to keep out of ``total``: every one."""
        return total
