"""Embeddings -> rows of the memory bank by the official code's approximation, which is not farthest-first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from patchcore_reference.checks import require_count, require_row_numbers, require_rows
from patchcore_reference.distances import row_blocks, squared_differences
from patchcore_reference.errors import EmptyInputError

if TYPE_CHECKING:
    from collections.abc import Callable

_CHOSEN = -1.0  # below every squared distance: a chosen row is not chosen again, even where all rows are equal


def anchored_rows(
    embeddings: npt.NDArray[Any],
    count: int,
    anchors: npt.NDArray[np.integer[Any]],
    progress: Callable[[int, int], None] | None = None,
) -> npt.NDArray[np.int64]:
    """Pick rows one by one, each with the largest of min(mean distance to the anchors, distance to rows picked).

    The mean distance stays to the end: no row ever counts as farther than that, however far from all picked rows it is.
    The anchors are no picked rows, and may be picked like any other.

    Shapes: embeddings (N, D), anchors (A,) -> int64 (count,), distinct also where rows are equal.
    Order:  of selection; equal ones by the lower row. A smaller count gives a prefix.
    Raises: TooFewRowsError unless 1 <= count <= N and the anchors are rows; ShapeError, EmptyInputError,
            NonFiniteError.
    Cost:   O(N*(count + A)*D) time, O(N) memory beyond the embeddings. ``progress`` hears (done, count) every 1 %.
    Source: amazon-science/patchcore-inspection, ``ApproximateGreedyCoresetSampler``.
    """
    squares = mean_distances(embeddings, anchors) ** 2
    require_count(count, len(embeddings), "count")
    rows = np.empty(count, dtype=np.int64)
    for done in range(count):
        rows[done] = np.argmax(squares)  # the first of equal maxima: the lower row
        for block in row_blocks(embeddings):
            reached = squared_differences(embeddings[block].astype(np.float64, order="C"), embeddings[rows[done]])
            np.minimum(squares[block], reached, out=squares[block])
        squares[rows[done]] = _CHOSEN
        if progress is not None and done % max(1, count // 100) == 0:
            progress(done, count)
    if progress is not None:
        progress(count, count)
    return rows


def mean_distances(embeddings: npt.NDArray[Any], anchors: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.float64]:
    """Measure each row's mean distance to the anchors, itself included where it is one.

    Shapes: embeddings (N, D), anchors (A,) row numbers -> float64 (N,).
    Units:  Euclidean distance, not squared, in the unit of the embeddings.
    Raises: as ``anchored_rows``.
    Cost:   O(N*A*D) time, O(N) memory beyond the embeddings.
    """
    require_rows(embeddings, "embeddings")
    require_row_numbers(anchors, len(embeddings), "anchors")
    if np.size(anchors) == 0:
        raise EmptyInputError("anchors are empty. At least one row number is needed.")
    total = np.zeros(len(embeddings))
    for anchor in np.atleast_1d(anchors):
        for block in row_blocks(embeddings):
            squares = squared_differences(embeddings[block].astype(np.float64, order="C"), embeddings[anchor])
            total[block] += np.sqrt(squares)
    return total / np.size(anchors)
