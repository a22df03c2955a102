"""The same values laid out in memory in every way that NumPy has: no part may read past the strides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from patchcore_conformance.drivers.driver import Array

_GARBAGE = 777.0  # what a part sees that reads memory without its strides


def every_other(array: Array) -> Array:
    """Return a view of every other value of the last axis."""
    wide = np.full((*array.shape[:-1], 2 * array.shape[-1]), _GARBAGE, array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


def every_third_row(array: Array) -> Array:
    """Return a view of every third entry of the first axis."""
    tall = np.full((3 * array.shape[0], *array.shape[1:]), _GARBAGE, array.dtype)
    tall[::3] = array
    return tall[::3]


def backwards(array: Array) -> Array:
    """Return a view with negative strides on the first and the last axis."""
    return array[::-1, ..., ::-1].copy()[::-1, ..., ::-1]


def inside(array: Array) -> Array:
    """Return a view of the middle of a larger array."""
    large = np.full([n + 3 for n in array.shape], _GARBAGE, array.dtype)
    middle = large[tuple(slice(1, n + 1) for n in array.shape)]
    middle[...] = array
    return middle


def last_axis_first(array: Array) -> Array:
    """Return an array whose last axis is the outermost in memory: neither C nor Fortran order from three axes on."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, -1, 0)), 0, -1)


def channels_last(array: Array) -> Array:
    """Return an array whose second axis is the innermost in memory, as channels-last images are."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1)


def foreign(array: Array) -> Array:
    """Return the values in the byte order of other machines."""
    return array.astype(array.dtype.newbyteorder())


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "Fortran order": np.asfortranarray,
    "every other value": every_other,
    "every third row": every_third_row,
    "negative strides": backwards,
    "the middle of a larger array": inside,
    "the last axis outermost": last_axis_first,
    "the second axis innermost": channels_last,
}
