"""Seeded random projections: psi of Section 3.2, used while picking the coreset and nowhere else.

Three kinds, one for each PatchCore: ``random_projection`` (normal numbers, the textbook's), ``sparse_projection``
(mostly zeros, anomalib's) and ``untrained_projection`` (an untrained linear layer, the official code's).
"""

from __future__ import annotations

from math import log, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from patchcore_reference.checks import require_rows, require_whole
from patchcore_reference.errors import ShapeError

if TYPE_CHECKING:
    from collections.abc import Callable

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
    return _projected(embeddings, width, seed, _gaussian)


def sparse_projection(embeddings: npt.NDArray[Any], width: int, seed: int) -> npt.NDArray[np.float32]:
    """Multiply each row with one matrix of mostly zeros, as anomalib's sampler does.

    Each number of the matrix is, independently, +v or -v with probability 1 / (2 sqrt(D)) each, else 0, where
    v = D^(1/4) / sqrt(width): a squared distance is kept on average.

    Shapes: embeddings (N, D) -> float32 (N, width).
    Units:  those of the embeddings.
    Order:  rows stay in place; the same seed, D and width give the same matrix.
    Raises: as ``random_projection``.
    Cost:   as ``random_projection``: the zeros are multiplied too.
    Source: Li, Hastie and Church, "Very Sparse Random Projections", KDD 2006; anomalib 2.7, ``SparseRandomProjection``.
    """
    return _projected(embeddings, width, seed, _sparse)


def untrained_projection(embeddings: npt.NDArray[Any], width: int, seed: int) -> npt.NDArray[np.float32]:
    """Multiply each row with the weights of an untrained linear layer, as the official code's samplers do.

    The weights are uniform between -1 / sqrt(D) and 1 / sqrt(D), so all distances shrink by about sqrt(width / 3D); a
    coreset does not see a factor common to all.

    Shapes: embeddings (N, D) -> float32 (N, width).
    Order:  rows stay in place; the same seed, D and width give the same matrix.
    Raises: as ``random_projection``.
    Cost:   as ``random_projection``.
    Source: amazon-science/patchcore-inspection, ``GreedyCoresetSampler`` (``torch.nn.Linear`` without bias).
    """
    return _projected(embeddings, width, seed, _uniform)


def johnson_lindenstrauss_width(rows: int, eps: float) -> int:
    """Return how many values keep all squared distances of N rows within a share ``eps``, with good odds.

    It is 4 ln N / (eps^2 / 2 - eps^3 / 3), cut to a whole number, and at least 1.

    Raises: ShapeError unless 0 < eps < 1 and rows is a whole number of 1 or more.
    Source: Dasgupta and Gupta, "An elementary proof of a theorem of Johnson and Lindenstrauss", 2003.
    """
    require_whole(rows, "rows")
    if isinstance(eps, bool) or not 0 < eps < 1:
        raise ShapeError(f"eps is {eps!r}, but a share above 0 and below 1 is needed, such as 0.9.")
    return max(1, int(4 * log(rows) / (eps**2 / 2 - eps**3 / 3)))


def _projected(
    embeddings: npt.NDArray[Any],
    width: int,
    seed: int,
    matrix_of: Callable[[np.random.Generator, int, int], npt.NDArray[np.float64]],
) -> npt.NDArray[np.float32]:
    require_rows(embeddings, "embeddings")
    require_whole(width, "width")
    matrix = matrix_of(np.random.default_rng(seed), embeddings.shape[1], width)
    projected = np.empty((len(embeddings), width), dtype=np.float32)
    for start in range(0, len(embeddings), _ROWS_AT_ONCE):
        block = slice(start, start + _ROWS_AT_ONCE)
        projected[block] = embeddings[block].astype(np.float64) @ matrix
    return projected


def _gaussian(random: np.random.Generator, values: int, width: int) -> npt.NDArray[np.float64]:
    return random.standard_normal((values, width)) / sqrt(width)


def _sparse(random: np.random.Generator, values: int, width: int) -> npt.NDArray[np.float64]:
    taken = random.random((values, width)) < 1 / sqrt(values)
    signs = 2.0 * random.integers(2, size=(values, width)) - 1
    matrix: npt.NDArray[np.float64] = signs * taken * (values**0.25 / sqrt(width))
    return matrix


def _uniform(random: np.random.Generator, values: int, width: int) -> npt.NDArray[np.float64]:
    return random.uniform(-1 / sqrt(values), 1 / sqrt(values), (values, width))
