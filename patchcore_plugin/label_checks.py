"""Which images or pixels are bad: true or false, or 1 and 0, and both kinds there, or no figure can be computed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.errors import EmptyInputError, InputError


def checked_labels(labels: Any, name: str) -> npt.NDArray[np.bool_]:
    """Take labels or a mask as booleans, true for bad.

    Shapes: any -> the same, bool; the array that came in is never written to.
    Raises: EmptyInputError when there are none; InputError for anything but true, false, 1 and 0.
    """
    array = as_numpy(labels, name)
    if array.size == 0:
        raise EmptyInputError(f"{name}: there are none. Give at least one good and one bad.")
    if array.dtype != np.bool_ and (array.dtype.kind not in "iuf" or not np.isin(array, (0, 1)).all()):
        raise InputError(
            f"{name} must be true or 1 for bad and false or 0 for good, but other values came. Convert them."
        )
    return array.astype(np.bool_, copy=False)


def require_both(bad: int, good: int, what: str) -> None:
    """Refuse a comparison of good and bad where one of the two is missing."""
    if not bad or not good:
        raise InputError(
            f"{bad} bad and {good} good {what} came, but this figure compares the two and needs at least one of each. "
            f"Add {what} of the missing kind, or look at the scores alone."
        )
