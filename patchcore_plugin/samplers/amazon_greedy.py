"""The official code's sampler: greedy on an untrained projection, held down by a mean distance; not farthest-first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.samplers.how_many import HowMany, require_setting
from patchcore_reference.checks import require_rows
from patchcore_reference.numba_anchored import anchored_rows
from patchcore_reference.projection import untrained_projection

if TYPE_CHECKING:
    from collections.abc import Callable

    from patchcore_plugin.arrays import Embeddings, Rows


@dataclass(frozen=True, kw_only=True)
class AmazonGreedy(HowMany):
    """Always the row with the largest of min(mean distance to ``anchors`` random rows, distance to the rows chosen).

    Distances are measured on an untrained projection of ``width`` values; rows that have as many values already are
    taken as they are. Unlike the official code, a fraction counts as max(1, round(keep * N)), chosen rows are not
    chosen again where all others equal them, and distances are measured by differences.
    """

    seed: int = 0
    width: int = 128
    anchors: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (("seed", 0), ("width", 1), ("anchors", 1)):
            require_setting(getattr(self, name), name, least)

    def select(self, embeddings: Embeddings, progress: Callable[[int, int], None] | None = None) -> Rows:
        """Choose rows of (N, D); ``progress`` hears (done, count).

        Cost:   O(N*D*width) time, then at most O(N*M*width); N*width values of float32 beside the embeddings.
        Source: amazon-science/patchcore-inspection, ``ApproximateGreedyCoresetSampler``.
        """
        rows = as_numpy(embeddings, "embeddings")
        require_rows(rows, "embeddings")
        count = self.how_many(len(rows))
        return anchored_rows(self.project(rows), count, self.anchors_among(len(rows)), progress)

    def project(self, embeddings: Embeddings) -> Embeddings:
        """Return what is picked on: embeddings (N, D) -> (N, width), the rows themselves where D is ``width``."""
        rows = as_numpy(embeddings, "embeddings")
        return rows if rows.shape[1:] == (self.width,) else untrained_projection(rows, self.width, self.seed)

    def anchors_among(self, total: int) -> Rows:
        """Return the rows that the mean distance is measured to: ``anchors`` of them, or all where there are fewer."""
        return np.random.default_rng(self.seed).permutation(total)[: self.anchors].astype(np.int64)
