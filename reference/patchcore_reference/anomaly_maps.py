"""Patch scores -> a map of the image's size: bilinear resize, then a Gaussian blur (Section 3.3)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from patchcore_reference.errors import ShapeError
from patchcore_reference.resize import resize_bilinear

_REACH = 4.0  # the Gaussian is cut off after so many sigmas: a kernel of 33 pixels at sigma 4


def anomaly_map(patch_scores: npt.NDArray[Any], size: tuple[int, int], sigma: float = 4.0) -> npt.NDArray[np.float32]:
    """Spread patch scores over the pixels of an image.

    Beyond its edge the map is mirrored with the edge pixel repeated (SciPy's "reflect", as in the official code): a
    constant stays constant and no score bleeds away. Eq. 7 is not applied to maps.

    Shapes: patch_scores (h, w) or (B, h, w), size (H, W) -> float32 (H, W) or (B, H, W).
    Units:  those of the patch scores; sigma in pixels of ``size``, 0 for no blur. Values stay within the scores' range.
    Raises: ShapeError, EmptyInputError, NonFiniteError.
    Cost:   O(B*H*W*sigma) time.
    Source: Roth et al., CVPR 2022, arXiv:2106.08265, Section 3.3 (bilinear, sigma = 4).
    """
    if patch_scores.ndim not in (2, 3):
        raise ShapeError(f"patch_scores has shape {patch_scores.shape}, but (h, w) or (images, h, w) is needed.")
    if isinstance(sigma, bool) or not 0 <= sigma < np.inf:
        raise ShapeError(f"sigma is {sigma!r}, but a width in pixels, 0 or more, is needed.")
    maps = resize_bilinear(patch_scores, size)
    if sigma == 0:
        return maps
    blurred: npt.NDArray[np.float32] = ndimage.gaussian_filter(
        maps, sigma=sigma, axes=(-2, -1), mode="reflect", truncate=_REACH
    )
    return blurred
