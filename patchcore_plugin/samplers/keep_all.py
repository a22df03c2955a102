"""No thinning: the memory bank holds every patch of every training image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from patchcore_plugin.arrays import as_numpy
from patchcore_reference.checks import require_rows

if TYPE_CHECKING:
    from patchcore_plugin.arrays import Embeddings, Rows


@dataclass(frozen=True, kw_only=True)
class KeepAll:
    """Keep every row, in the order given."""

    def select(self, embeddings: Embeddings) -> Rows:
        """Choose every row of (N, D)."""
        rows = as_numpy(embeddings, "embeddings")
        require_rows(rows, "embeddings")
        return np.arange(len(rows), dtype=np.int64)
