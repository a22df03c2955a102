"""Compiled twin of ``anchored_coreset``: same name, signature and refusals; arithmetic as in ``numba_kernels``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from patchcore_reference.anchored_coreset import mean_distances
from patchcore_reference.checks import require_count
from patchcore_reference.numba_kernels import Farthest, ready

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt


def anchored_rows(
    embeddings: npt.NDArray[Any],
    count: int,
    anchors: npt.NDArray[np.integer[Any]],
    progress: Callable[[int, int], None] | None = None,
) -> npt.NDArray[np.int64]:
    """Pick rows as ``anchored_coreset.anchored_rows`` does, without measuring most of the pairs.

    The mean distance to the anchors is what is known of a row before anything is picked; from there on it is the
    picking of ``numba_kernels.greedy_rows``.

    Cost:   at most O(N*(count + A)*D) time; count*D values and O(N) memory.
    """
    start = mean_distances(embeddings, anchors)
    require_count(count, len(embeddings), "count")
    return Farthest(ready(embeddings), count, start**2).pick_all(progress)
