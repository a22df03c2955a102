"""A memory bank as one ``.safetensors`` file: nothing in it is executed, and every way it can be bad has its own words.

The tensors are ``bank``, ``origins``, ``held_out_scores`` and, where there is one, ``whitening``; everything else is
JSON in the header's metadata. A SHA-256 over tensors and metadata tells an altered file from an intact one.
"""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from patchcore_plugin.atomic_file import replacing
from patchcore_plugin.errors import ModelFileError, OutputError
from patchcore_plugin.memory_bank import MemoryBank

if TYPE_CHECKING:
    import os

FORMAT = "patchcore-plugin memory bank"
FORMAT_VERSION = 1
_HEADER_LIMIT = 256 * 2**20  # bytes; a longer header is no header
_TENSORS = {"bank": ("F32", "F16"), "origins": ("I32",), "held_out_scores": ("F64",)}
_OPTIONAL = {"whitening": ("F32",)}


def write_bank(path: str | os.PathLike[str], bank: MemoryBank) -> None:
    """Write a bank whole or not at all.

    Raises: OutputError when the target cannot be written or the disk fills; a file that stood there is unchanged.
    Cost:   the bank's size on disk, once; no copy in memory.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    tensors = {
        "bank": np.ascontiguousarray(bank.embeddings),
        "origins": np.ascontiguousarray(bank.origins),
        "held_out_scores": np.ascontiguousarray(bank.held_out_scores, dtype=np.float64),
    }
    if bank.whitening is not None:
        tensors["whitening"] = np.ascontiguousarray(bank.whitening)
    metadata = _metadata(bank)
    metadata["sha256"] = _checksum(tensors, metadata)
    with replacing(path) as temporary:
        try:
            save_file(tensors, str(temporary), metadata)
        except SafetensorError as problem:  # the library reports a full disk in a class of its own
            raise OutputError(
                f"{Path(path)} could not be written: {problem}. "
                "Free some space or choose another place; what was there before is unchanged."
            ) from problem


def read_bank(path: str | os.PathLike[str]) -> MemoryBank:
    """Read a bank and check all of it.

    Raises: ModelFileError that says which: missing, truncated, foreign, newer format, or altered (checksum).
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = Path(path)
    metadata = _checked_header(path)
    try:
        tensors = load_file(str(path))
    except SafetensorError as problem:
        raise ModelFileError(f"{path} was altered or damaged: {problem}. Fetch it again, or fit again.") from problem
    if _checksum(tensors, metadata) != metadata["sha256"]:
        raise ModelFileError(f"{path} was altered or damaged: its checksum is off. Fetch it again, or fit again.")
    facts = json.loads(metadata["facts"])
    return MemoryBank(
        embeddings=tensors["bank"],
        origins=tensors["origins"],
        image_names=tuple(facts["image_names"]),
        grid=(facts["grid"][0], facts["grid"][1]),
        settings=facts["settings"],
        weights_sha256=facts["weights_sha256"],
        held_out_scores=tensors["held_out_scores"],
        search_facts=facts.get("search_facts", {}),  # files of 0.1 have none
        whitening=tensors.get("whitening"),
    )


def _metadata(bank: MemoryBank) -> dict[str, str]:
    """Collect what is not a tensor; safetensors metadata are strings."""
    facts = {
        "grid": list(bank.grid),
        "image_names": list(bank.image_names),
        "search_facts": bank.search_facts,
        "settings": bank.settings,
        "versions": versions(),
        "weights_sha256": bank.weights_sha256,
    }
    return {"format": FORMAT, "format_version": str(FORMAT_VERSION), "facts": json.dumps(facts, sort_keys=True)}


def versions() -> dict[str, str]:
    """List what results are made with, for whoever has to explain a difference later."""
    found = {"python": platform.python_version()}
    for name in ("patchcore-plugin", "numpy", "numba", "pillow"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def _checksum(tensors: dict[str, npt.NDArray[Any]], metadata: dict[str, str]) -> str:
    """Hash tensors and metadata in an order that no library decides."""
    digest = hashlib.sha256()
    for key in ("format", "format_version", "facts"):
        digest.update(f"{key}={len(metadata[key])}:{metadata[key]}".encode())
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        digest.update(f"{name}:{array.dtype.str}:{array.shape}:".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _checked_header(path: Path) -> dict[str, str]:
    """Read the header alone and refuse what is not ours, too new, or cut short; return the metadata."""
    header, data_start, size = _header(path)
    metadata = header.get("__metadata__")
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise ModelFileError(f"{path} is a safetensors file, but not one of {FORMAT!r}. Name a file that `fit` saved.")
    if metadata.get("format_version") != str(FORMAT_VERSION):
        raise ModelFileError(
            f"{path} has format {metadata.get('format_version')}, but this version reads format {FORMAT_VERSION}. "
            "Upgrade patchcore-plugin to read it, or fit again."
        )
    tensors = _TENSORS | {name: kinds for name, kinds in _OPTIONAL.items() if name in header}
    end = data_start + max(_end_of(header, name, kinds, path) for name, kinds in tensors.items())
    if size < end:
        raise ModelFileError(f"{path} is truncated: {size} bytes of {end}. Fetch it again, or fit again.")
    if size > end or not {"facts", "sha256"} <= metadata.keys() or len(header) != len(tensors) + 1:
        raise ModelFileError(f"{path} was altered: it holds more or less than was saved. Fetch it again, or fit again.")
    return metadata


def _header(path: Path) -> tuple[dict[str, Any], int, int]:
    """Read the safetensors header: its JSON, where the data start, the file's size."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            length = int.from_bytes(file.read(8), "little")
            raw = file.read(length) if length <= _HEADER_LIMIT else b""
    except OSError as problem:
        raise ModelFileError(f"{path} cannot be read: {problem.strerror}. Name a file that `fit` saved.") from problem
    if size == 0:
        raise ModelFileError(f"{path} is empty (0 bytes). Fetch it again, or fit again.")
    if raw[:1] == b"{" and len(raw) < length:
        raise ModelFileError(f"{path} is truncated: {size} bytes end inside its header. Fetch it again, or fit again.")
    try:
        header = json.loads(raw)
    except ValueError:
        header = None
    if not isinstance(header, dict):
        raise ModelFileError(f"{path} is no safetensors file. Name a file that `fit` saved.")
    return header, 8 + length, size


def _end_of(header: dict[str, Any], name: str, kinds: tuple[str, ...], path: Path) -> int:
    """Say where a tensor's bytes end, refusing a tensor that is missing or of another kind."""
    match header.get(name):
        case {"dtype": str(dtype), "data_offsets": [int(), int(end)]} if dtype in kinds:
            return end
    raise ModelFileError(
        f"{path} was altered: the tensor {name!r} is not as it was saved. Fetch it again, or fit again."
    )
