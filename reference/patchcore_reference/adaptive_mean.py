"""Layers -> one embedding per patch by averages of runs of values: the scheme of the paper's public code.

A patch of C channels and p x p cells is a run of C*p*p numbers, channel by channel, each channel row by row. Averages
over equal parts of the run bring it to ``layer_width`` numbers, whatever C is. The layers' numbers, one layer after
another, are averaged the same way to ``width`` numbers.

That code cuts every layer into patches on its own grid (p*p times the memory), resizes each of the C*p*p planes to the
finest grid, and averages then. Here a plane is resized only after averaging. This is the same: write u[f, y, x] for
number f of the patch at (y, x), the average as sum_f A[i, f] u[f, y, x], and resizing as sum_yx R[Y, y] S[X, x]
u[f, y, x], with A, R, S that do not depend on u. Then both orders give sum_f sum_yx A[i, f] R[Y, y] S[X, x] u[f, y, x];
the sums are finite and may be swapped. Only rounding can differ.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from patchcore_reference.checks import require_whole
from patchcore_reference.embeddings import require_layers
from patchcore_reference.local_mean import require_patch
from patchcore_reference.resize import resize_bilinear

if TYPE_CHECKING:
    from collections.abc import Sequence


def adaptive_mean(
    maps: Sequence[npt.NDArray[Any]], patch_size: int = 3, layer_width: int = 1024, width: int = 1024
) -> npt.NDArray[np.float32]:
    """Summarise each patch of each layer by ``layer_width`` averages, and all its layers by ``width``.

    Shapes: maps (B, C_l, H_l, W_l), finest first -> float32 (B, h, w, width), (h, w) = (H_0, W_0).
    Units:  those of the maps. Cells beyond the edge count as zeros.
    Order:  patch (y, x) of image b at [b, y, x]; layers in the order given.
    Raises: ShapeError for a patch_size that is not odd, widths that are no whole numbers of 1 or more, maps that hold
            different numbers of images or a later layer that is finer than the first; EmptyInputError, NonFiniteError.
    Cost:   O(B*h*w*(C_l*patch_size**2 + layer_width)) time for each layer; one image in float64 at a time.
    Source: amazon-science/patchcore-inspection, the public code of Roth et al., CVPR 2022, arXiv:2106.08265:
            patchcore/patchcore.py (PatchMaker, _embed) and patchcore/common.py (MeanMapper, Preprocessing, Aggregator).
    """
    require_layers(maps)
    require_patch(patch_size, "zero")
    require_whole(layer_width, "layer_width")
    require_whole(width, "width")
    images, _, *grid = maps[0].shape
    embeddings = np.empty((images, *grid, width), dtype=np.float32)
    for embedding, *layers in zip(embeddings, *maps, strict=True):
        means = [resize_bilinear(_patch_means(layer, patch_size, layer_width), (grid[0], grid[1])) for layer in layers]
        embedding[...] = _mean_of_parts(np.concatenate(means), width).transpose(1, 2, 0)
    return embeddings


def parts(length: int, count: int) -> list[tuple[int, int]]:
    """Cut a run of ``length`` numbers into ``count`` parts, each as (start, stop).

    A part that would begin or end inside a number takes the whole number; so parts may share one at their borders, and
    there may be more parts than numbers.
    """
    return [(place * length // count, -(-(place + 1) * length // count)) for place in range(count)]


@lru_cache(maxsize=16)
def _averaging(length: int, count: int) -> sparse.csc_array:
    """The averages over ``parts`` as a (count, length) matrix: one row each, a share of the average each number."""
    starts, stops = np.transpose(parts(length, count))
    sizes = stops - starts
    numbers = np.concatenate([np.arange(start, stop) for start, stop in zip(starts, stops, strict=True)])
    ends = np.concatenate([[0], np.cumsum(sizes)])
    return sparse.csr_array((np.repeat(1 / sizes, sizes), numbers, ends), shape=(count, length)).tocsc()


def _patch_means(layer: npt.NDArray[Any], patch_size: int, count: int) -> npt.NDArray[np.float64]:
    """Average each patch of one image to ``count`` numbers: (C, H, W) -> (count, H, W), no patch ever laid out."""
    channels, height, width = layer.shape
    beyond = patch_size // 2
    padded = np.pad(layer.astype(np.float64), ((0, 0), (beyond, beyond), (beyond, beyond)))
    averaging = _averaging(channels * patch_size**2, count)
    means = np.zeros((count, height * width))
    for cell in range(patch_size**2):
        down, right = divmod(cell, patch_size)
        shifted = padded[:, down : down + height, right : right + width]
        means += averaging[:, cell :: patch_size**2] @ shifted.reshape(channels, -1)
    return means.reshape(count, height, width)


def _mean_of_parts(values: npt.NDArray[Any], count: int) -> npt.NDArray[np.float64]:
    """Average the first axis to ``count``: (n, H, W) -> (count, H, W)."""
    length, *grid = values.shape
    means: npt.NDArray[np.float64] = _averaging(length, count) @ values.reshape(length, -1)
    return means.reshape(count, *grid)
