"""Euclidean distances between two sets of rows, by differences: a large common offset loses no digits."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from patchcore_reference.checks import require_queries, require_rows

_VALUES_AT_ONCE = 2**16  # a block of rows in float64 that stays in a processor's cache; no influence on the answer


def euclidean_distances(queries: npt.NDArray[Any], bank: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Measure every query against every bank row.

    The values are taken as they were given and converted to float64, without loss up to 53 bits. The expansion
    |q|^2 - 2 q.b + |b|^2 is not used: where features share a large mean it cancels, and loses the nearest row.

    Shapes: queries (Q, D), bank (M, D) -> float64 (Q, M).
    Units:  Euclidean distance, not squared, in the unit of the embeddings.
    Raises: WidthMismatchError when D differs; ShapeError, EmptyInputError (bank), NonFiniteError.
    Cost:   O(Q*M*D) time; the answer and one block of bank rows in memory.
    """
    require_rows(bank, "bank")
    require_queries(queries, bank)
    squares = np.empty((len(queries), len(bank)))
    for block in row_blocks(bank):
        rows = bank[block].astype(np.float64, order="C")
        for query, square in zip(queries, squares, strict=True):
            square[block] = squared_differences(rows, query)
    return np.sqrt(squares, out=squares)


def squared_differences(rows: npt.NDArray[np.float64], point: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Square the distance of each row to one point, in float64."""
    difference = rows - point.astype(np.float64)
    squares: npt.NDArray[np.float64] = np.einsum("nd,nd->n", difference, difference)
    return squares


def row_blocks(rows: npt.NDArray[Any]) -> list[slice]:
    """Cut rows into blocks whose float64 copies are small."""
    step = max(1, _VALUES_AT_ONCE // rows.shape[1])
    return [slice(start, start + step) for start in range(0, len(rows), step)]
