"""Where torch parts compute: the ``device`` setting they share, and the way of any array onto that device."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import torch
import torch.utils.dlpack

from patchcore_plugin.errors import ConfigError, ShapeError
from patchcore_reference.checks import require_real

__all__ = ["device_of", "on_device"]

_KNOWN = "'auto', 'cpu', 'cuda', 'cuda:1' (a number from 0 on) and 'mps'"
_NARROW = {2: np.int32, 4: np.int64, 8: np.float64}  # for unsigned numbers by size, which torch can hardly compute with


def device_of(setting: str) -> torch.device:
    """Turn a ``device`` setting into a device that is there.

    "auto" is the first of CUDA, MPS and the CPU that this machine has; "cuda" is the current CUDA device.

    Raises: ConfigError for a word that is no such setting, or a device that is absent; the text says what there is.
    """
    if not isinstance(setting, str) or not re.fullmatch(r"auto|cpu|mps|cuda(:(0|[1-9][0-9]{0,3}))?", setting):
        raise ConfigError(f"device is {setting!r}, but only {_KNOWN} are known. Choose one of them.")
    if setting == "auto":
        setting = next(name for name in ("cuda", "mps", "cpu") if name in _kinds_here())
    kind, _, number = setting.partition(":")
    cards = torch.cuda.device_count() if kind == "cuda" else 0
    if kind not in _kinds_here() or int(number or 0) >= max(cards, 1):
        raise ConfigError(
            f"device is {setting!r}, but torch {torch.__version__} finds only {' and '.join(_all_here())} here. "
            "Choose one of these or 'auto', or install a torch that was built for the device."
        )
    if kind == "cuda":
        return torch.device("cuda", int(number) if number else torch.cuda.current_device())
    return torch.device(kind)


def on_device(array: Any, device: torch.device, name: str) -> torch.Tensor:
    """Bring any array onto a device, without copying where that is possible.

    Takes torch tensors of any device, arrays with ``__dlpack__``, NumPy arrays (read-only, strided and of foreign byte
    order too) and lists. The values keep their type, but for those that the device cannot compute with.

    The tensor may share its memory with the input: never write to it. It carries no gradients.

    Raises: ShapeError for anything that holds no real numbers, or cannot be read; ``name`` stands in the text.
    """
    tensor = _tensor(array, name).detach()
    if tensor.dtype == torch.bool or tensor.is_complex() or tensor.is_quantized:
        raise ShapeError(
            f"{name} holds {tensor.dtype} values, but real numbers are needed. Convert it to float32 first."
        )
    if tensor.device.type == "meta" or tensor.layout != torch.strided:
        raise ShapeError(
            f"{name} is a tensor without plain values (device {tensor.device}, layout {tensor.layout}). "
            "Give an ordinary, dense tensor."
        )
    if device.type == "mps" and tensor.dtype == torch.float64:
        tensor = tensor.to(torch.float32)  # MPS has no float64
    return tensor.to(device)


def _tensor(array: Any, name: str) -> torch.Tensor:
    if isinstance(array, torch.Tensor):
        return array
    try:
        if hasattr(array, "__dlpack__") and not isinstance(array, np.ndarray):
            tensor: torch.Tensor = torch.utils.dlpack.from_dlpack(array)
            return tensor
        values = np.asarray(array)
    except (BufferError, RuntimeError, TypeError, ValueError) as problem:
        raise ShapeError(
            f"{name} of type {type(array).__name__} cannot be read as a tensor: {problem}. "
            "Give a NumPy array or a torch tensor."
        ) from problem
    require_real(values, name)
    return _from_numpy(values)


def _from_numpy(values: np.ndarray[Any, Any]) -> torch.Tensor:
    """Share the memory of an array, or copy it where torch cannot or must not share it."""
    dtype: Any = values.dtype.newbyteorder("=")
    if dtype.kind == "u" and dtype.itemsize > 1:
        dtype = np.dtype(_NARROW[dtype.itemsize])
    if dtype.kind == "f" and dtype.itemsize > 8:
        dtype = np.dtype(np.float64)
    values = values.astype(dtype, copy=False)
    shared = values.flags.writeable and all(stride >= 0 for stride in values.strides)
    return torch.from_numpy(values if shared else values.copy(order="C"))


def _kinds_here() -> tuple[str, ...]:
    found = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return tuple(kind for kind, here in found.items() if here)


def _all_here() -> list[str]:
    cards = [f"'cuda:{number}'" for number in range(torch.cuda.device_count())] if "cuda" in _kinds_here() else []
    return [*(f"'{kind}'" for kind in _kinds_here() if kind != "cuda"), *cards]
