"""The alphabet as types, the checks every part makes at its door, and the way in for arrays of other libraries."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from patchcore_plugin.errors import ShapeError

Pixels: TypeAlias = npt.NDArray[np.float32]  # (B, 3, H, W), normalised
FeatureMap: TypeAlias = npt.NDArray[np.float32]  # (B, C, H, W)
PatchGrid: TypeAlias = npt.NDArray[np.float32]  # (B, h, w, D)
Embeddings: TypeAlias = npt.NDArray[np.floating[Any]]  # (N, D), (M, D) or (Q, D)
Rows: TypeAlias = npt.NDArray[np.int64]  # row numbers
Distances: TypeAlias = npt.NDArray[np.floating[Any]]  # Euclidean, never squared


def as_numpy(array: Any, name: str = "array") -> npt.NDArray[Any]:
    """Take any array, without copying it where that is possible.

    Arrays on the host with ``__dlpack__`` (torch, JAX ...) share their memory; torch tensors on a GPU are copied to the
    host; lists are converted.

    Raises: ShapeError when the array lives on another device, has gradients, or is no array at all.
    """
    if isinstance(array, np.ndarray):
        return array
    try:
        if getattr(getattr(array, "device", None), "type", "cpu") != "cpu":  # so torch names its devices
            array = array.cpu()
        return np.from_dlpack(array) if hasattr(array, "__dlpack__") else np.asarray(array)
    except (BufferError, RuntimeError, TypeError, ValueError) as problem:
        raise ShapeError(
            f"{name} of type {type(array).__name__} cannot be read as a NumPy array: {problem}. "
            "Move it to the CPU, without gradients, first."
        ) from problem


def room_like(array: Any, shape: tuple[int, ...], dtype: Any = None) -> Any:
    """Allocate: a tensor on the device where a tensor is, of its type; else a NumPy array, of ``dtype`` or its type."""
    return array.new_empty(shape) if hasattr(array, "new_empty") else np.empty(shape, dtype or array.dtype)


def values_like(array: Any, values: Any) -> Any:
    """Bring values to where an array is: a tensor on its device and of its type, or a NumPy array of its type."""
    return array.new_tensor(values) if hasattr(array, "new_tensor") else np.asarray(values, array.dtype)
