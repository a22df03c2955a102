"""Patch scores -> image score, beyond the single farthest patch: smoothed over the grid, averaged over a top share.

The paper's image score hangs on one patch (Eq. 6). A defect that is long and faint, as a crack, raises many patches a
little: smoothing lets neighbours speak together, and a share lets several places count. Both leave the order of Eq. 6
where they are 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from patchcore_reference.checks import require_finite, require_real
from patchcore_reference.errors import EmptyInputError, ShapeError


def pooled_scores(
    patch_scores: npt.NDArray[Any], *, top_share: float = 0.0, sigma: float = 0.0
) -> npt.NDArray[np.float64]:
    """Score images by the mean of their highest patch scores, after a Gaussian over the grid.

    Shapes: patch_scores (B, h, w) -> float64 (B,).
    Units:  those of the patch scores; sigma in patches, 0 for no smoothing. ``top_share`` of P = h*w patches counts as
            max(1, round(top_share * P)) of them; 0 is the highest one alone.
    Order:  one score per image; images do not influence each other. With both 0 it is s* of Eq. 6.
    Raises: ShapeError, EmptyInputError, NonFiniteError.
    Cost:   O(B*h*w*(sigma + 1)) time.
    """
    if patch_scores.ndim != 3:
        raise ShapeError(f"patch_scores has shape {patch_scores.shape}, but (images, h, w) is needed.")
    if patch_scores.size == 0:
        raise EmptyInputError("patch_scores is empty; at least one patch of one image is needed.")
    if isinstance(top_share, bool) or not 0 <= top_share <= 1:
        raise ShapeError(f"top_share is {top_share!r}, but a share of the patches, 0 to 1, is needed.")
    if isinstance(sigma, bool) or not 0 <= sigma < np.inf:
        raise ShapeError(f"sigma is {sigma!r}, but a width in patches, 0 or more, is needed.")
    require_real(patch_scores, "patch_scores")
    require_finite(patch_scores, "patch_scores")
    smooth = smoothed(patch_scores.astype(np.float64), sigma).reshape(len(patch_scores), -1)
    count = max(1, round(top_share * smooth.shape[1]))
    highest = np.partition(smooth, smooth.shape[1] - count, axis=1)[:, smooth.shape[1] - count :]
    pooled: npt.NDArray[np.float64] = highest.mean(axis=1)
    return pooled


def smoothed(patch_scores: npt.NDArray[np.float64], sigma: float) -> npt.NDArray[np.float64]:
    """Blur the last two axes; beyond the edge the grid is mirrored with its edge patch, so a constant stays one.

    Shapes: (..., h, w) -> the same.
    """
    if sigma == 0:
        return patch_scores
    return np.asarray(ndimage.gaussian_filter(patch_scores, sigma=sigma, axes=(-2, -1), mode="reflect"))
