"""The door of every function here: what is refused before anything is computed, and in which words."""

from __future__ import annotations

from operator import index
from typing import Any

import numpy as np
import numpy.typing as npt

from patchcore_reference.errors import EmptyInputError, NonFiniteError, ShapeError, TooFewRowsError, WidthMismatchError


def require_real(array: npt.NDArray[Any], name: str) -> None:
    """Refuse anything but real numbers (bool, complex, text, objects)."""
    if array.dtype.kind not in "fiu":
        raise ShapeError(
            f"{name} holds {array.dtype} values, but real numbers are needed. Convert it to float32 first."
        )


def require_finite(array: npt.NDArray[Any], name: str) -> None:
    """Refuse NaN and infinity, and say where the first one is."""
    if array.dtype.kind == "f" and not np.isfinite(array.sum(dtype=np.float64)):
        bad = np.argwhere(~np.isfinite(array))
        if len(bad):
            place = ", ".join(str(i) for i in bad[0])
            raise NonFiniteError(
                f"{name} has {len(bad)} value(s) that are NaN or infinite, the first at [{place}]. "
                "Repair or leave out what they were computed from."
            )


def require_rows(array: npt.NDArray[Any], name: str) -> None:
    """Refuse all but a finite, real, non-empty (rows, width) array."""
    if array.ndim != 2:
        raise ShapeError(f"{name} has shape {array.shape}, but one row per embedding, (rows, width), is needed.")
    if 0 in array.shape:
        raise EmptyInputError(f"{name} is empty: its shape is {array.shape}. At least one row of one value is needed.")
    require_real(array, name)
    require_finite(array, name)


def require_queries(queries: npt.NDArray[Any], bank: npt.NDArray[Any]) -> None:
    """Refuse queries that cannot be compared with the bank; no queries at all are fine and get no answers."""
    if queries.ndim != 2:
        raise ShapeError(f"queries have shape {queries.shape}, but one row per query, (rows, width), is needed.")
    if queries.shape[1] != bank.shape[1]:
        raise WidthMismatchError(
            f"each query has {queries.shape[1]} values but each memory-bank row has {bank.shape[1]}. "
            "Score with the settings the bank was built with, or fit again."
        )
    require_real(queries, "queries")
    require_finite(queries, "queries")


def require_whole(value: Any, name: str, least: int = 1) -> int:
    """Refuse anything that is not a whole number of at least ``least``; bool is no number."""
    try:
        whole = -1 if isinstance(value, bool | np.bool_) else index(value)
    except TypeError:
        whole = -1
    if whole < least:
        raise ShapeError(f"{name} is {value!r}, but a whole number of {least} or more is needed.")
    return whole


def require_count(count: int, rows: int, name: str) -> None:
    """Refuse a number of rows outside 1..rows, and anything that is not a whole number."""
    if isinstance(count, bool | np.bool_):
        raise ShapeError(f"{name} is {count}, but a whole number is needed.")
    try:
        whole = index(count)
    except TypeError:
        raise ShapeError(f"{name} is {count!r}, but a whole number is needed.") from None
    if not 1 <= whole <= rows:
        raise TooFewRowsError(f"{name} is {whole}, but there are {rows} row(s). Ask for 1 to {rows}.")


def require_row_numbers(numbers: Any, rows: int, name: str) -> None:
    """Refuse anything but whole numbers from 0 to rows - 1, one or a list of them."""
    array = np.asarray(numbers)
    if array.dtype.kind not in "iu" or array.ndim > 1:
        raise ShapeError(f"{name} is {numbers!r}, but row numbers, whole numbers from 0 on, are needed.")
    outside = array[(array < 0) | (array >= rows)]
    if outside.size:
        raise TooFewRowsError(f"{name} names row {outside.flat[0]}, but there are rows 0 to {rows - 1} only.")


def require_maps(maps: npt.NDArray[Any], name: str) -> None:
    """Refuse all but a finite, real, non-empty (B, C, H, W) array."""
    if maps.ndim != 4:
        raise ShapeError(f"{name} has shape {maps.shape}, but (images, channels, height, width) is needed.")
    if 0 in maps.shape:
        raise EmptyInputError(f"{name} is empty: its shape is {maps.shape}.")
    require_real(maps, name)
    require_finite(maps, name)
