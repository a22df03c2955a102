"""The operations that backbones are made of: convolution with batch norm and activation, and the maximum of windows.

Plain means throughout: a convolution gathers each window into a column and multiplies once by the weights; a depthwise
one adds up shifted copies of the image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from patchcore_reference.errors import InputError
from patchcore_reference.network_plan import length_after, pads

if TYPE_CHECKING:
    from patchcore_reference.network_plan import Activation, Padding

Array: TypeAlias = npt.NDArray[np.float32]


def fold_batch_norm(
    weight: npt.NDArray[Any],
    gamma: npt.NDArray[Any],
    beta: npt.NDArray[Any],
    mean: npt.NDArray[Any],
    variance: npt.NDArray[Any],
    eps: float,
) -> tuple[Array, Array]:
    """Merge a batch norm with fixed statistics into the convolution before it.

    Shapes: weight (O, I, k, k), the others (O,) -> weight (O, I, k, k) and bias (O,), float32; computed in float64.
    Raises: InputError when a variance is negative.
    Source: Ioffe and Szegedy, ICML 2015, arXiv:1502.03167, Algorithm 2.
    """
    if (variance < 0).any():
        raise InputError(f"a batch norm's variance is negative ({variance.min()}). Take undamaged weights.")
    scale = gamma.astype(np.float64) / np.sqrt(variance.astype(np.float64) + eps)
    folded = weight * scale[:, None, None, None]
    return folded.astype(np.float32), (beta - mean * scale).astype(np.float32)


def convolve(
    maps: Array, weight: Array, bias: Array, *, stride: int = 1, padding: Padding = "symmetric", depthwise: bool = False
) -> Array:
    """Slide the weights over zero-padded maps (cross-correlation, as all deep-learning libraries do).

    Shapes: maps (B, I, H, W), weight (O, I, k, k) or, depthwise, (I, 1, k, k), bias (O,) -> (B, O, H', W').
    Cost:   B*O*I*k*k*H'*W' multiplications; the columns of one image, I*k*k*H'*W' values, at a time in memory.
    """
    kernel = weight.shape[-1]
    if kernel == 1 and not depthwise:
        columns = maps[:, :, ::stride, ::stride]
        return _matrix_product(columns, weight, bias)
    windows = shifted_windows(maps, kernel, stride, padding, fill=0.0)
    if depthwise:
        summed = bias[:, None, None] + windows[0] * weight[:, 0, 0, 0, None, None]
        for window, values in zip(windows[1:], weight.reshape(len(weight), -1).T[1:], strict=True):
            summed += window * values[:, None, None]
        return summed
    products = [
        _matrix_product(np.stack([window[i] for window in windows], axis=1)[None], weight, bias)
        for i in range(len(maps))
    ]
    return np.concatenate(products)


def _matrix_product(columns: npt.NDArray[np.float32], weight: Array, bias: Array) -> Array:
    """Multiply each pixel's column by the weights: columns (B, ..., H', W') -> (B, O, H', W')."""
    height, width = columns.shape[-2:]
    flat = columns.reshape(len(columns), -1, height * width)
    product: Array = np.matmul(weight.reshape(len(weight), -1), flat)
    product += bias[:, None]
    return product.reshape(len(columns), len(weight), height, width)


def shifted_windows(maps: Array, kernel: int, stride: int, padding: Padding, *, fill: float) -> list[Array]:
    """Views of the padded maps, one per place in the window, row by row: each is (B, C, H', W')."""
    height, width = (length_after(length, kernel, stride, padding) for length in maps.shape[-2:])
    around = [pads(length, kernel, stride, padding) for length in maps.shape[-2:]]
    padded = np.pad(maps, [(0, 0), (0, 0), *around], constant_values=fill)
    return [
        padded[:, :, top : top + stride * (height - 1) + 1 : stride, left : left + stride * (width - 1) + 1 : stride]
        for top in range(kernel)
        for left in range(kernel)
    ]


def max_pool(maps: Array, kernel: int, stride: int, padding: Padding) -> Array:
    """The largest value of each window; padding never wins.

    Shapes: (B, C, H, W) -> (B, C, H', W').
    """
    first, *others = shifted_windows(maps, kernel, stride, padding, fill=-np.inf)
    largest = first.copy()
    for window in others:
        np.maximum(largest, window, out=largest)
    return largest


def activate(maps: Array, activation: Activation) -> Array:
    """Cut off below 0 ("relu"), and above 6 as well ("relu6"), in place: the caller has just made the array."""
    if activation != "none":
        np.maximum(maps, 0, out=maps)
    if activation == "relu6":
        np.minimum(maps, 6, out=maps)
    return maps
