"""Matrix products of float32 rows in full float32 precision, whatever a program allows torch to do elsewhere.

TensorFloat-32 and bfloat16 products keep 11 or 8 bits of each value, which is less than tells near rows apart. Programs
switch them on for everything, by global settings that are not ours to change; so where one may be on, float64 is used.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

_FULL = {"highest", "ieee", "none", "strict", "", False}  # settings under which products keep all bits
_BY_ENVIRONMENT = ("ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE")
_BY_SETTING: tuple[Callable[[], Any], ...] = (
    torch.get_float32_matmul_precision,
    lambda: torch.backends.cuda.matmul.allow_tf32,
    lambda: _precision(torch.backends),
    lambda: _precision(torch.backends.cuda.matmul),
    lambda: _precision(torch.backends.mkldnn),
    lambda: _precision(getattr(torch.backends.mkldnn, "matmul", None)),
)


def less_products(halves: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Compute halves - left @ right.T.

    Shapes: halves float32 (m,), left float32 (n, D), right float32 (m, D) -> float32 (n, m).
    Units:  each value is off by at most D * 2^-24 * |left| * |right|, and two roundings of itself and of its half.
    """
    if left.device.type != "mps" and may_lose_bits():
        return torch.addmm(halves.double(), left.double(), right.double().T, alpha=-1).float()
    if not torch.is_autocast_enabled(left.device.type):
        return torch.addmm(halves, left, right.T, alpha=-1)
    with torch.autocast(left.device.type, enabled=False):
        return torch.addmm(halves, left, right.T, alpha=-1)


def may_lose_bits() -> bool:
    """Say whether any setting in force lets torch take float32 products of shortened values."""
    if any(os.environ.get(name, "").lower() not in _FULL | {"0"} for name in _BY_ENVIRONMENT):
        return True
    return any(_read(setting) not in _FULL for setting in _BY_SETTING)


def _read(setting: Callable[[], Any]) -> Any:
    try:
        return setting()
    except RuntimeError:  # settings of torch's old and new kind stand side by side: it will not say which holds
        return "unknown"


def _precision(backend: Any) -> Any:
    return getattr(backend, "fp32_precision", "none")  # younger than some torch that is supported
