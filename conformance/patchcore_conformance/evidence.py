"""What shows a violation, kept for later: arrays in a file, small ones as text to paste, and all with a fingerprint."""

from __future__ import annotations

import hashlib
import math
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from patchcore_conformance.plain import plain
from patchcore_conformance.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_PASTABLE = 64  # values; more are no longer read by anyone
_TEXT = 4000  # characters of anything that is no array


def flattened(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Return arrays as NumPy arrays under one name each, also those inside of tuples, lists and dicts."""
    return dict(_flat("", evidence))


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    inner: Any = None
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, (tuple, list)) and any(_is_array(one) or isinstance(one, (tuple, list)) for one in value):
        inner = enumerate(value)
    if inner is None:
        yield name, _as_numpy(value)
    else:
        for key, one in inner:
            yield from _flat(f"{name}_{key}" if name else str(key), one)


def _is_array(value: Any) -> bool:
    return hasattr(value, "__dlpack__") and not isinstance(value, np.generic)


def _as_numpy(value: Any) -> Any:
    try:
        return plain(value) if _is_array(value) else value
    except Violation:  # it is evidence just because it cannot be read, perhaps
        return repr(value)


def described(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Return evidence as plain data: of an array its form and fingerprint, and its values where they are few."""
    return {name: _described(value) for name, value in flattened(evidence).items()}


def _described(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return plain_value(value)
    form = {"dtype": value.dtype.str, "shape": list(value.shape), "digest": fingerprint(value)}
    text = literal(value)
    return form if text is None else {**form, "literal": text}


def plain_value(value: Any) -> Any:
    """Return what JSON can hold of a value; it has no NaN and no infinity."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, (bool, int, float, type(None))):
        return value
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _TEXT else f"{text[:_TEXT]} ..."


def fingerprint(array: npt.NDArray[Any]) -> str:
    """Return the same for arrays of equal values, dtype and shape, however they lie in memory."""
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    digest.update(repr(array.tolist()).encode() if array.dtype.kind == "O" else np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def literal(array: npt.NDArray[Any]) -> str | None:
    """Return NumPy code that makes the same array, to the last bit; None where that is too long to paste."""
    if array.size > _PASTABLE or array.dtype.kind not in "biuf":
        return None
    dtype = array.dtype.name if array.dtype.isnative else array.dtype.str
    if array.size == 0:
        return f"np.empty({array.shape}, dtype={dtype!r})"
    return f"np.array({_nested(array)}, dtype={dtype!r})"


def _nested(array: npt.NDArray[Any]) -> str:
    if array.ndim:
        return f"[{', '.join(_nested(row) for row in array)}]"
    text = str(array[()])  # the shortest text that reads back as the same value of this dtype
    return f"np.{text}" if text in {"nan", "inf"} else text.replace("-inf", "-np.inf")


def save(evidence: Mapping[str, Any], path: Path) -> bool:
    """Write all arrays into a .npz file, read by ``numpy.load``; False, and no file, where there are none."""
    arrays = {name: value for name, value in flattened(evidence).items() if isinstance(value, np.ndarray)}
    arrays = {name: value for name, value in arrays.items() if value.dtype.kind != "O"}
    if not arrays:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:  # not np.savez: it takes no array named "file"
        for name, array in arrays.items():
            with archive.open(f"{name.replace('/', '_')}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    return True
