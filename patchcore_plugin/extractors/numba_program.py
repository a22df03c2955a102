"""A backbone for one image size as two tables that compiled code can walk: layers (weights) and steps (work).

A *step* makes one map from another: a convolution, a max-pool, or a whole inverted residual (expand, depthwise, project),
whose wide inner map is never kept: only a few rows of it exist at a time, in a *window* small enough for the cache.
Maps live in numbered *slots* that are used again as soon as nobody needs what they hold.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
from patchcore_reference.backbones import folded
from patchcore_reference.network_plan import Block, Convolution, MaxPool, Network, length_after, pads

from patchcore_plugin.extractors.numba_vectors import ALIGNMENT, VECTOR

if TYPE_CHECKING:
    from patchcore_reference.backbones import WeightArrays

Floats: TypeAlias = npt.NDArray[np.float32]
Table: TypeAlias = npt.NDArray[np.void]
Shape: TypeAlias = tuple[int, int, int]  # height, width, channels of one map

CONVOLVE, SEPARABLE, POOL = range(3)
NONE = -1
PIXELS = -1  # in place of a slot: read the network's input
WINDOW_VALUES = 256 * 1024  # of a window and what is made from it: 1 MB, which second-level caches hold or nearly so

_LIMITS = {"none": (-np.inf, np.inf), "relu": (0.0, np.inf), "relu6": (0.0, 6.0)}

LAYER = np.dtype(
    [
        ("panels", "i8"),  # where the weights begin: for each vector of outputs, one vector per row and value
        ("bias", "i8"),
        ("rows", "i8"),  # of the convolution's window
        ("run", "i8"),  # values in one row of it
        ("vectors", "i8"),  # of output channels
        ("low", "f4"),
        ("high", "f4"),
    ],
    align=True,
)
STEP = np.dtype(
    [
        *((name, "i8") for name in ("kind", "source", "target", "residual")),  # residual: a slot, or NONE
        *((name, "i8") for name in ("height", "width", "pitch")),  # of the source; pitch: values a pixel takes
        *((name, "i8") for name in ("out_height", "out_width", "out_pitch")),
        *((name, "i8") for name in ("kernel", "stride", "top", "left")),  # top, left: rows and columns of border
        *((name, "i8") for name in ("window_width", "window_pitch", "chunk")),  # chunk: output rows per window
        *((name, "i8") for name in ("expand", "filter", "project")),  # layers, or NONE
        *((name, "i8") for name in ("map_at", "map_channels")),  # where the map goes that is asked for, or NONE
        ("border", "f4"),  # what lies outside the map
    ],
    align=True,
)


def pitch_of(channels: int) -> int:
    """Values that one pixel takes: its channels, filled up with zeros to whole vectors."""
    return -(-channels // VECTOR) * VECTOR


def aligned(values: int) -> Floats:
    """Uninitialised memory that begins at a cache line."""
    memory = np.empty(values + ALIGNMENT // 4, np.float32)
    skip = -memory.ctypes.data % ALIGNMENT // memory.itemsize
    return memory[skip : skip + values]


def _packed(weight: Floats, pitch: int) -> Floats:
    """Weights (O, I, k, k) in the order of their use: vectors of outputs, window rows, columns, inputs (``pitch``)."""
    outputs, inputs, kernel, _ = weight.shape
    padded = np.zeros((pitch_of(outputs), pitch, kernel, kernel), np.float32)
    padded[:outputs, :inputs] = weight
    return padded.reshape(-1, VECTOR, pitch, kernel, kernel).transpose(0, 3, 4, 2, 1).reshape(-1)


@dataclass
class PackedWeights:
    """All convolutions up to one block, batch norms folded in, in one array and a table of where each begins."""

    table: Table
    values: Floats
    numbers: dict[str, int]  # row of the table by the convolution's name


def pack_weights(network: Network, last_block: int, weights: WeightArrays) -> PackedWeights:
    """Fold and lay out the weights once; they serve all image sizes."""
    rows: list[tuple[Any, ...]] = []
    parts: list[Floats] = []
    numbers: dict[str, int] = {}
    place = 0
    for block in network.blocks[: last_block + 1]:
        for convolution in block.convolutions:
            weight, bias = folded(convolution, weights, network.eps)
            pitch = window_pitch(convolution)
            panels = _packed(weight, 1 if convolution.depthwise else pitch)
            biases = np.zeros(pitch_of(len(bias)), np.float32)
            biases[: len(bias)] = bias
            numbers[convolution.name] = len(rows)
            vectors = len(biases) // VECTOR
            rows.append((place, place + panels.size, convolution.kernel, convolution.kernel * pitch, vectors, *_limits(convolution, block)))
            parts += [panels, biases]
            place += panels.size + biases.size
    values = aligned(place)
    np.concatenate(parts, out=values)
    return PackedWeights(np.array(rows, LAYER), values, numbers)


def window_pitch(convolution: Convolution) -> int:
    """Values per pixel that a convolution reads. Images and pointwise sums skip the zeros that fill up vectors."""
    if convolution.in_channels == 3 or convolution.kernel == 1:
        return convolution.in_channels
    return pitch_of(convolution.in_channels)


def _limits(convolution: Convolution, block: Block) -> tuple[float, float]:
    """What bounds a convolution's sums; where the block's input is added first, the block's own activation does."""
    last = convolution is block.steps[-1] and block.shortcut != "none"
    return _LIMITS[block.activation if last else convolution.activation]


@dataclass
class Program:
    """What the compiled code walks, for one backbone, one set of layers and one image size."""

    steps: Table
    map_shapes: dict[int, Shape]  # (C, h, w) by block
    image_values: int  # memory for the slots of one image
    scratch_values: int  # memory for the window of one thread
    widest: int  # largest pitch


@dataclass
class _Writer:
    """Appends steps and keeps track of the shape at hand and of the largest size of each slot."""

    numbers: dict[str, int]
    steps: list[dict[str, Any]] = field(default_factory=list)
    slots: dict[int, int] = field(default_factory=dict)

    def write(self, kind: int, source: int, shape: Shape, busy: set[int], **names: Convolution | MaxPool) -> tuple[int, Shape]:
        """Add one step that reads ``source`` and say where its result is and of what shape."""
        slide = names["filter"]
        height, width, channels = shape
        sizes = [length_after(n, slide.kernel, slide.stride, slide.padding) for n in (height, width)]
        outputs = getattr(names.get("project", slide), "out_channels", channels)
        target = next(slot for slot in count() if slot not in busy)
        pitch = channels if source == PIXELS else pitch_of(channels)
        window = pitch_of(slide.in_channels) if kind == SEPARABLE else pitch
        step = {
            "kind": kind, "source": source, "target": target, "residual": NONE,
            "height": height, "width": width, "pitch": pitch,
            "out_height": sizes[0], "out_width": sizes[1], "out_pitch": pitch_of(outputs),
            "kernel": slide.kernel, "stride": slide.stride,
            "top": pads(height, slide.kernel, slide.stride, slide.padding)[0],
            "left": pads(width, slide.kernel, slide.stride, slide.padding)[0],
            "window_width": (sizes[1] - 1) * slide.stride + slide.kernel, "window_pitch": window,
            "map_at": NONE, "map_channels": outputs, "border": -np.inf if kind == POOL else 0.0,
        }  # fmt: skip
        step |= {part: self.numbers.get(getattr(names.get(part), "name", ""), NONE) for part in ("expand", "filter", "project")}
        step["chunk"] = _rows_that_fit(step)
        self.steps.append(step)
        self.slots[target] = max(self.slots.get(target, 0), sizes[0] * sizes[1] * step["out_pitch"])
        return target, (sizes[0], sizes[1], outputs)

    def block(self, block: Block, source: int, shape: Shape) -> tuple[int, Shape]:
        """Add a block's steps, the sum with its input included."""
        residual, here, now = source, source, shape
        if isinstance(block.shortcut, Convolution):
            residual, _ = self.write(CONVOLVE, source, shape, {source}, filter=block.shortcut)
        for kind, parts in _grouped(block):
            here, now = self.write(kind, here, now, {source, residual, here}, **parts)
        if block.shortcut != "none":
            self.steps[-1]["residual"] = residual
        return here, now


def _grouped(block: Block) -> list[tuple[int, dict[str, Convolution | MaxPool]]]:
    """A block's steps as the compiled code takes them: an inverted residual in one piece, all else one by one."""
    if any(isinstance(step, Convolution) and step.depthwise for step in block.steps):
        *expand, depthwise, project = block.steps
        return [(SEPARABLE, {"filter": depthwise, "project": project} | {"expand": step for step in expand})]
    return [(POOL if isinstance(step, MaxPool) else CONVOLVE, {"filter": step}) for step in block.steps]


def _rows_that_fit(step: dict[str, Any]) -> int:
    """Output rows whose window, and what the depthwise convolution makes of it, fill WINDOW_VALUES; at least one."""
    window_row = step["window_width"] * step["window_pitch"]
    row = step["stride"] * window_row + step["out_width"] * step["window_pitch"]
    fixed = (step["kernel"] - step["stride"]) * window_row
    return max(1, min(step["out_height"], (WINDOW_VALUES - fixed) // row))


def _scratch(step: dict[str, Any]) -> int:
    rows = (step["chunk"] - 1) * step["stride"] + step["kernel"]
    middle = step["chunk"] * step["out_width"] * step["window_pitch"]
    return rows * step["window_width"] * step["window_pitch"] + middle + 2 * VECTOR


def write_program(network: Network, places: tuple[int, ...], numbers: dict[str, int], height: int, width: int) -> Program:
    """Lay out the work for images of one size, up to the deepest of the blocks ``places``."""
    writer = _Writer(numbers)
    here, shape, maps, values = PIXELS, (height, width, 3), {}, 0
    for place, block in enumerate(network.blocks[: max(places) + 1]):
        here, shape = writer.block(block, here, shape)
        if place in places:
            maps[place] = (shape[2], shape[0], shape[1])
            writer.steps[-1]["map_at"] = values
            values += shape[0] * shape[1] * shape[2]
    starts, total = {PIXELS: PIXELS}, 0
    for slot, size in sorted(writer.slots.items()):
        starts[slot] = total
        total += size
    for step in writer.steps:
        step |= {end: starts[step[end]] for end in ("source", "target", "residual")}
    table = np.array([tuple(step[name] for name in STEP.names or ()) for step in writer.steps], STEP)
    return Program(table, maps, total, max(map(_scratch, writer.steps)), int(max(table["out_pitch"].max(), table["window_pitch"].max())))
