"""The two inner blocks that nearly all time is spent in; their sums stay in vector registers.

Maps lie channels-last here: the channels of one pixel are neighbors in memory, so a vector holds ``VECTOR`` channels of
one pixel. Places are indices into two flat float32 arrays: ``memory`` holds whatever is computed, ``weights`` whatever
was learned. A *pitch* is the distance from one thing to the next, in values.

The functions named ``write`` run while Numba compiles: a Python loop there becomes a row of instructions, and only
``for_range`` becomes a loop of the program. Blocks exist for every number of pixels (and vectors) up to the largest, so
the edges of a map cost nothing extra; each output is summed in one order, whichever block it falls into.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.cgutils import for_range
from numba.extending import intrinsic

from patchcore_plugin.extractors.numba_vectors import BLOCK_PIXELS, BLOCK_VECTORS, VECTOR, VectorCode


def _data(context: Any, builder: Any, kind: Any, array: Any) -> ir.Value:
    """The address of the first value of a Numba array."""
    return context.make_array(kind)(context, builder, array).data


@intrinsic  # type: ignore[untyped-decorator]
def dense_block(
    _, pixels, vectors, memory, weights, source, pixel_pitch, row_pitch, panel, panel_pitch, rows, run, bias,
    start, start_pitch, target, target_pitch, low, high,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Outputs of a convolution over all input channels: ``pixels`` neighbors x ``vectors`` vectors of output channels.

    The window has ``rows`` rows of ``run`` values (all channels of the pixels in that row, side by side), so a pointwise
    convolution is one row of as many values as there are channels. For pixel p and vector v the block computes

        total = bias[v] + memory[start + p * start_pitch + v]
        for each row, for each i < run:
            total += memory[source + p * pixel_pitch + row * row_pitch + i] * panel[v][row * run + i]
        memory[target + p * target_pitch + v] = total limited to low .. high

    ``panel[v]`` and ``bias[v]`` being vectors of ``weights``, and v counting whole vectors. Each value read serves all
    vectors and each weight read serves all pixels while they are in registers: 24 fused multiply-adds for 11 reads.
    """
    whole, real = types.intp, types.float32
    signature = types.void(whole, whole, memory, weights, *[whole] * 12, real, real)

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (
            pixels, vectors, memory, weights, source, pixel_pitch, row_pitch, panel, panel_pitch, rows, run, bias,
            start, start_pitch, target, target_pitch, low, high,
        ) = args  # fmt: skip
        builder.function.attributes.add("noinline")
        code = VectorCode(builder)
        memory = _data(context, builder, signature.args[2], memory)
        weights = _data(context, builder, signature.args[3], weights)

        def block(pixels: int, vectors: int) -> None:
            biases = [code.load(weights, bias, v * VECTOR) for v in range(vectors)]
            totals = [[code.variable(builder.fadd(biases[v], code.load(memory, start, code.times(p, start_pitch), v * VECTOR)))
                       for v in range(vectors)] for p in range(pixels)]  # fmt: skip
            with for_range(builder, rows) as row, for_range(builder, run) as column:
                place = code.address(memory, source, code.times(row.index, row_pitch), column.index)
                weight = builder.add(code.times(row.index, run), column.index)
                factors = [code.load(weights, panel, code.times(v, panel_pitch), code.times(weight, VECTOR)) for v in range(vectors)]
                for p in range(pixels):
                    value = code.load_splat(place, code.times(p, pixel_pitch))
                    for v in range(vectors):
                        code.add_product(totals[p][v], value, factors[v])
            lowest, highest = code.splat(low), code.splat(high)
            for p in range(pixels):
                for v in range(vectors):
                    result = code.clamp(builder.load(totals[p][v]), lowest, highest)
                    code.store(result, memory, target, code.times(p, target_pitch), v * VECTOR)

        code.per_size(pixels, BLOCK_PIXELS, lambda p: code.per_size(vectors, BLOCK_VECTORS, lambda v: block(p, v)))
        return context.get_dummy_value()

    return signature, write


@intrinsic  # type: ignore[untyped-decorator]
def depthwise_block(
    _, pixels, memory, weights, source, pixel_pitch, column_pitch, row_pitch, taps, kernel, bias,
    target, target_pitch, low, high,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Outputs of a depthwise convolution: one vector of channels of ``pixels`` neighbors.

    For pixel p, with ``taps[row][column]`` and ``bias`` being vectors of ``weights``:

        total = bias
        for each row < kernel, for each column < kernel:
            total += memory[source + p * pixel_pitch + row * row_pitch + column * column_pitch] * taps[row][column]
        memory[target + p * target_pitch] = total limited to low .. high
    """
    whole, real = types.intp, types.float32
    signature = types.void(whole, memory, weights, *[whole] * 9, real, real)

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (
            pixels, memory, weights, source, pixel_pitch, column_pitch, row_pitch, taps, kernel, bias,
            target, target_pitch, low, high,
        ) = args  # fmt: skip
        builder.function.attributes.add("noinline")
        code = VectorCode(builder)
        memory = _data(context, builder, signature.args[1], memory)
        weights = _data(context, builder, signature.args[2], weights)

        def block(pixels: int) -> None:
            totals = [code.variable(code.load(weights, bias)) for _ in range(pixels)]
            with for_range(builder, kernel) as row, for_range(builder, kernel) as column:
                place = code.address(
                    memory, source, code.times(row.index, row_pitch), code.times(column.index, column_pitch)
                )
                tap = builder.add(code.times(row.index, kernel), column.index)
                factor = code.load(weights, taps, code.times(tap, VECTOR))
                for p in range(pixels):
                    code.add_product(totals[p], code.load(place, code.times(p, pixel_pitch)), factor)
            lowest, highest = code.splat(low), code.splat(high)
            for p in range(pixels):
                result = code.clamp(builder.load(totals[p]), lowest, highest)
                code.store(result, memory, target, code.times(p, target_pitch))

        code.per_size(pixels, BLOCK_PIXELS, block)
        return context.get_dummy_value()

    return signature, write
