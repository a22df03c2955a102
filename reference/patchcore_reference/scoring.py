"""Patch distances -> image score: the farthest patch (Eq. 6), re-weighted by its neighbourhood in the bank (Eq. 7).

Letters of the paper: m_test,* is the test patch whose nearest bank row is farthest away, m* that row, s* their
distance, N_b(m*) the b bank rows nearest to m*, which contain m* itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from patchcore_reference.checks import require_finite, require_queries, require_real, require_rows, require_whole
from patchcore_reference.distances import euclidean_distances
from patchcore_reference.errors import EmptyInputError, ShapeError
from patchcore_reference.neighbors import nearest_rows


def farthest_patch(distances: npt.NDArray[Any]) -> int:
    """Choose m_test,* of Eq. 6: the patch with the largest distance to its nearest bank row.

    Shapes: distances (P,) of one image -> number of the patch; equally far patches by the lower number.
    Raises: ShapeError, EmptyInputError, NonFiniteError.
    Source: Roth et al., CVPR 2022, arXiv:2106.08265, Eq. 6.
    """
    _require_distances(distances, "distances")
    return int(np.argmax(distances))


def reweighted(s_star: float, support_distances: npt.NDArray[Any]) -> float:
    """Scale s* by how well its neighbourhood is known: Eq. 7.

    s = (1 - exp(s*) / sum over m in N_b(m*) of exp |m_test,* - m|) s*. The exponents are shifted by the largest of
    them: the ratio stays the same and nothing overflows. One neighbor means no re-weighting; the formula would give 0.

    Shapes: support_distances (b,), from m_test,* (not from m*) to each row of N_b(m*) -> one score.
    Units:  Euclidean distance; (1 - 1/b) s* <= s <= s* whenever s* is the smallest of the support distances.
    Raises: ShapeError, EmptyInputError, NonFiniteError.
    Source: Roth et al., CVPR 2022, arXiv:2106.08265, Eq. 7.
    """
    _require_distances(support_distances, "support_distances")
    _require_distances(np.asarray([s_star]), "s_star")
    if len(support_distances) == 1:
        return float(s_star)
    exponents = support_distances.astype(np.float64)
    shift = max(float(exponents.max()), float(s_star))
    weight = 1.0 - np.exp(float(s_star) - shift) / np.exp(exponents - shift).sum()
    return float(weight * float(s_star))


def image_scores(embeddings: npt.NDArray[Any], bank: npt.NDArray[Any], neighbors: int = 1) -> npt.NDArray[np.float64]:
    """Score whole images: Eq. 6 and 7 for each image on its own.

    Shapes: embeddings (B, P, D), P patches an image, bank (M, D) -> float64 (B,).
    Units:  Euclidean distance, before and after re-weighting.
    Order:  one score per image; images do not influence each other. ``neighbors`` is b, cut to M; 1 means s* itself.
    Raises: WidthMismatchError when D differs; ShapeError, EmptyInputError, NonFiniteError.
    Cost:   O(B*P*M*D) time.
    Source: Roth et al., CVPR 2022, arXiv:2106.08265, Eq. 6 and 7.
    """
    if embeddings.ndim != 3:
        raise ShapeError(f"embeddings have shape {embeddings.shape}, but (images, patches, width) is needed.")
    require_rows(bank, "bank")
    require_whole(neighbors, "neighbors")
    images, patches, width = embeddings.shape
    require_queries(embeddings.reshape(images * patches, width), bank)
    return np.array([_image_score(image, bank, neighbors) for image in embeddings], dtype=np.float64)


def _image_score(patches: npt.NDArray[Any], bank: npt.NDArray[Any], neighbors: int) -> float:
    distances, rows = nearest_rows(patches, bank, k=1)
    patch = farthest_patch(distances[:, 0])
    s_star, nearest = distances[patch, 0], rows[patch]
    _, support = nearest_rows(bank[nearest], bank, k=min(neighbors, len(bank)))
    return reweighted(s_star, euclidean_distances(patches[patch : patch + 1], bank[support[0]])[0])


def _require_distances(distances: npt.NDArray[Any], name: str) -> None:
    if distances.ndim != 1:
        raise ShapeError(f"{name} has shape {distances.shape}, but a single axis is needed.")
    if len(distances) == 0:
        raise EmptyInputError(f"{name} is empty; at least one distance is needed.")
    require_real(distances, name)
    require_finite(distances, name)
