"""A memory bank of plain rows: what hosts of tabular data need besides images, and nothing of any host."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_plugin import components
from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.errors import ConfigError, TooFewRowsError
from patchcore_plugin.hosts.named_parts import sampler_options
from patchcore_plugin.hosts.other_rows import first_of_others
from patchcore_plugin.spelling import did_you_mean, listed
from patchcore_reference.checks import require_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    from patchcore_plugin.arrays import Distances, Embeddings, Rows
    from patchcore_plugin.contracts import CoresetSampler, NeighborIndex, NeighborSearch

METHODS: dict[str, Callable[..., Any]] = {"mean": np.mean, "largest": np.max, "median": np.median}
USUAL_RATIO = 0.1  # tables have far fewer rows than images have patches


class RowBank:
    """Rows chosen from those fitted, and how far others are from them.

    Shapes: rows float (M, D); ``chosen`` int64 (M,), each one's number among the rows fitted.

    The search index is built when it is first needed and left out when the bank is pickled: indexes of some libraries
    hold memory of a device, or cannot be pickled at all.
    """

    def __init__(self, rows: Embeddings, chosen: Rows, neighbors: NeighborSearch, k: int, method: str) -> None:
        self.rows, self.chosen = rows, chosen
        self.neighbors, self.k, self.method = neighbors, k, method

    @classmethod
    def of(
        cls, rows: Embeddings, parts: tuple[CoresetSampler, NeighborSearch], *, k: int, method: str, apart: bool
    ) -> RowBank:
        """Choose from rows (N, D). ``k`` becomes the number of rows there are to compare with, where that is smaller.

        Args:   apart: each row will also be compared with the others alone, so one row fewer is there.
        Raises: ConfigError for a k or a method that cannot be; TooFewRowsError when no row is there to compare with.
        """
        require_whole(k, "n_neighbors", least=1)
        if method not in METHODS:
            raise ConfigError(
                f"method is {method!r}, but one of {listed(METHODS)} is needed.{did_you_mean(str(method), METHODS)}"
            )
        sampler, neighbors = parts
        chosen = as_numpy(sampler.select(rows), "chosen rows").astype(np.int64)
        if len(chosen) <= apart:
            raise TooFewRowsError(
                f"the memory bank has {len(chosen)} row (n_samples = {len(rows)}), but a row is scored by others than "
                "itself, so 2 are needed. Fit on more rows, or keep more of them."
            )
        return cls(np.asarray(rows)[chosen], chosen, neighbors, min(k, len(chosen) - apart), method)

    @cached_property
    def index(self) -> NeighborIndex:
        """The rows, ready to be asked."""
        return self.neighbors.build(self.rows)

    def scores(self, queries: Embeddings) -> npt.NDArray[np.float64]:
        """Score rows (Q, D) by their distances to the nearest k: higher is more anomalous."""
        distances, _ = self.index.query(queries, k=self.k)
        return self._joined(as_numpy(distances, "distances"))

    def scores_without_self(self, fitted: Embeddings) -> npt.NDArray[np.float64]:
        """Score the rows that were fitted, (N, D) in their order, each by rows other than itself."""
        distances, rows = (as_numpy(found) for found in self.index.query(fitted, k=self.k + 1))
        own = self.chosen[rows] == np.arange(len(fitted))[:, None]
        return self._joined(first_of_others(distances, rows, own, self.k)[0])

    def _joined(self, distances: Distances) -> npt.NDArray[np.float64]:
        scores: npt.NDArray[np.float64] = METHODS[self.method](distances.astype(np.float64), axis=1)
        return scores

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "index"}


def row_parts(asked: Mapping[str, Any], seed: int) -> tuple[CoresetSampler, NeighborSearch]:
    """Create the sampler and the search that an estimator's parameters name; see ``named_parts``."""
    options = sampler_options(
        asked["sampler"], asked["sampler_options"], asked["coreset_ratio"], seed, usual=USUAL_RATIO
    )
    return (
        components.create("sampler", asked["sampler"], **options),
        components.create("neighbors", asked["neighbors"], **dict(asked["neighbors_options"] or {})),
    )
