"""The work of a backbone on images of one size, as a table of steps that compiled code walks.

A *step* makes one map from another: a convolution, a max-pool, or a whole inverted residual (expand, depthwise,
project) whose wide inner map never exists: a few rows of it at a time stand in a *window* that the cache holds. Maps
lie in *slots* of memory that are used again as soon as nobody needs what is in them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from patchcore_plugin.extractors.numba_weights import layer_numbers, pitch_of
from patchcore_reference.network_plan import Convolution, MaxPool, length_after, pads

if TYPE_CHECKING:
    from patchcore_plugin.extractors.numba_weights import Table
    from patchcore_reference.network_plan import Block, Network

Shape: TypeAlias = tuple[int, int, int]  # height, width, channels
Sliding: TypeAlias = Convolution | MaxPool

CONVOLVE, SEPARABLE, POOL = range(3)
NONE = -1
PIXELS = -1  # in place of a slot: the images themselves
WINDOW_VALUES = 256 * 1024  # of a window and of what is made from it: 1 MB, of which a second-level cache holds most

_NAMES = (
    *("kind", "source", "target", "residual"),  # source, target, residual: where the maps begin; residual may be NONE
    *("height", "width", "pitch"),  # of the source; pitch: values a pixel takes
    *("out_height", "out_width", "out_pitch"),
    *("kernel", "stride", "top", "left"),  # top, left: rows and columns of border
    *("window_width", "window_pitch", "chunk"),  # chunk: output rows made from one window
    *("expand", "filter", "project"),  # layers, or NONE
    *("map_at", "map_channels"),  # values of one image's earlier maps where this one is asked for, else NONE
)
STEP = np.dtype([(name, "i8") for name in _NAMES])


@dataclass(frozen=True)
class Program:
    """A table of STEP records, and what it takes to walk it."""

    steps: Table
    map_shapes: dict[int, Shape]  # (C, h, w) by block, in the order in which they are made
    slot_values: int  # memory for the maps of one image
    window_values: int  # memory for the window of one thread
    zero_values: int  # memory that holds zeros, at least one pixel of any map


def write_program(network: Network, places: tuple[int, ...], height: int, width: int) -> Program:
    """Write down the steps up to the deepest of the blocks ``places``, whose maps are asked for."""
    writer = _Writer(layer_numbers(network, max(places)))
    here, shape, made = PIXELS, (height, width, 3), 0
    maps: dict[int, Shape] = {}
    for place, block in enumerate(network.blocks[: max(places) + 1]):
        here, shape = writer.write_block(block, here, shape)
        if place in places:
            maps[place] = (shape[2], shape[0], shape[1])
            writer.steps[-1]["map_at"] = made
            made += shape[0] * shape[1] * shape[2]
    slot_values = writer.place_slots()
    steps = np.array([tuple(step[name] for name in _NAMES) for step in writer.steps], STEP)
    widest = max(steps["out_pitch"].max(), steps["window_pitch"].max())
    return Program(steps, maps, slot_values, max(map(_values_of_window, writer.steps)), int(widest))


@dataclass
class _Writer:
    """Appends steps; slots are numbers until all are known and get their place in memory."""

    numbers: dict[str, int]  # of the layers, by name
    steps: list[dict[str, int]] = field(default_factory=list)
    slots: dict[int, int] = field(default_factory=dict)  # largest map of each

    def write_block(self, block: Block, source: int, shape: Shape) -> tuple[int, Shape]:
        """Append a block, the sum with its input included, and tell where its map is and of what shape."""
        residual, here, now = source, source, shape
        if isinstance(block.shortcut, Convolution):
            residual, _ = self._write(CONVOLVE, source, shape, {source}, filter=block.shortcut)
        for kind, parts in _grouped(block):
            here, now = self._write(kind, here, now, {source, residual, here}, **parts)
        if block.shortcut != "none":
            self.steps[-1]["residual"] = residual
        return here, now

    def _write(self, kind: int, source: int, shape: Shape, busy: set[int], **parts: Sliding) -> tuple[int, Shape]:
        numbers = {part: self._number(parts.get(part)) for part in ("expand", "filter", "project")}
        middle = _channels_of(parts.get("expand"), shape[2])
        outputs = _channels_of(parts.get("project", parts["filter"]), middle)
        pitch = shape[2] if source == PIXELS else pitch_of(shape[2])
        target = next(slot for slot in count() if slot not in busy)
        step = {
            "kind": kind, "source": source, "target": target, "residual": NONE, "map_at": NONE, "map_channels": outputs,
            "pitch": pitch, "window_pitch": pitch if middle == shape[2] else pitch_of(middle),
            "out_pitch": pitch_of(outputs), **numbers, **_geometry(parts["filter"], shape),
        }  # fmt: skip
        step["chunk"] = _rows_at_once(step)
        self.steps.append(step)
        made = step["out_height"], step["out_width"], outputs
        self.slots[target] = max(made[0] * made[1] * step["out_pitch"], self.slots.get(target, 0))
        return target, made

    def _number(self, part: Sliding | None) -> int:
        return self.numbers[part.name] if isinstance(part, Convolution) else NONE

    def place_slots(self) -> int:
        """Put the slots one behind another, their places in place of their numbers, and tell the length of all."""
        places, end = {NONE: NONE, PIXELS: PIXELS}, 0
        for slot, values in sorted(self.slots.items()):
            places[slot] = end
            end += values
        for step in self.steps:
            step |= {role: places[step[role]] for role in ("source", "target", "residual")}
        return end


def _grouped(block: Block) -> list[tuple[int, dict[str, Sliding]]]:
    """A block's steps as the compiled code takes them: inverted residuals in one piece, all else one by one."""
    if any(isinstance(step, Convolution) and step.depthwise for step in block.steps):
        *expand, depthwise, project = block.steps
        return [(SEPARABLE, dict(zip(("filter", "project", "expand"), (depthwise, project, *expand), strict=False)))]
    return [(POOL if isinstance(step, MaxPool) else CONVOLVE, {"filter": step}) for step in block.steps]


def _channels_of(sliding: Sliding | None, channels: int) -> int:
    return sliding.out_channels if isinstance(sliding, Convolution) else channels


def _geometry(sliding: Sliding, shape: Shape) -> dict[str, int]:
    """Where a sliding window lies on a map and what it makes of it."""
    rule = sliding.kernel, sliding.stride, sliding.padding
    out_height, out_width = (length_after(length, *rule) for length in shape[:2])
    top, left = (pads(length, *rule)[0] for length in shape[:2])
    return {
        "height": shape[0], "width": shape[1], "out_height": out_height, "out_width": out_width,
        "kernel": sliding.kernel, "stride": sliding.stride, "top": top, "left": left,
        "window_width": (out_width - 1) * sliding.stride + sliding.kernel,
    }  # fmt: skip


def _rows_at_once(step: dict[str, int]) -> int:
    """Output rows, at least one, whose window and depthwise results take WINDOW_VALUES."""
    line = step["window_width"] * step["window_pitch"]
    per_row = step["stride"] * line + step["out_width"] * step["window_pitch"]
    fitting = (WINDOW_VALUES - (step["kernel"] - step["stride"]) * line) // per_row
    return max(1, min(step["out_height"], fitting))


def _values_of_window(step: dict[str, int]) -> int:
    rows = (step["chunk"] - 1) * step["stride"] + step["kernel"]
    pixels = rows * step["window_width"] + step["chunk"] * step["out_width"]
    return pixels * step["window_pitch"]
