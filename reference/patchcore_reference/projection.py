"""Seeded random projection: psi of Section 3.2, used while picking the coreset and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from patchcore_reference.checks import require_rows, require_whole

_ROWS_AT_ONCE = 8192  # bounds the float64 scratch memory; the answer does not depend on it


def random_projection(embeddings: npt.NDArray[Any], width: int, seed: int) -> npt.NDArray[np.float32]:
    """Multiply each row with one Gaussian matrix, so that distances stay about the same in fewer dimensions.

    The matrix holds independent normal numbers of variance 1 / width: a squared distance is kept on average, with a
    relative spread of about sqrt(2 / width).

    Shapes: embeddings (N, D) -> float32 (N, width).
    Units:  those of the embeddings.
    Order:  rows stay in place; the same seed, D and width give the same matrix.
    Raises: ShapeError when width is no whole number above zero, and what ``require_rows`` refuses.
    Cost:   O(N*D*width) time; D*width values and one block of rows in float64.
    Source: Roth et al., CVPR 2022, arXiv:2106.08265, Section 3.2 (Johnson-Lindenstrauss).
    """
    require_rows(embeddings, "embeddings")
    require_whole(width, "width")
    matrix = np.random.default_rng(seed).standard_normal((embeddings.shape[1], width)) / np.sqrt(width)
    projected = np.empty((len(embeddings), width), dtype=np.float32)
    for start in range(0, len(embeddings), _ROWS_AT_ONCE):
        block = slice(start, start + _ROWS_AT_ONCE)
        projected[block] = embeddings[block].astype(np.float64) @ matrix
    return projected
