"""The steps of a program, compiled: each makes some rows of one map from the rows of another.

Maps lie channels-last, and places are indices into ``memory``, as ``numba_blocks`` has it. A *lane* is one image on its
way: ``lane.slots`` is where its maps begin, ``lane.window`` where the window of the thread at work begins. Nothing here
allocates.

Two habits keep Numba fast. Loops over neighbors run on slices, since an index that is a sum might be negative for all
Numba knows, and it then tests each one. And constants in calls are ``_ZERO``, since a plain 0 would make Numba compile
the callee once more for that very number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from patchcore_plugin.extractors.numba_blocks import Dense, Depthwise, dense_block, depthwise_block
from patchcore_plugin.extractors.numba_program import CONVOLVE, NONE, PIXELS, POOL, SEPARABLE
from patchcore_plugin.extractors.numba_vectors import BLOCK_PIXELS, BLOCK_VECTORS, VECTOR

if TYPE_CHECKING:
    from patchcore_plugin.extractors.numba_weights import Floats, Table

_ZERO = np.int64(0)


class Arrays(NamedTuple):
    """Everything that the steps read and write."""

    layers: Table
    weights: Floats
    pixels: Floats  # (B, 3, H, W)
    memory: Floats  # begins with zeros, for steps that add no other map
    maps: Floats  # those asked for: layer by layer, each (B, C, h, w)


class Lane(NamedTuple):
    """One image on its way."""

    image: int
    slots: int
    window: int


@njit
def run_step(step, arrays, lane, first, end):  # type: ignore[no-untyped-def]
    """Make rows ``first`` .. ``end`` of a step's map."""
    if step.kind == CONVOLVE and step.kernel == 1 and step.source != PIXELS:
        _convolve_pixels(step, arrays, lane, first, end)
    else:
        for row in range(first, end, step.chunk):
            count = min(step.chunk, end - row)
            _fill_window(step, arrays, lane, row, count, row > first)
            if step.kind == POOL:
                _pool(step, arrays, lane, row, count)
            elif step.kind == SEPARABLE:
                _filter_and_project(step, arrays, lane, row, count)
            else:
                _convolve_window(step, arrays, lane, row, count)
    if step.map_at != NONE:
        _hand_over(step, arrays, lane, first, end)


@njit
def _convolve_pixels(step, arrays, lane, first, end):  # type: ignore[no-untyped-def]
    """A convolution that looks at single pixels reads them where they are."""
    for row in range(first, end):
        source = lane.slots + step.source + row * step.stride * step.width * step.pitch
        pitch = step.stride * step.pitch
        _dense(step, arrays, lane, step.filter, source, pitch, _ZERO, row, step.out_width)


@njit
def _convolve_window(step, arrays, lane, row, count):  # type: ignore[no-untyped-def]
    line = step.window_width * step.window_pitch
    pitch = step.stride * step.window_pitch
    for y in range(count):
        source = lane.window + y * step.stride * line
        _dense(step, arrays, lane, step.filter, source, pitch, line, row + y, step.out_width)


@njit
def _filter_and_project(step, arrays, lane, row, count):  # type: ignore[no-untyped-def]
    lines = (step.chunk - 1) * step.stride + step.kernel
    filtered = lane.window + lines * step.window_width * step.window_pitch
    _depthwise(step, arrays, lane, filtered, count)
    _dense(step, arrays, lane, step.project, filtered, step.window_pitch, _ZERO, row, count * step.out_width)


@njit
def _dense(step, arrays, lane, number, source, pixel_pitch, row_pitch, row, pixels):  # type: ignore[no-untyped-def]
    """Convolve at ``pixels`` places into the step's map from ``row`` on, and add the map the step asks for."""
    target = lane.slots + step.target + row * step.out_width * step.out_pitch
    start, start_pitch = _ZERO, _ZERO
    if step.residual != NONE:
        start, start_pitch = lane.slots + step.residual + row * step.out_width * step.out_pitch, step.out_pitch
    _dense_blocks(arrays, number, source, pixel_pitch, row_pitch, start, start_pitch, target, pixels)


@njit
def _dense_blocks(arrays, number, source, pixel_pitch, row_pitch, start, start_pitch, target, pixels):  # type: ignore[no-untyped-def]
    """Cut a convolution into blocks of nearly equal size."""
    layer = arrays.layers[number]
    groups = (layer.vectors + BLOCK_VECTORS - 1) // BLOCK_VECTORS
    blocks = (pixels + BLOCK_PIXELS - 1) // BLOCK_PIXELS
    panel_pitch, target_pitch = layer.rows * layer.run * VECTOR, layer.vectors * VECTOR
    for group in range(groups):  # outside, so that the weights of one group are near when they are used again
        v = group * layer.vectors // groups
        vectors = (group + 1) * layer.vectors // groups - v
        for block in range(blocks):
            p = block * pixels // blocks
            task = Dense(
                (block + 1) * pixels // blocks - p, vectors,
                source + p * pixel_pitch, pixel_pitch, row_pitch, layer.rows, layer.run,
                layer.panels + v * panel_pitch, panel_pitch, layer.bias + v * VECTOR,
                start + p * start_pitch + v * VECTOR, start_pitch,
                target + p * target_pitch + v * VECTOR, target_pitch, layer.low, layer.high,
            )  # fmt: skip
            dense_block(arrays.memory, arrays.weights, task)  # type: ignore[call-arg]  # Numba adds one


@njit
def _depthwise(step, arrays, lane, target, count):  # type: ignore[no-untyped-def]
    layer = arrays.layers[step.filter]
    line = step.window_width * step.window_pitch
    blocks = (step.out_width + BLOCK_PIXELS - 1) // BLOCK_PIXELS
    for v in range(layer.vectors):  # outside, so that the first-level cache holds what neighboring rows share
        for y in range(count):
            for block in range(blocks):
                x = block * step.out_width // blocks
                task = Depthwise(
                    (block + 1) * step.out_width // blocks - x,
                    lane.window + y * step.stride * line + x * step.stride * step.window_pitch + v * VECTOR,
                    step.stride * step.window_pitch, line, step.window_pitch, step.kernel,
                    layer.panels + v * step.kernel * step.kernel * VECTOR, layer.bias + v * VECTOR,
                    target + (y * step.out_width + x) * step.window_pitch + v * VECTOR, step.window_pitch,
                    layer.low, layer.high,
                )  # fmt: skip
                depthwise_block(arrays.memory, arrays.weights, task)  # type: ignore[call-arg]  # Numba adds one


@njit
def _pool(step, arrays, lane, row, count):  # type: ignore[no-untyped-def]
    memory, pitch = arrays.memory, step.window_pitch
    for y in range(count):
        for x in range(step.out_width):
            target = lane.slots + step.target + ((row + y) * step.out_width + x) * pitch
            corner = lane.window + (y * step.window_width + x) * step.stride * pitch
            _copy(memory, target, corner, pitch)
            largest = memory[target : target + pitch]
            for tap in range(1, step.kernel * step.kernel):
                place = corner + (tap // step.kernel * step.window_width + tap % step.kernel) * pitch
                values = memory[place : place + pitch]
                for c in range(pitch):
                    largest[c] = max(largest[c], values[c])


@njit
def _fill_window(step, arrays, lane, row, count, follows):  # type: ignore[no-untyped-def]
    """Put the source rows that ``count`` output rows look at, from ``row`` on, into the window, with their border.

    A window that ``follows`` another takes over the rows that both look at.
    """
    memory, line = arrays.memory, step.window_width * step.window_pitch
    border = np.float32(-np.inf if step.kind == POOL else 0.0)  # what lies outside never wins a max-pool
    shared = max(0, step.kernel - step.stride) if follows else 0
    _copy(memory, lane.window, lane.window + step.chunk * step.stride * line, shared * line)
    columns = min(step.width, step.window_width - step.left)
    for r in range(shared, (count - 1) * step.stride + step.kernel):
        y = row * step.stride - step.top + r
        place = lane.window + r * line
        if 0 <= y < step.height:
            inner = place + step.left * step.window_pitch
            after = inner + columns * step.window_pitch
            memory[place:inner] = border
            _fill_row(step, arrays, lane, y, columns, inner)
            memory[after : place + line] = border
        else:
            memory[place : place + line] = border


@njit
def _fill_row(step, arrays, lane, y, columns, target):  # type: ignore[no-untyped-def]
    """Bring one row of the source: expanded to more channels, or as it is."""
    if step.source == PIXELS:
        end = target + columns * step.pitch
        for c in range(step.pitch):
            values, to = arrays.pixels[lane.image, c, y], arrays.memory[target + c : end : step.pitch]
            for x in range(columns):
                to[x] = values[x]
        return
    source = lane.slots + step.source + y * step.width * step.pitch
    if step.expand == NONE:
        _copy(arrays.memory, target, source, columns * step.pitch)
    else:
        _dense_blocks(arrays, step.expand, source, step.pitch, _ZERO, _ZERO, _ZERO, target, columns)


@njit
def _copy(memory, target, source, count):  # type: ignore[no-untyped-def]
    """Copy values forwards: right where the two places do not overlap or the target lies before the source."""
    to, values = memory[target : target + count], memory[source : source + count]
    for i in range(count):
        to[i] = values[i]


@njit
def _hand_over(step, arrays, lane, first, end):  # type: ignore[no-untyped-def]
    """Copy finished rows to the maps that the caller gets, channels first."""
    size = step.out_height * step.out_width
    begin, stop = first * step.out_width, end * step.out_width
    source = lane.slots + step.target
    for c in range(step.map_channels):
        place = step.map_at * len(arrays.pixels) + (lane.image * step.map_channels + c) * size
        values = arrays.memory[source + begin * step.out_pitch + c : source + stop * step.out_pitch : step.out_pitch]
        to = arrays.maps[place + begin : place + stop]
        for i in range(stop - begin):
            to[i] = values[i]
