"""The k nearest rows of the memory bank: the inner minimum of Eq. 6, and N_b of Eq. 7."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from patchcore_reference.checks import require_count, require_queries, require_rows
from patchcore_reference.distances import euclidean_distances

_QUERIES_AT_ONCE = 64  # bounds the distances held at one time; no influence on the answer


def nearest_rows(
    queries: npt.NDArray[Any], bank: npt.NDArray[Any], k: int = 1
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Find the k bank rows nearest to each query.

    Shapes: queries (Q, D), bank (M, D) -> distances float64 (Q, k), rows int64 (Q, k); Q may be 0.
    Units:  Euclidean distance, not squared, in the unit of the embeddings.
    Order:  nearest first; equal distances by the lower row.
    Raises: WidthMismatchError when D differs; TooFewRowsError unless 1 <= k <= M; ShapeError, EmptyInputError,
            NonFiniteError.
    Cost:   O(Q*M*(D + log M)) time; the distances of 64 queries in memory.
    Source: Roth et al., CVPR 2022, arXiv:2106.08265, Eq. 6 and 7.
    """
    require_rows(bank, "bank")
    require_queries(queries, bank)
    require_count(k, len(bank), "k")
    distances = np.empty((len(queries), k))
    rows = np.empty((len(queries), k), dtype=np.int64)
    for start in range(0, len(queries), _QUERIES_AT_ONCE):
        block = slice(start, start + _QUERIES_AT_ONCE)
        measured = euclidean_distances(queries[block], bank)
        rows[block] = np.argsort(measured, axis=1, kind="stable")[:, :k]  # stable: the lower of two equal rows first
        distances[block] = np.take_along_axis(measured, rows[block], axis=1)
    return distances, rows
