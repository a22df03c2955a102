"""Embeddings -> rows of the memory bank: greedy k-center, also called farthest-first (Eq. 4 and 5, Algorithm 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from patchcore_reference.checks import require_count, require_row_numbers, require_rows, require_whole
from patchcore_reference.distances import row_blocks, squared_differences
from patchcore_reference.errors import ShapeError

if TYPE_CHECKING:
    from collections.abc import Callable

_CHOSEN = -1.0  # below every squared distance: a chosen row cannot be the farthest, even where all rows are equal


def rows_to_keep(total: int, keep: float) -> int:
    """Turn a fraction into a number of rows: max(1, round(keep * total)).

    Raises: ShapeError unless 0 < keep <= 1 and total is a whole number of 1 or more.
    """
    require_whole(total, "total")
    if isinstance(keep, bool) or not 0 < keep <= 1:
        raise ShapeError(f"keep is {keep!r}, but a fraction above 0 and at most 1 is needed, such as 0.01.")
    return max(1, round(keep * total))


def greedy_rows(
    embeddings: npt.NDArray[Any],
    count: int,
    first: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> npt.NDArray[np.int64]:
    """Pick rows one by one, each the farthest from those already picked.

    The chosen rows cover all others within at most twice the smallest radius that ``count`` rows can reach (Gonzalez).

    Shapes: embeddings (N, D) -> int64 (count,), distinct also where rows are equal.
    Order:  of selection, ``first`` at the head; equally far rows by the lower row. A smaller count gives a prefix.
    Raises: TooFewRowsError unless 1 <= count <= N and 0 <= first < N; ShapeError, EmptyInputError, NonFiniteError.
    Cost:   O(N*count*D) time, O(N) memory beyond the embeddings. ``progress`` hears (done, count) about every 1 %.
    Source: Roth et al., CVPR 2022, arXiv:2106.08265, Eq. 4 and Algorithm 1; Gonzalez, 1985.
    """
    require_rows(embeddings, "embeddings")
    require_count(count, len(embeddings), "count")
    require_row_numbers(first, len(embeddings), "first")
    rows = np.full(count, first, dtype=np.int64)
    squares = np.full(len(embeddings), np.inf)
    for done in range(1, count):
        _bring_closer(squares, embeddings, rows[done - 1])
        squares[rows[done - 1]] = _CHOSEN
        rows[done] = np.argmax(squares)  # the first of equal maxima: the lower row
        if progress is not None and done % max(1, count // 100) == 0:
            progress(done, count)
    if progress is not None:
        progress(count, count)
    return rows


def coverage_radii(embeddings: npt.NDArray[Any], rows: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.float64]:
    """Measure, after each choice, how far the farthest embedding is from the rows chosen so far.

    Shapes: embeddings (N, D), rows (M,) -> float64 (M,), never increasing.
    Units:  Euclidean distance, not squared, in the unit of the embeddings.
    Raises: ShapeError or TooFewRowsError when a row number does not exist; EmptyInputError, NonFiniteError.
    Cost:   O(N*M*D) time, O(N) memory beyond the embeddings.
    Source: Roth et al., CVPR 2022, arXiv:2106.08265, Eq. 4 (the quantity that is minimised).
    """
    require_rows(embeddings, "embeddings")
    require_row_numbers(rows, len(embeddings), "rows")
    squares = np.full(len(embeddings), np.inf)
    radii = np.empty(len(rows))
    for place, row in enumerate(rows):
        _bring_closer(squares, embeddings, row)
        radii[place] = np.sqrt(squares.max())
    return radii


def _bring_closer(squares: npt.NDArray[np.float64], embeddings: npt.NDArray[Any], row: int) -> None:
    """Lower each row's squared distance to the nearest chosen row, now that ``row`` is chosen too."""
    for block in row_blocks(embeddings):
        reached = squared_differences(embeddings[block].astype(np.float64, order="C"), embeddings[row])
        np.minimum(squares[block], reached, out=squares[block])
