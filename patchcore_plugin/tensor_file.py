"""Files of named tensors (``.pth``, ``.pt``, ``.safetensors``) -> NumPy arrays, told apart by their first bytes.

The arrays are views of the file's bytes in the type they were stored in; ``as_float32`` makes usable copies of the ones
that are wanted. Torch is not needed and nothing in the file is executed.
"""

from __future__ import annotations

import json
import struct
import zipfile
from io import BytesIO
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from patchcore_plugin.errors import WeightsError
from patchcore_plugin.tensor_pickle import Storage, TensorRecord, run_pickle

Tensors: TypeAlias = dict[str, npt.NDArray[Any]]

_ARCHIVE_START = b"PK\x03\x04"
_ARCHIVE_END = b"PK\x05\x06"
_ARCHIVE_END_LENGTH = 22
_OLD_MAGIC = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # the number 0x1950a86a20f9469cfc6c, pickled
_FRAME = b"\x95\x0d" + b"\0" * 7  # stands before it since pickle's protocol 4
_OLD_STARTS = tuple(b"\x80" + protocol + _OLD_MAGIC for protocol in (b"\2", b"\3", b"\4" + _FRAME, b"\5" + _FRAME))
_SAFETENSORS_DTYPES = {"F64": "f8", "F32": "f4", "F16": "f2", "BF16": "bf16", "I64": "i8", "I32": "i4"}
_SAFETENSORS_DTYPES |= {"I16": "i2", "I8": "i1", "U8": "u1", "BOOL": "b1"}
_WRAPPERS = ("state_dict", "model_state_dict", "model")


def tensors_in(data: bytes, where: str) -> Tensors:
    """Read every named tensor of a file's bytes.

    Wrappers such as ``{"state_dict": {...}}`` are opened and ``module.`` in front of all names is dropped. Entries that
    are no tensors are left out.

    Order:  as in the file (safetensors: as its header lists them).
    Raises: WeightsError saying whether the file is empty, truncated, damaged, of another kind, or holds more than
            tensors; ``where`` is how the text calls the file.
    """
    if not data:
        raise WeightsError(f"{where} is empty. Fetch it again.")
    if data.startswith(_ARCHIVE_START):
        named = _from_archive(data, where)
    elif data.startswith(_OLD_STARTS):
        named = _from_pickles(data, where)
    elif any(start.startswith(data) for start in (_ARCHIVE_START, *_OLD_STARTS)):
        raise WeightsError(f"{where} is truncated after {len(data)} byte(s). Fetch it again.")
    else:
        return _from_safetensors(data, where)
    return {name: tensor for name, tensor in named.items() if isinstance(tensor, np.ndarray)}


def as_float32(tensor: npt.NDArray[Any], name: str, where: str) -> npt.NDArray[np.float32]:
    """A C-ordered float32 copy that may not be written to.

    Raises: WeightsError when the values are no floating-point numbers, or NaN or infinite.
    """
    if tensor.dtype.names:
        values = (tensor["bfloat16"].astype(np.uint32) << 16).view(np.float32)  # the upper half of a float32
    elif tensor.dtype.kind == "f":
        with np.errstate(over="ignore"):  # what does not fit becomes infinite and is refused below
            values = np.array(tensor, dtype=np.float32, order="C")
    else:
        raise WeightsError(f"{where} holds {name} as {tensor.dtype}, but floating-point weights are needed.")
    if not np.isfinite(values).all():
        raise WeightsError(f"{where} holds NaN or infinity (as float32) in {name}. Take another file.")
    values.flags.writeable = False
    return values


def _from_safetensors(data: bytes, where: str) -> Tensors:
    from safetensors import SafetensorError, deserialize  # here, since reading torch files does not need it

    if data[8:9] != b"{":
        raise WeightsError(
            f"{where} is no weight file: neither torch nor safetensors wrote it. Name a .pth or .safetensors."
        )
    try:
        entries = deserialize(data)  # type: ignore[no-untyped-call]
    except SafetensorError as problem:
        state = "truncated" if len(data) < _promised_length(data) else "damaged"
        raise WeightsError(f"{where} is {state} ({problem}). Fetch it again.") from None
    return {name: _safetensor(entry, name, where) for name, entry in entries}


def _promised_length(data: bytes) -> int:
    """How long a safetensors file has to be by its own header; 0 when the header makes no sense."""
    start = 8 + int.from_bytes(data[:8], "little")
    if start > len(data):
        return start
    try:
        tensors = [entry for name, entry in json.loads(data[8:start]).items() if name != "__metadata__"]
        return start + max((int(entry["data_offsets"][1]) for entry in tensors), default=0)
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError):
        return 0


def _safetensor(entry: dict[str, Any], name: str, where: str) -> npt.NDArray[Any]:
    if entry["dtype"] not in _SAFETENSORS_DTYPES:
        raise WeightsError(f"{where} holds {name} as {entry['dtype']}, which is not supported. Convert it to F32.")
    flat: npt.NDArray[Any] = np.frombuffer(entry["data"], _dtype(_SAFETENSORS_DTYPES[entry["dtype"]], "<"))
    return flat.reshape(entry["shape"])


def _from_archive(data: bytes, where: str) -> dict[Any, Any]:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            return _Archive(archive, where).tensors()
    except WeightsError:
        raise
    except (zipfile.BadZipFile, struct.error, EOFError, OSError, OverflowError, RuntimeError, ValueError) as problem:
        end = data.rfind(_ARCHIVE_END)
        state = "truncated" if end < 0 or len(data) - end < _ARCHIVE_END_LENGTH else "damaged"
        raise WeightsError(f"{where} is {state} ({problem}). Fetch it again.") from None


class _Archive:
    """The layout of today's ``torch.save``: data.pkl says which tensors there are, data/KEY holds the numbers."""

    def __init__(self, archive: zipfile.ZipFile, where: str) -> None:
        self.archive, self.where = archive, where
        roots = [name.removesuffix("data.pkl") for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(roots) != 1:
            raise WeightsError(f"{where} is an archive, but none that torch.save wrote: it has {len(roots)} data.pkl.")
        self.root = roots[0]

    def tensors(self) -> dict[Any, Any]:
        value, storages = run_pickle(BytesIO(self.record("data.pkl")), self.where)
        order = ">" if self.has("byteorder") and self.record("byteorder").strip() == b"big" else "<"
        arrays = {key: self.numbers(storage, order) for key, storage in storages.items()}
        return _state_dict(value, arrays, self.where)

    def has(self, name: str) -> bool:
        return self.root + name in self.archive.namelist()

    def record(self, name: str) -> bytes:
        if not self.has(name):
            raise WeightsError(f"{self.where} is damaged: its record {name} is missing. Fetch it again.")
        if self.archive.getinfo(self.root + name).compress_type != zipfile.ZIP_STORED:
            raise WeightsError(f"{self.where} was compressed again after torch.save wrote it. Take the original.")
        return self.archive.read(self.root + name)

    def numbers(self, storage: Storage, order: str) -> npt.NDArray[Any]:
        return _numbers(self.record(f"data/{storage.key}"), 0, storage, self.where, order)


def _from_pickles(data: bytes, where: str) -> dict[Any, Any]:
    """The layout before torch 1.6: magic number, version, machine, tensors, storage keys; then count and numbers."""
    stream = BytesIO(data)
    for _ in range(3):
        run_pickle(stream, where)
    value, storages = run_pickle(stream, where)
    keys, _ = run_pickle(stream, where)
    arrays: Tensors = {}
    for key in keys if isinstance(keys, list) else ():
        if isinstance(key, str) and key in storages:
            stream.seek(8, 1)  # the count once more; the pickle has said it
            arrays[key] = _numbers(data, stream.tell(), storages[key], where, "<")
            stream.seek(arrays[key].nbytes, 1)
    return _state_dict(value, arrays, where)


def _numbers(data: bytes, start: int, storage: Storage, where: str, order: str) -> npt.NDArray[Any]:
    dtype = _dtype(storage.dtype, order)
    if start + storage.length * dtype.itemsize > len(data):
        raise WeightsError(f"{where} is truncated: the values of storage {storage.key} end early. Fetch it again.")
    numbers: npt.NDArray[Any] = np.frombuffer(data, dtype, count=storage.length, offset=start)
    return numbers


def _dtype(code: str, order: str) -> np.dtype[Any]:
    """NumPy has no bfloat16; a field of that name marks its bits."""
    return np.dtype([("bfloat16", order + "u2")]) if code == "bf16" else np.dtype(order + code)


def _state_dict(value: Any, arrays: Tensors, where: str) -> dict[Any, Any]:
    for wrapper in _WRAPPERS:
        if isinstance(value, dict) and isinstance(value.get(wrapper), dict):
            value = value[wrapper]
    if not isinstance(value, dict) or not any(isinstance(entry, TensorRecord) for entry in value.values()):
        raise WeightsError(f"{where} holds no dictionary of tensors. Save a network's state_dict().")
    prefix = "module." if all(str(name).startswith("module.") for name in value) else ""
    return {str(name).removeprefix(prefix): _view(entry, arrays, where) for name, entry in value.items()}


def _view(entry: Any, arrays: Tensors, where: str) -> Any:
    if not isinstance(entry, TensorRecord):
        return entry
    if entry.storage.key not in arrays:
        raise WeightsError(
            f"{where} is damaged: the values of storage {entry.storage.key} are missing. Fetch it again."
        )
    numbers = arrays[entry.storage.key]
    strides = tuple(stride * numbers.itemsize for stride in entry.strides)
    try:
        return np.lib.stride_tricks.as_strided(numbers[entry.offset :], entry.shape, strides, writeable=False)
    except (OverflowError, ValueError) as problem:  # only sizes that no real tensor has
        raise WeightsError(f"{where} is damaged: no tensor has shape {entry.shape} ({problem}).") from None
