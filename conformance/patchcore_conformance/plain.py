"""Answers of any library as NumPy arrays, without importing that library."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from patchcore_conformance.violation import Violation


def plain(array: Any, name: str = "the answer") -> npt.NDArray[Any]:
    """Return an array that can be judged: NumPy as it is, tensors copied to the host.

    Raises: Violation when it is no array at all: parts answer arrays, not lists.
    """
    if isinstance(array, np.ndarray):
        return array
    if hasattr(array, "detach"):
        array = array.detach().cpu()
    if not hasattr(array, "__dlpack__"):
        raise Violation(f"{name} is of type {type(array).__name__}, but an array is needed.")
    try:
        return np.from_dlpack(array)
    except (BufferError, RuntimeError, TypeError, ValueError) as problem:
        raise Violation(f"{name} of type {type(array).__name__} cannot be read as an array: {problem}.") from problem


def doubles(array: Any, name: str = "the answer") -> npt.NDArray[np.float64]:
    """Return an answer as float64, in which every float16 and float32 is exact."""
    return plain(array, name).astype(np.float64)
