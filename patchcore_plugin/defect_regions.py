"""A mask taken apart into its defects, so that a small one can weigh as much as a large one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

_TOUCHING = np.ones((3, 3), dtype=bool)  # pixels that touch at a corner only belong together too


class Regions(NamedTuple):
    """The regions of one mask: what each of their pixels weighs, how many were seen, and how many nowhere."""

    shares: npt.NDArray[np.float64]
    seen: int
    unseen: int


def regions_of(mask: npt.NDArray[np.bool_], seen: npt.NDArray[np.bool_]) -> Regions:
    """Weigh each defect pixel by what it is of its region, so that the seen pixels of every region weigh 1 together.

    A region is one even where a strip that nobody saw runs through it.

    Shapes: mask, seen (H, W) -> shares (n,), of the n pixels of ``mask & seen``, row by row.
    Source: Bergmann et al., "The MVTec Anomaly Detection Dataset", IJCV 129, 2021 (connected components).
    """
    if not mask.any():
        return Regions(np.empty(0), 0, 0)
    numbers, count = ndimage.label(mask, structure=_TOUCHING)
    region = numbers[mask & seen] - 1
    sizes = np.bincount(region, minlength=count)
    return Regions(1.0 / sizes[region], int(np.count_nonzero(sizes)), int(np.count_nonzero(sizes == 0)))
