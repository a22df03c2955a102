"""Greedy coreset on a random projection, as the paper and anomalib pick it: farthest first, in fewer dimensions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Real
from typing import TYPE_CHECKING, Literal

from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.errors import ConfigError
from patchcore_plugin.samplers.how_many import HowMany, require_setting
from patchcore_plugin.samplers.pruned_greedy import PrunedGreedy
from patchcore_reference.checks import require_rows
from patchcore_reference.projection import johnson_lindenstrauss_width, random_projection, sparse_projection

if TYPE_CHECKING:
    from collections.abc import Callable

    from patchcore_plugin.arrays import Embeddings, Rows
    from patchcore_plugin.samplers.selection import Selection

_PROJECTIONS = {"sparse": sparse_projection, "gaussian": random_projection}


@dataclass(frozen=True, kw_only=True)
class ProjectedGreedy(HowMany):
    """Greedy k-center on a random projection: a random first row, then always the row farthest from those chosen.

    The projection has ``width`` values; where that is None, as many as keep all squared distances of N rows within a
    share ``eps`` (Johnson and Lindenstrauss: 296 values for 164,000 rows and 0.9). Rows that have no more values than
    that are picked on as they are, since projecting them would only add errors. ``"sparse"`` is anomalib's projection.
    """

    seed: int = 0
    projection: Literal["sparse", "gaussian"] = "sparse"
    eps: float = 0.9
    width: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_setting(self.seed, "seed", least=0)
        if self.projection not in _PROJECTIONS:
            raise ConfigError(f'sampler: projection is {self.projection!r}, but "sparse" or "gaussian" is needed.')
        if isinstance(self.eps, bool) or not isinstance(self.eps, Real) or not 0 < self.eps < 1:
            raise ConfigError(f"sampler: eps is {self.eps!r}, but a share above 0 and below 1 is needed, such as 0.9.")
        if self.width is not None:
            require_setting(self.width, "width", least=1)

    def select(self, embeddings: Embeddings, progress: Callable[[int, int], None] | None = None) -> Rows:
        """Choose rows of (N, D), farthest first on their projection; see ``select_with_report``."""
        return self.select_with_report(embeddings, progress=progress).rows

    def select_with_report(
        self, embeddings: Embeddings, *, progress: Callable[[int, int], None] | None = None
    ) -> Selection:
        """Choose rows, and tell how well they cover and what it took; radii are distances on the projection.

        Order:  of selection; equally far rows by the lower row. A smaller number gives a prefix.
        Cost:   O(N*D*width) time, and ``pruned-greedy`` on rows of ``width`` values, which N*width values of float32
                hold in memory beside the embeddings.
        Source: Roth et al., CVPR 2022, arXiv:2106.08265, Eq. 5 and Algorithm 1; anomalib 2.7, ``KCenterGreedy``.
        """
        rows = as_numpy(embeddings, "embeddings")
        require_rows(rows, "embeddings")
        self.how_many(len(rows))  # refused before the projection takes its time
        projected = self.project(rows)
        greedy = PrunedGreedy(keep=self.keep, count=self.count, seed=self.seed)
        found = greedy.select_with_report(projected, progress=progress)
        return replace(found, facts={"picked on": self._picked_on(rows, projected), **found.facts})

    def project(self, embeddings: Embeddings) -> Embeddings:
        """Return what is picked on: embeddings (N, D) -> float32 (N, width), or the rows themselves (see the class)."""
        rows = as_numpy(embeddings, "embeddings")
        require_rows(rows, "embeddings")
        width = johnson_lindenstrauss_width(len(rows), self.eps) if self.width is None else self.width
        if self.width is None and width >= rows.shape[1]:
            return rows
        return _PROJECTIONS[self.projection](rows, width, self.seed)

    def _picked_on(self, rows: Embeddings, projected: Embeddings) -> str:
        if projected is rows:
            return f"the {rows.shape[1]} values of each row: a projection for eps {self.eps:g} would have no fewer"
        return f"{projected.shape[1]} values, a {self.projection} projection of {rows.shape[1]}"
