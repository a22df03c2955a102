"""The inner loop of the pruned sampler in vectors of the processor: short products of many pairs.

A *panel* holds the short vectors of ``LANES`` centres side by side, value by value, so that one row's value meets all
of them at once; before them stands what the sums start from.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from patchcore_plugin.extractors.numba_vectors import BLOCK_PIXELS, BLOCK_VECTORS, VECTOR, VectorCode

BLOCK = BLOCK_PIXELS  # rows that meet a panel together: what fits in registers
LANES = BLOCK_VECTORS * VECTOR  # centres of one panel


@intrinsic
def near_block(_: Any, short: Any, places: Any, panels: Any, panel: Any, limits: Any, sums: Any, near: Any) -> Any:
    """Meet ``BLOCK`` rows with one panel and mark the centres that are not proven far.

    Shapes: short float32 (n, w), places int64 (BLOCK,), panels float32 (P, w + 1, LANES), limits float32 (BLOCK,),
            sums float32 (BLOCK, LANES), near uint64 (BLOCK,); the last two are filled.

    for each p < BLOCK, for each lane:
        sums[p, lane] = panels[panel, 0, lane] + sum over i of short[places[p], i] * panels[panel, 1 + i, lane]
        bit ``lane`` of near[p] = sums[p, lane] < limits[p]
    """

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = VectorCode(builder)
        arrays = [context.make_array(signature.args[i])(context, builder, args[i]) for i in (0, 1, 2, 4, 5, 6)]
        short, places, panels, limits, sums, near = (array.data for array in arrays)
        width = builder.extract_value(arrays[0].shape, 1)
        rows = [builder.load(code.address(places, p)) for p in range(BLOCK)]
        starts = [code.address(short, code.times(row, width)) for row in rows]
        values = builder.mul(builder.add(width, code.whole(1)), code.whole(LANES))
        first = code.address(panels, code.times(args[3], values))
        totals = [[code.variable(code.load(first, v * VECTOR)) for v in range(BLOCK_VECTORS)] for _ in range(BLOCK)]
        with code.repeat(width) as i:
            line = code.address(first, LANES, code.times(i, LANES))
            factors = [code.load(line, v * VECTOR) for v in range(BLOCK_VECTORS)]
            for p in range(BLOCK):
                x = code.load_splat(starts[p], i)
                for v in range(BLOCK_VECTORS):
                    code.add_product(totals[p][v], x, factors[v])
        for p in range(BLOCK):
            limit, bits = code.load_splat(limits, p), code.whole(0)
            for v in range(BLOCK_VECTORS):
                total = builder.load(totals[p][v])
                code.store(total, sums, p * LANES + v * VECTOR)
                below = builder.bitcast(builder.fcmp_ordered("<", total, limit), ir.IntType(VECTOR))
                wide = builder.zext(below, ir.IntType(64))
                bits = builder.or_(bits, builder.shl(wide, code.whole(v * VECTOR)))
            builder.store(bits, code.address(near, p))
        return context.get_dummy_value()

    return types.void(short, places, panels, panel, limits, sums, near), write


@intrinsic
def lowest_bit(_: Any, bits: Any) -> Any:  # noqa: ARG001 - Numba binds arguments by name
    """The place of the lowest bit that is set; ``bits`` must not be 0."""

    def write(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), write
