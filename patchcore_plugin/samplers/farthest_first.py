"""What the greedy samplers share: the settings, the first row, and the projection of Eq. 5 before the picking."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.samplers.how_many import HowMany, require_setting
from patchcore_reference.checks import require_rows
from patchcore_reference.projection import random_projection

if TYPE_CHECKING:
    from collections.abc import Callable

    from patchcore_plugin.arrays import Embeddings, Rows


@dataclass(frozen=True, kw_only=True)
class FarthestFirst(HowMany, ABC):
    """Greedy k-center: a random first row, then always the row farthest from those chosen.

    ``projection_width`` picks on a random projection of that many values, as the paper does to save time; None picks on
    the embeddings themselves and is exact.
    """

    seed: int = 0
    projection_width: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_setting(self.seed, "seed", least=0)
        if self.projection_width is not None:
            require_setting(self.projection_width, "projection_width", least=1)

    def select(self, embeddings: Embeddings, progress: Callable[[int, int], None] | None = None) -> Rows:
        """Choose rows of (N, D), farthest first; ``progress`` hears (done, count) about every 1 %."""
        rows = as_numpy(embeddings, "embeddings")
        require_rows(rows, "embeddings")
        count = self.how_many(len(rows))
        first = int(np.random.default_rng(self.seed).integers(len(rows)))
        if self.projection_width is not None:
            rows = random_projection(rows, self.projection_width, self.seed)
        return self._pick(rows, count, first, progress)

    @abstractmethod
    def _pick(self, rows: Embeddings, count: int, first: int, progress: Callable[[int, int], None] | None) -> Rows: ...
