"""Patch scores -> a map of the image's size: resize, then a Gaussian blur (Section 3.3)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from patchcore_reference.errors import ShapeError
from patchcore_reference.resize import resize_bilinear, resize_nearest

RESIZES = {"bilinear": resize_bilinear, "nearest": resize_nearest}
BORDERS = {"symmetric": "reflect", "reflect": "mirror"}  # NumPy's and torch's words -> SciPy's, which differ
_REACH = 4.0  # the Gaussian is cut off after so many sigmas: a kernel of 33 pixels at sigma 4


def anomaly_map(
    patch_scores: npt.NDArray[Any],
    size: tuple[int, int],
    sigma: float = 4.0,
    *,
    resize: str = "bilinear",
    border: str = "symmetric",
) -> npt.NDArray[np.float32]:
    """Spread patch scores over the pixels of an image.

    Beyond its edge the map is mirrored: ``border="symmetric"`` repeats the edge pixel (d c b a | a b c d), as the
    official code does, and ``"reflect"`` does not (d c b | a b c d), as anomalib does; the words are those of
    ``numpy.pad``. Either way a constant stays constant and no score bleeds away. Eq. 7 is not applied to maps.

    Shapes: patch_scores (h, w) or (B, h, w), size (H, W) -> float32 (H, W) or (B, H, W).
    Units:  those of the patch scores; sigma in pixels of ``size``, 0 for no blur. Values stay within the scores' range.
    Raises: ShapeError, EmptyInputError, NonFiniteError.
    Cost:   O(B*H*W*sigma) time.
    Source: Roth et al., CVPR 2022, arXiv:2106.08265, Section 3.3 (bilinear, sigma = 4); anomalib resizes by "nearest".
    """
    if patch_scores.ndim not in (2, 3):
        raise ShapeError(f"patch_scores has shape {patch_scores.shape}, but (h, w) or (images, h, w) is needed.")
    if isinstance(sigma, bool) or not 0 <= sigma < np.inf:
        raise ShapeError(f"sigma is {sigma!r}, but a width in pixels, 0 or more, is needed.")
    for name, word, known in (("resize", resize, RESIZES), ("border", border, BORDERS)):
        if word not in known:
            raise ShapeError(f"{name} is {word!r}, but one of {', '.join(map(repr, known))} is needed.")
    maps = RESIZES[resize](patch_scores, size)
    if sigma == 0:
        return maps
    blurred: npt.NDArray[np.float32] = ndimage.gaussian_filter(
        maps, sigma=sigma, axes=(-2, -1), mode=BORDERS[border], truncate=_REACH
    )
    return blurred
