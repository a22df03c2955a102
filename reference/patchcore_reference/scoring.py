"""Patch distances -> image score: the farthest patch (Eq. 6), re-weighted by its neighbourhood in the bank (Eq. 7).

Letters of the paper: m_test,* is the test patch whose nearest bank row is farthest away, m* that row, s* their
distance, N_b(m*) the b bank rows nearest to m*, which contain m* itself.

The paper scores a patch by the distance to its nearest row. The official code goes two steps further: it averages over
k rows, and what it averages are squares. Both are options here; Eq. 7 weighs whatever score that gives.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from patchcore_reference.checks import require_finite, require_queries, require_real, require_rows, require_whole
from patchcore_reference.distances import euclidean_distances
from patchcore_reference.errors import EmptyInputError, ShapeError
from patchcore_reference.neighbors import nearest_rows

MEASURES = ("euclidean", "squared")  # what a patch score is made of


def patch_scores(distances: npt.NDArray[Any], distance: str = "euclidean") -> npt.NDArray[np.float64]:
    """Score patches by the distances to their k nearest bank rows: the mean of them, or of their squares.

    Shapes: distances (Q, k), Euclidean -> float64 (Q,). With k = 1 and "euclidean" these are the distances themselves.
    Units:  those of the embeddings for "euclidean", their square for "squared".
    Raises: ShapeError, EmptyInputError, NonFiniteError.
    Source: Roth et al., CVPR 2022, arXiv:2106.08265, Eq. 6 ("euclidean", k = 1); its official code ("squared", any k).
    """
    _require_measure(distance)
    if distances.ndim != 2:
        raise ShapeError(f"distances have shape {distances.shape}, but (queries, neighbors) is needed.")
    if distances.shape[1] == 0:
        raise EmptyInputError("distances are empty; at least one neighbor a query is needed.")
    require_real(distances, "distances")
    require_finite(distances, "distances")
    lengths = distances.astype(np.float64)
    scores: npt.NDArray[np.float64] = np.mean(lengths * lengths if distance == "squared" else lengths, axis=1)
    return scores


def farthest_patch(distances: npt.NDArray[Any]) -> int:
    """Choose m_test,* of Eq. 6: the patch with the largest distance to its nearest bank row, or the largest score.

    Shapes: distances (P,) of one image -> number of the patch; equally far patches by the lower number.
    Raises: ShapeError, EmptyInputError, NonFiniteError.
    Source: Roth et al., CVPR 2022, arXiv:2106.08265, Eq. 6.
    """
    _require_distances(distances, "distances")
    return int(np.argmax(distances))


def neighborhood_weight(s_star: float, support_distances: npt.NDArray[Any]) -> float:
    """Say how well the neighbourhood of m* is known: the factor of Eq. 7.

    w = 1 - exp(s*) / sum over m in N_b(m*) of exp |m_test,* - m|. The exponents are shifted by the largest of them:
    the ratio stays the same and nothing overflows. One neighbor means no re-weighting; the formula would give 0.

    Shapes: support_distances (b,), from m_test,* (not from m*) to each row of N_b(m*) -> one factor.
    Units:  distances are Euclidean; 1 - 1/b <= w <= 1 whenever s* is the smallest of the support distances.
    Raises: ShapeError, EmptyInputError, NonFiniteError.
    Source: Roth et al., CVPR 2022, arXiv:2106.08265, Eq. 7.
    """
    _require_distances(support_distances, "support_distances")
    _require_distances(np.asarray([s_star]), "s_star")
    if len(support_distances) == 1:
        return 1.0
    exponents = support_distances.astype(np.float64)
    shift = max(float(exponents.max()), float(s_star))
    return float(1.0 - np.exp(float(s_star) - shift) / np.exp(exponents - shift).sum())


def reweighted(s_star: float, support_distances: npt.NDArray[Any]) -> float:
    """Scale s* by how well its neighbourhood is known: s = w s* of Eq. 7, with w of ``neighborhood_weight``.

    Shapes: support_distances (b,), from m_test,* (not from m*) to each row of N_b(m*) -> one score.
    Units:  Euclidean distance; (1 - 1/b) s* <= s <= s* whenever s* is the smallest of the support distances.
    Raises: ShapeError, EmptyInputError, NonFiniteError.
    Source: Roth et al., CVPR 2022, arXiv:2106.08265, Eq. 7.
    """
    return neighborhood_weight(s_star, support_distances) * float(s_star)


def image_scores(
    embeddings: npt.NDArray[Any],
    bank: npt.NDArray[Any],
    neighbors: int = 1,
    *,
    patch_neighbors: int = 1,
    distance: str = "euclidean",
) -> npt.NDArray[np.float64]:
    """Score whole images: Eq. 6 and 7 for each image on its own.

    The weight of Eq. 7 is made of Euclidean distances, whatever the patch scores are: its exp needs a length, and no
    published code combines it with squares.

    Shapes: embeddings (B, P, D), P patches an image, bank (M, D) -> float64 (B,).
    Units:  those of ``patch_scores``, before and after re-weighting.
    Order:  one score per image; images do not influence each other. ``neighbors`` is b, cut to M; 1 means the largest
            patch score itself. ``patch_neighbors`` is k of the patch score and must not exceed M.
    Raises: WidthMismatchError when D differs; TooFewRowsError when ``patch_neighbors`` > M; ShapeError,
            EmptyInputError, NonFiniteError.
    Cost:   O(B*P*M*D) time.
    Source: Roth et al., CVPR 2022, arXiv:2106.08265, Eq. 6 and 7.
    """
    if embeddings.ndim != 3:
        raise ShapeError(f"embeddings have shape {embeddings.shape}, but (images, patches, width) is needed.")
    _require_measure(distance)
    require_rows(bank, "bank")
    require_whole(neighbors, "neighbors")
    images, patches, width = embeddings.shape
    require_queries(embeddings.reshape(images * patches, width), bank)
    scores = [_image_score(image, bank, neighbors, patch_neighbors, distance) for image in embeddings]
    return np.array(scores, dtype=np.float64)


def _image_score(patches: npt.NDArray[Any], bank: npt.NDArray[Any], neighbors: int, k: int, distance: str) -> float:
    distances, rows = nearest_rows(patches, bank, k=k)
    scores = patch_scores(distances, distance)
    patch = farthest_patch(scores)
    _, around = nearest_rows(bank[rows[patch, :1]], bank, k=min(neighbors, len(bank)))
    support = euclidean_distances(patches[patch : patch + 1], bank[around[0]])[0]
    return float(scores[patch]) * neighborhood_weight(distances[patch, 0], support)


def _require_measure(distance: str) -> None:
    if distance not in MEASURES:
        raise ShapeError(f"distance is {distance!r}, but one of {', '.join(map(repr, MEASURES))} is needed.")


def _require_distances(distances: npt.NDArray[Any], name: str) -> None:
    if distances.ndim != 1:
        raise ShapeError(f"{name} has shape {distances.shape}, but a single axis is needed.")
    if len(distances) == 0:
        raise EmptyInputError(f"{name} is empty; at least one distance is needed.")
    require_real(distances, name)
    require_finite(distances, name)
