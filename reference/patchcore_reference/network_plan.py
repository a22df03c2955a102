"""A backbone as plain data: which convolutions follow each other, and under which names their weights are kept.

The plain forward pass (``backbones``) and compiled ones read the same plan, so a network is written down once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Padding: TypeAlias = Literal["symmetric", "same"]
Activation: TypeAlias = Literal["none", "relu", "relu6"]
Shortcut: TypeAlias = Literal["none", "identity"]
WeightShapes: TypeAlias = dict[str, tuple[int, ...]]

_NORM_PARTS = ("weight", "bias", "running_mean", "running_var")


def pads(length: int, kernel: int, stride: int, padding: Padding) -> tuple[int, int]:
    """Zeros put before and after one axis.

    ``symmetric`` adds kernel // 2 on both sides. ``same`` is TensorFlow's rule: as many as make the output
    ceil(length / stride) long, the odd one behind.
    """
    if padding == "symmetric":
        return kernel // 2, kernel // 2
    total = max(0, (-(-length // stride) - 1) * stride + kernel - length)
    return total // 2, total - total // 2


def length_after(length: int, kernel: int, stride: int, padding: Padding) -> int:
    """Length of one axis after a window has moved over it."""
    return (length + sum(pads(length, kernel, stride, padding)) - kernel) // stride + 1


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """A convolution without bias, the batch norm behind it, and the activation behind that.

    Shapes: weight (out_channels, in_channels // groups, kernel, kernel); groups is in_channels where ``depthwise``.
    """

    name: str  # key of the weight without ".weight"
    norm: str  # key of the batch norm without ".weight", ".bias", ".running_mean", ".running_var"
    in_channels: int
    out_channels: int
    kernel: int = 1
    stride: int = 1
    padding: Padding = "symmetric"
    depthwise: bool = False
    activation: Activation = "none"

    @property
    def pointwise(self) -> bool:
        """Whether this is a matrix product at each pixel, nothing more."""
        return self.kernel == 1 and self.stride == 1 and not self.depthwise

    def weight_shapes(self) -> WeightShapes:
        """Key and shape of each array this layer needs."""
        inputs = 1 if self.depthwise else self.in_channels
        shapes: WeightShapes = {f"{self.name}.weight": (self.out_channels, inputs, self.kernel, self.kernel)}
        return shapes | {f"{self.norm}.{part}": (self.out_channels,) for part in _NORM_PARTS}


@dataclass(frozen=True, kw_only=True)
class MaxPool:
    """The largest value of each window; what lies outside the image never wins."""

    kernel: int
    stride: int
    padding: Padding = "symmetric"


@dataclass(frozen=True, kw_only=True)
class Block:
    """Steps in a row, then the block's input added where ``shortcut`` says so, then one more activation."""

    name: str
    steps: tuple[Convolution | MaxPool, ...]
    shortcut: Shortcut | Convolution = "none"
    activation: Activation = "none"  # after the sum; only residual networks of He et al. have one

    @property
    def convolutions(self) -> tuple[Convolution, ...]:
        """All convolutions of the block in the order in which state dicts list them, the shortcut's last."""
        inner = tuple(step for step in self.steps if isinstance(step, Convolution))
        return (*inner, self.shortcut) if isinstance(self.shortcut, Convolution) else inner

    @property
    def channels(self) -> int:
        """Channels of the block's output."""
        return self.convolutions[-1].out_channels

    @property
    def stride(self) -> int:
        """How many input pixels lie between two output pixels."""
        product = 1
        for step in self.steps:
            product *= step.stride
        return product


@dataclass(frozen=True, kw_only=True)
class Network:
    """Blocks in order, the stem first. A layer's name is a block's name, or a stage's: then its last block is meant."""

    name: str
    blocks: tuple[Block, ...]
    eps: float  # added to the variance by every batch norm

    def block_index(self, layer: str) -> int:
        """Position in ``blocks`` of the block whose output is the layer's map, or -1 where there is no such layer."""
        if layer not in self.layer_names:
            return -1
        return max(i for i, block in enumerate(self.blocks) if f"{block.name}.".startswith(f"{layer}."))

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Every name that can be asked for: each stage, followed by its blocks, in the order of the data."""
        names: dict[str, None] = {}
        for block in self.blocks[1:]:
            names.setdefault(block.name.rpartition(".")[0])
            names.setdefault(block.name)
        return tuple(names)

    def weight_shapes(self, last_block: int | None = None) -> WeightShapes:
        """Key and shape of each array, in the order of state dicts; only of blocks up to ``last_block`` where given."""
        shapes: WeightShapes = {}
        for block in self.blocks if last_block is None else self.blocks[: last_block + 1]:
            for convolution in block.convolutions:
                shapes |= convolution.weight_shapes()
        return shapes
