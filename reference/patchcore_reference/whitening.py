"""Distances that count every direction alike, or more nearly so: rows times a matrix that evens out how they spread.

Features of a pretrained network spread very unevenly: a few directions, which good parts fill, hold most of the squared
length, and a defect may show in the others. Divided by their spread, all directions weigh the same (Mahalanobis);
by its square root, each keeps some of the weight that the network gave it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from patchcore_reference.checks import require_rows
from patchcore_reference.errors import ShapeError

SHRINKAGE = 0.1  # of the mean variance, added to each: directions that hardly vary are noise, and stay small


def whitening_matrix(rows: npt.NDArray[Any], strength: float, shrinkage: float = SHRINKAGE) -> npt.NDArray[np.float32]:
    """Find the symmetric matrix that evens out the variances of rows.

    With variances v along the principal axes U and their mean m it is U diag((v/m + shrinkage)^(-strength/2)) U^T:
    strength 0 changes nothing, 1 whitens.

    Shapes: rows (n, D), of which some ten thousand are enough -> float32 (D, D); a row r becomes r @ matrix.
    Units:  none: what varies as much as the mean keeps its length, but for the shrinkage.
    Raises: ShapeError, EmptyInputError, NonFiniteError; ShapeError for a strength outside 0..1 or a shrinkage not
            above 0.
    Cost:   O(n*D^2 + D^3) time, in float64.
    Source: Kessy, Lewin, Strimmer, The American Statistician 2018, arXiv:1512.00809 (ZCA), for strength 1; shrinkage as
            in Ledoit and Wolf, 2004.
    """
    require_rows(rows, "rows")
    if isinstance(strength, bool) or not 0 <= strength <= 1:
        raise ShapeError(f"strength is {strength!r}, but a number from 0 (as it is) to 1 (white) is needed.")
    if isinstance(shrinkage, bool) or not 0 < shrinkage < np.inf:
        raise ShapeError(f"shrinkage is {shrinkage!r}, but a number above 0 is needed.")
    centred = rows - rows.mean(axis=0, dtype=np.float64)
    variances, axes = np.linalg.eigh(centred.T @ centred / len(rows))
    mean = variances.mean()
    if not mean > 0:  # all rows are equal: there is nothing to even out
        return np.eye(rows.shape[1], dtype=np.float32)
    factors = (np.maximum(variances, 0) / mean + shrinkage) ** (-strength / 2)
    return np.ascontiguousarray((axes * factors) @ axes.T, dtype=np.float32)
