"""The two inner blocks that nearly all time is spent in; their sums stay in vector registers.

Maps lie channels-last here: the channels of one pixel are neighbors in memory, so a vector holds ``VECTOR`` channels of
one pixel. Places are indices into two flat float32 arrays: ``memory`` holds whatever is computed, ``weights`` whatever
was learned. A *pitch* is the distance from one thing to the next, in values.

The functions named ``write`` run while Numba compiles: a Python loop there becomes a row of instructions, and only
``repeat`` becomes a loop of the program. Blocks exist for every number of pixels (and vectors) up to the largest, so
the edges of a map cost nothing extra; each output is summed in one order, whichever block it falls into.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numba import types
from numba.extending import intrinsic

from patchcore_plugin.extractors.numba_vectors import BLOCK_PIXELS, BLOCK_VECTORS, VECTOR, VectorCode


class Dense(NamedTuple):
    """A block of a convolution over all input channels. The window has ``rows`` rows of ``run`` values each.

    A run is all channels of the pixels in one row of the window, side by side. A pointwise convolution has one row.
    """

    pixels: Any  # neighbors computed, up to BLOCK_PIXELS
    vectors: Any  # of output channels, up to BLOCK_VECTORS
    source: Any  # in memory: the window of the first pixel
    pixel_pitch: Any  # from one pixel's window to the next
    row_pitch: Any  # from one row of a window to the next
    rows: Any
    run: Any
    panel: Any  # in weights: for each value of the window, the vector it is multiplied with
    panel_pitch: Any  # from the panel of one vector to the next
    bias: Any  # in weights
    start: Any  # in memory: a map that is added
    start_pitch: Any
    target: Any  # in memory
    target_pitch: Any
    low: Any  # sums are limited to low .. high
    high: Any


class Depthwise(NamedTuple):
    """A block of a convolution that keeps channels apart: one vector of them, a window of ``kernel`` x ``kernel``."""

    pixels: Any  # neighbors computed, up to BLOCK_PIXELS
    source: Any  # in memory: the window of the first pixel
    pixel_pitch: Any  # from one pixel's window to the next
    row_pitch: Any  # from one row of a window to the next
    column_pitch: Any
    kernel: Any
    taps: Any  # in weights: a vector for each place in the window
    bias: Any  # in weights
    target: Any  # in memory
    target_pitch: Any
    low: Any  # sums are limited to low .. high
    high: Any


@intrinsic
def dense_block(_: Any, memory: Any, weights: Any, task: Any) -> Any:
    """Compute one ``Dense`` task: for each pixel p and vector v, where v counts whole vectors.

        total = bias[v] + memory[start + p * start_pitch + v]
        for each row < rows, for each i < run:
            total += memory[source + p * pixel_pitch + row * row_pitch + i] * panel[v][row * run + i]
        memory[target + p * target_pitch + v] = total limited to low .. high

    Each value read serves all vectors and each weight read serves all pixels while they are in registers: a full block
    does 24 vector multiply-adds for 11 reads.
    """

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = VectorCode(builder)
        memory, weights = (code.start_of(context, signature.args[i], args[i]) for i in range(2))
        do = Dense(*code.fields(args[2], len(Dense._fields)))

        def block(pixels: int, vectors: int) -> None:
            totals = [[start_total(p, v) for v in range(vectors)] for p in range(pixels)]
            with code.repeat(do.rows) as row, code.repeat(do.run) as i:
                value = code.address(memory, do.source, code.times(row, do.row_pitch), i)
                panel = code.times(builder.add(code.times(row, do.run), i), VECTOR)
                factors = [code.load(weights, do.panel, code.times(v, do.panel_pitch), panel) for v in range(vectors)]
                for p in range(pixels):
                    x = code.load_splat(value, code.times(p, do.pixel_pitch))
                    for v in range(vectors):
                        code.add_product(totals[p][v], x, factors[v])
            for p in range(pixels):
                for v in range(vectors):
                    result = code.limited(totals[p][v], do.low, do.high)
                    code.store(result, memory, do.target, code.times(p, do.target_pitch), v * VECTOR)

        def start_total(p: int, v: int) -> Any:
            bias = code.load(weights, do.bias, v * VECTOR)
            return code.variable(
                builder.fadd(bias, code.load(memory, do.start, code.times(p, do.start_pitch), v * VECTOR))
            )

        code.per_size(
            do.pixels, BLOCK_PIXELS, lambda p: code.per_size(do.vectors, BLOCK_VECTORS, lambda v: block(p, v))
        )
        return context.get_dummy_value()

    return types.void(memory, weights, task), write


@intrinsic
def depthwise_block(_: Any, memory: Any, weights: Any, task: Any) -> Any:
    """Compute one ``Depthwise`` task: for each pixel p, all values being vectors.

    total = bias
    for each row < kernel, for each column < kernel:
        total += memory[source + p * pixel_pitch + row * row_pitch + column * column_pitch] * taps[row][column]
    memory[target + p * target_pitch] = total limited to low .. high
    """

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = VectorCode(builder)
        memory, weights = (code.start_of(context, signature.args[i], args[i]) for i in range(2))
        do = Depthwise(*code.fields(args[2], len(Depthwise._fields)))

        def block(pixels: int) -> None:
            totals = [code.variable(code.load(weights, do.bias)) for _ in range(pixels)]
            with code.repeat(do.kernel) as row, code.repeat(do.kernel) as column:
                value = code.address(
                    memory, do.source, code.times(row, do.row_pitch), code.times(column, do.column_pitch)
                )
                tap = builder.add(code.times(row, do.kernel), column)
                factor = code.load(weights, do.taps, code.times(tap, VECTOR))
                for p in range(pixels):
                    code.add_product(totals[p], code.load(value, code.times(p, do.pixel_pitch)), factor)
            for p in range(pixels):
                code.store(code.limited(totals[p], do.low, do.high), memory, do.target, code.times(p, do.target_pitch))

        code.per_size(do.pixels, BLOCK_PIXELS, block)
        return context.get_dummy_value()

    return types.void(memory, weights, task), write
