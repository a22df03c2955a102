"""The inner loops of the pruned sampler in vectors of the processor: short products of many pairs, and one distance.

A *panel* holds the short vectors of ``LANES`` centres side by side, value by value, so that one row's value meets all
of them at once; before them stands what the sums start from. Sums run in one order that nothing changes: the same two
rows have the same distance, bit by bit, wherever and whenever it is computed.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from patchcore_plugin.extractors.numba_vectors import BLOCK_PIXELS, BLOCK_VECTORS, VECTOR, VectorCode

BLOCK = BLOCK_PIXELS  # rows that meet a panel together: what fits in registers
LANES = BLOCK_VECTORS * VECTOR  # centres of one panel
_SUMS = 4  # vectors of partial sums in a distance, so that additions need not wait for each other
_cgutils: Any = cgutils  # has no type information


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


@intrinsic
def square_between(_: Any, a: Any, i: Any, b: Any, j: Any) -> Any:  # noqa: ARG001 - Numba binds arguments by name
    """The squared distance of ``a[i]`` and ``b[j]``, from differences; both arrays C-contiguous and of one type.

    The same bits for the same two rows, in either order. No term goes through more than D / (4 * VECTOR) + 2 * VECTOR
    roundings.
    """

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = DistanceCode(builder, signature.args[0].dtype)
        arrays = [context.make_array(signature.args[n])(context, builder, args[n]) for n in (0, 2)]
        width = builder.extract_value(arrays[0].shape, 1)
        x, y = (builder.gep(array.data, [builder.mul(args[n], width)]) for array, n in zip(arrays, (1, 3), strict=True))
        return code.square(x, y, width)

    return a.dtype(a, types.int64, b, types.int64), write


class DistanceCode:
    """Writes the sum of squared differences: strides of four vectors, then single vectors, then single values."""

    def __init__(self, builder: Any, kind: Any) -> None:
        builder.function.attributes.add("noinline")  # a caller's optimiser cannot change the order of sums
        narrow = kind == types.float32
        self.builder = builder
        self.item = ir.FloatType() if narrow else ir.DoubleType()
        self.bytes = 4 if narrow else 8
        self.lanes = VECTOR if narrow else VECTOR // 2
        self.vector = ir.VectorType(self.item, self.lanes)

    def square(self, x: Any, y: Any, width: Any) -> Any:
        """The squared distance of the ``width`` values at two addresses."""
        zero = ir.Constant(self.vector, [0.0] * self.lanes)
        sums = [_cgutils.alloca_once_value(self.builder, zero) for _ in range(_SUMS)]
        rest = _cgutils.alloca_once_value(self.builder, ir.Constant(self.item, 0.0))
        done = self._add(x, y, self._whole(0), width, _SUMS * self.lanes, sums)
        done = self._add(x, y, done, width, self.lanes, sums[:1])
        self._add(x, y, done, width, 1, [rest])
        return self._joined(sums, rest)

    def _whole(self, value: int) -> Any:
        return ir.Constant(ir.IntType(64), value)

    def _add(self, x: Any, y: Any, done: Any, width: Any, step: int, sums: Any) -> Any:
        """Add all whole steps from ``done`` on; say how far that went."""
        kind = self.item if step == 1 else self.vector
        steps = self.builder.udiv(self.builder.sub(width, done), self._whole(step))
        with _cgutils.for_range(self.builder, steps) as loop:
            start = self.builder.add(done, self.builder.mul(loop.index, self._whole(step)))
            for n, total in enumerate(sums):
                place = self.builder.add(start, self._whole(n * self.lanes))
                difference = self.builder.fsub(self._load(x, place, kind), self._load(y, place, kind))
                self._add_square(kind, difference, total)
        return self.builder.add(done, self.builder.mul(steps, self._whole(step)))

    def _load(self, start: Any, place: Any, kind: Any) -> Any:
        address = self.builder.bitcast(self.builder.gep(start, [place]), kind.as_pointer())
        value = self.builder.load(address)
        value.align = self.bytes
        return value

    def _add_square(self, kind: Any, difference: Any, total: Any) -> None:
        """Add a square to a sum, in one rounding where the processor can do that."""
        letters = ("" if kind is self.item else f"v{self.lanes}") + f"f{8 * self.bytes}"
        multiply_add = ir.FunctionType(kind, [kind] * 3)
        function = _cgutils.get_or_insert_function(self.builder.module, multiply_add, f"llvm.fmuladd.{letters}")
        self.builder.store(self.builder.call(function, [difference, difference, self.builder.load(total)]), total)

    def _joined(self, sums: list[Any], rest: Any) -> Any:
        """One number from the partial sums, in pairs."""
        a, b, c, d = (self.builder.load(total) for total in sums)
        lanes = self.builder.fadd(self.builder.fadd(a, b), self.builder.fadd(c, d))
        places = [ir.Constant(ir.IntType(32), lane) for lane in range(self.lanes)]
        parts = [self.builder.extract_element(lanes, place) for place in places]
        while len(parts) > 1:
            parts = [self.builder.fadd(*pair) for pair in zip(parts[::2], parts[1::2], strict=True)]
        return self.builder.fadd(parts[0], self.builder.load(rest))
