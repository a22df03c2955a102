"""A backbone's weights in the order in which the compiled blocks read them, batch norms folded in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from patchcore_plugin.extractors.numba_vectors import ALIGNMENT, VECTOR
from patchcore_reference.backbones import folded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from patchcore_reference.backbones import WeightArrays
    from patchcore_reference.network_plan import Block, Convolution, Network

Floats: TypeAlias = npt.NDArray[np.float32]
Table: TypeAlias = npt.NDArray[np.void]

LAYER = np.dtype(
    [
        ("panels", "i8"),  # where the weights begin: per vector of outputs, per row, per value, one vector
        ("bias", "i8"),  # where the bias begins
        ("rows", "i8"),  # of the window a convolution looks at
        ("run", "i8"),  # values in one row of it; of a depthwise convolution: pixels
        ("vectors", "i8"),  # of output channels
        ("low", "f4"),  # the activation: sums are limited to low .. high
        ("high", "f4"),
    ],
    align=True,
)
_LIMITS = {"none": (-np.inf, np.inf), "relu": (0.0, np.inf), "relu6": (0.0, 6.0)}


@dataclass(frozen=True)
class PackedWeights:
    """All convolutions up to one block: a table of LAYER records, and the values they point into."""

    layers: Table
    values: Floats


def aligned(values: int) -> Floats:
    """Uninitialised memory that begins with a cache line."""
    memory = np.empty(values + ALIGNMENT // 4, np.float32)
    skip = -memory.ctypes.data % ALIGNMENT // 4
    return memory[skip : skip + values]


def pitch_of(channels: int) -> int:
    """Values that one pixel takes: its channels, filled up with zeros to whole vectors."""
    return -(-channels // VECTOR) * VECTOR


def read_pitch(convolution: Convolution) -> int:
    """Values that a convolution reads of each pixel.

    Zeros that fill up vectors are read only where several pixels are read in one run. Images have none.
    """
    whole = convolution.kernel == 1 or convolution.in_channels == 3
    return convolution.in_channels if whole else pitch_of(convolution.in_channels)


def layer_numbers(network: Network, last_block: int) -> dict[str, int]:
    """Row in the table of each convolution, by name."""
    return {convolution.name: i for i, (_, convolution) in enumerate(_convolutions(network, last_block))}


def pack_weights(network: Network, last_block: int, weights: WeightArrays) -> PackedWeights:
    """Fold and lay out the weights of all blocks up to ``last_block``, once for images of every size."""
    rows: list[tuple[Any, ...]] = []
    parts: list[Floats] = []
    place = 0
    for block, convolution in _convolutions(network, last_block):
        weight, bias = folded(convolution, weights, network.eps)
        pitch = 1 if convolution.depthwise else read_pitch(convolution)
        panels, biases = _panels(weight, pitch), _filled_up(bias)
        shape = convolution.kernel, convolution.kernel * pitch, len(biases) // VECTOR
        rows.append((place, place + len(panels), *shape, *_limits(convolution, block)))
        parts += [panels, biases]
        place += len(panels) + len(biases)
    return PackedWeights(np.array(rows, LAYER), np.concatenate(parts, out=aligned(place)))


def _convolutions(network: Network, last_block: int) -> Iterator[tuple[Block, Convolution]]:
    return ((block, convolution) for block in network.blocks[: last_block + 1] for convolution in block.convolutions)


def _panels(weight: Floats, pitch: int) -> Floats:
    """Weights (O, I, k, k) as they are read: vector of outputs, window row, column, input, output in the vector."""
    outputs, inputs, kernel, _ = weight.shape
    filled = np.zeros((pitch_of(outputs), pitch, kernel, kernel), np.float32)
    filled[:outputs, :inputs] = weight
    return filled.reshape(-1, VECTOR, pitch, kernel, kernel).transpose(0, 3, 4, 2, 1).ravel()


def _filled_up(bias: Floats) -> Floats:
    return np.pad(bias, (0, pitch_of(len(bias)) - len(bias)))


def _limits(convolution: Convolution, block: Block) -> tuple[float, float]:
    """What bounds a convolution's sums. Where the block's input is added to them, the block's activation follows."""
    closing = block.shortcut != "none" and convolution is block.steps[-1]
    return _LIMITS[block.activation if closing else convolution.activation]
