"""The steps of a program, compiled: each makes some rows of one map from the rows of another.

Channels-last throughout; places are indices into ``memory`` (see ``numba_blocks``). Nothing here allocates.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from patchcore_plugin.extractors.numba_blocks import dense_block, depthwise_block
from patchcore_plugin.extractors.numba_program import NONE, PIXELS, POOL, SEPARABLE
from patchcore_plugin.extractors.numba_vectors import BLOCK_PIXELS, BLOCK_VECTORS, VECTOR

_ZERO = np.int64(0)  # a plain 0 in a call would make Numba compile the callee once more, for that very number


@njit
def run_step(step, layers, weights, pixels, image, memory, slots, scratch, first, end):
    """Make rows ``first`` .. ``end`` of a step's map for one image.

    ``slots`` is where the image's maps begin, ``scratch`` where this thread's window begins.
    """
    if step.kernel == 1:
        _convolve_directly(step, layers, weights, memory, slots, first, end)
        return
    for row in range(first, end, step.chunk):
        count = min(step.chunk, end - row)
        _fill_window(step, layers, weights, pixels, image, memory, slots, scratch, row, count, row > first)
        target = slots + step.target + row * step.out_width * step.out_pitch
        if step.kind == POOL:
            _pool(step, memory, scratch, target, count)
        elif step.kind == SEPARABLE:
            _filter_and_project(step, layers, weights, memory, slots, scratch, row, count)
        else:
            _convolve(step, layers, weights, memory, slots, scratch, row, count)


@njit
def _dense(layer, weights, memory, source, pixel_pitch, row_pitch, start, start_pitch, target, pixels):
    """A convolution at ``pixels`` places in a row, cut into blocks of about equal size."""
    groups = (layer.vectors + BLOCK_VECTORS - 1) // BLOCK_VECTORS
    blocks = (pixels + BLOCK_PIXELS - 1) // BLOCK_PIXELS
    panel_pitch = layer.rows * layer.run * VECTOR
    target_pitch = layer.vectors * VECTOR
    for group in range(groups):  # outside: the weights of one group are used again while they are near
        v = group * layer.vectors // groups
        vectors = (group + 1) * layer.vectors // groups - v
        for block in range(blocks):
            p = block * pixels // blocks
            dense_block(
                (block + 1) * pixels // blocks - p, vectors, memory, weights,
                source + p * pixel_pitch, pixel_pitch, row_pitch,
                layer.panels + v * panel_pitch, panel_pitch, layer.rows, layer.run, layer.bias + v * VECTOR,
                start + p * start_pitch + v * VECTOR, start_pitch, target + p * target_pitch + v * VECTOR, target_pitch,
                layer.low, layer.high,
            )  # fmt: skip


@njit
def _residual(step, slots, row):
    """Where the map begins that is added, and its pitch. Memory begins with zeros for those who add nothing."""
    if step.residual == NONE:
        return 0, 0
    return slots + step.residual + row * step.out_width * step.out_pitch, step.out_pitch


@njit
def _convolve_directly(step, layers, weights, memory, slots, first, end):
    """A convolution that looks at single pixels needs no window."""
    for row in range(first, end):
        source = slots + step.source + row * step.stride * step.width * step.pitch
        target = slots + step.target + row * step.out_width * step.out_pitch
        start, start_pitch = _residual(step, slots, row)
        pitch = step.stride * step.pitch
        _dense(layers[step.filter], weights, memory, source, pitch, _ZERO, start, start_pitch, target, step.out_width)


@njit
def _convolve(step, layers, weights, memory, slots, window, row, count):
    window_row = step.window_width * step.window_pitch
    pitch = step.stride * step.window_pitch
    for y in range(count):
        source = window + y * step.stride * window_row
        target = slots + step.target + (row + y) * step.out_width * step.out_pitch
        start, start_pitch = _residual(step, slots, row + y)
        _dense(layers[step.filter], weights, memory, source, pitch, window_row, start, start_pitch, target, step.out_width)


@njit
def _filter_and_project(step, layers, weights, memory, slots, window, row, count):
    middle = _after_window(step, window)
    _depthwise(step, layers[step.filter], weights, memory, window, middle, count)
    target = slots + step.target + row * step.out_width * step.out_pitch
    start, start_pitch = _residual(step, slots, row)
    pixels = count * step.out_width
    _dense(layers[step.project], weights, memory, middle, step.window_pitch, _ZERO, start, start_pitch, target, pixels)


@njit
def _after_window(step, window):
    rows = (step.chunk - 1) * step.stride + step.kernel
    return window + rows * step.window_width * step.window_pitch


@njit
def _depthwise(step, layer, weights, memory, window, middle, count):
    window_row = step.window_width * step.window_pitch
    blocks = (step.out_width + BLOCK_PIXELS - 1) // BLOCK_PIXELS
    for v in range(layer.vectors):  # outside: one vector of channels of the whole window fits the nearest cache
        taps = layer.panels + v * step.kernel * step.kernel * VECTOR
        for y in range(count):
            for block in range(blocks):
                x = block * step.out_width // blocks
                depthwise_block(
                    (block + 1) * step.out_width // blocks - x, memory, weights,
                    window + y * step.stride * window_row + x * step.stride * step.window_pitch + v * VECTOR,
                    step.stride * step.window_pitch, step.window_pitch, window_row,
                    taps, step.kernel, layer.bias + v * VECTOR,
                    middle + (y * step.out_width + x) * step.window_pitch + v * VECTOR, step.window_pitch,
                    layer.low, layer.high,
                )  # fmt: skip


@njit
def _pool(step, memory, window, target, count):
    for y in range(count):
        for x in range(step.out_width):
            place = window + (y * step.window_width + x) * step.stride * step.window_pitch
            for c in range(step.window_pitch):
                memory[target + c] = memory[place + c]
            for tap in range(1, step.kernel * step.kernel):
                seen = place + (tap // step.kernel * step.window_width + tap % step.kernel) * step.window_pitch
                for c in range(step.window_pitch):
                    memory[target + c] = max(memory[target + c], memory[seen + c])
            target += step.out_pitch


@njit
def _fill_window(step, layers, weights, pixels, image, memory, slots, window, row, count, follows):
    """Put the source rows that ``count`` output rows from ``row`` on look at into the window, with their border.

    Where the window ``follows`` the one before, the rows that both look at are moved, not made again.
    """
    window_row = step.window_width * step.window_pitch
    shared = max(0, step.kernel - step.stride) if follows else 0
    if shared:
        _copy(memory, window, window + step.chunk * step.stride * window_row, shared * window_row)
    columns = min(step.width, step.window_width - step.left)
    for r in range(shared, (count - 1) * step.stride + step.kernel):
        y = row * step.stride - step.top + r
        place = window + r * window_row
        if 0 <= y < step.height:
            inner = place + step.left * step.window_pitch
            _fill(memory, place, inner, step.border)
            _fill_row(step, layers, weights, pixels, image, memory, slots, inner, y, columns)
            _fill(memory, inner + columns * step.window_pitch, place + window_row, step.border)
        else:
            _fill(memory, place, place + window_row, step.border)


@njit
def _fill(memory, start, end, value):
    place = memory[start:end]
    for i in range(len(place)):
        place[i] = value


@njit
def _copy(memory, target, source, count):
    """Copy values to a place that does not overlap theirs, or lies before it."""
    to, values = memory[target : target + count], memory[source : source + count]
    for i in range(count):
        to[i] = values[i]


@njit
def _fill_row(step, layers, weights, pixels, image, memory, slots, target, y, columns):
    """One row of the source: taken from the images, expanded to more channels, or copied."""
    if step.source == PIXELS:
        for c in range(step.pitch):
            values, to = pixels[image, c, y], memory[target + c : target + columns * step.pitch : step.pitch]
            for x in range(columns):
                to[x] = values[x]
        return
    source = slots + step.source + y * step.width * step.pitch
    if step.expand != NONE:
        _dense(layers[step.expand], weights, memory, source, step.pitch, _ZERO, _ZERO, _ZERO, target, columns)
    else:
        _copy(memory, target, source, columns * step.pitch)


@njit
def write_map(step, memory, slots, maps, images, image, first, end):
    """Copy rows of a finished map from channels-last to channels-first, which is what the caller gets."""
    size = step.out_height * step.out_width
    source = slots + step.target
    target = step.map_at * images + image * step.map_channels * size
    for c in range(step.map_channels):
        for i in range(first * step.out_width, end * step.out_width):
            maps[target + c * size + i] = memory[source + i * step.out_pitch + c]
