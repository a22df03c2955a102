"""Building a network without touching torch's global random numbers: its draws come from a generator of their own.

Networks fill their weights with random numbers while they are built. Where a file brings the weights, drawing them is
a waste of time; where random weights are wanted, they have to depend on a seed alone and leave the caller's random
numbers as they were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# What draws: methods of tensors, and functions of torch.nn.init, that fill a tensor; functions that make one.
_FILLS = {
    "bernoulli_", "cauchy_", "exponential_", "geometric_", "kaiming_normal_", "kaiming_uniform_", "log_normal_",
    "normal_", "orthogonal_", "random_", "sparse_", "trunc_normal_", "uniform_", "xavier_normal_", "xavier_uniform_",
}  # fmt: skip
_MAKES = {"bernoulli", "multinomial", "normal", "rand", "randint", "randn", "randperm"}


class OwnDraws(TorchFunctionMode):
    """While this is entered, this thread's draws come from ``seed`` alone; with None, tensors are left unfilled."""

    def __init__(self, seed: int | None) -> None:
        super().__init__()
        self._fill = seed is not None
        self._generator = torch.Generator(device="cpu").manual_seed(seed or 0)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Hand the generator to whatever draws, and leave everything else as it is."""
        given, name = dict(kwargs or {}), getattr(func, "__name__", "")
        if name in _FILLS and not self._fill:
            return args[0] if args else given["tensor"]
        if name in _FILLS or name in _MAKES:
            given["generator"] = self._generator
        return func(*args, **given)
