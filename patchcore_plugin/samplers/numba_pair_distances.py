"""Squared distances by differences, in vectors of the processor: of one pair, or of a few pairs that share their rows.

Sums run in one order that nothing changes: the same two rows have the same distance, bit by bit, wherever, whenever and
beside whatever other pairs it is computed.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from patchcore_plugin.extractors.numba_vectors import BLOCK_PIXELS, VECTOR

A_ROWS, B_ROWS = (2 if BLOCK_PIXELS == 8 else 1), 3  # of a block: their sums fill the registers, but for a few
_SUMS = 4  # vectors of partial sums in a distance, so that additions need not wait for each other
_cgutils: Any = cgutils  # has no type information


@intrinsic
def square_between(_: Any, a: Any, i: Any, b: Any, j: Any) -> Any:  # noqa: ARG001 - Numba binds arguments by name
    """The squared distance of ``a[i]`` and ``b[j]``, from differences; both arrays C-contiguous and of one type.

    The same bits for the same two rows, in either order. No term sees more than D / (4 * VECTOR) + 16 roundings.
    """

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = DistanceCode(context, builder, signature.args[0].dtype)
        xs, width = code.rows_of(signature.args[0], args[0], [args[1]])
        ys, _ = code.rows_of(signature.args[2], args[2], [args[3]])
        return code.squares(xs, ys, width)[0][0]

    return a.dtype(a, types.int64, b, types.int64), write


@intrinsic
def squares_between(_: Any, a: Any, rows: Any, b: Any, others: Any, squares: Any) -> Any:
    """The squared distances of ``A_ROWS`` rows and ``B_ROWS`` others, with the bits of ``square_between``.

    Shapes: a (n, D), rows int64 (A_ROWS,): places in a; b (m, D), others int64 (B_ROWS,): places in b;
            squares (A_ROWS, B_ROWS) of the same type is filled.
    """

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = DistanceCode(context, builder, signature.args[0].dtype)
        places, others, target = (
            context.make_array(signature.args[n])(context, builder, args[n]).data for n in (1, 3, 4)
        )
        xs, width = code.rows_of(signature.args[0], args[0], [code.item_of(places, n) for n in range(A_ROWS)])
        ys, _ = code.rows_of(signature.args[2], args[2], [code.item_of(others, n) for n in range(B_ROWS)])
        for p, line in enumerate(code.squares(xs, ys, width)):
            for q, square in enumerate(line):
                builder.store(square, builder.gep(target, [ir.Constant(ir.IntType(64), p * B_ROWS + q)]))
        return context.get_dummy_value()

    return types.void(a, rows, b, others, squares), write


class DistanceCode:
    """Writes sums of squared differences: strides of four vectors, then single vectors, then ever smaller ones."""

    def __init__(self, context: Any, builder: Any, kind: Any) -> None:
        builder.function.attributes.add("noinline")  # a caller's optimiser cannot change the order of sums
        narrow = kind == types.float32
        self.context, self.builder = context, builder
        self.item = ir.FloatType() if narrow else ir.DoubleType()
        self.bytes = 4 if narrow else 8
        self.lanes = VECTOR if narrow else VECTOR // 2

    def rows_of(self, kind: Any, array: Any, places: list[Any]) -> tuple[list[Any], Any]:
        """Addresses of some rows of a Numba array, and their width."""
        made = self.context.make_array(kind)(self.context, self.builder, array)
        width = self.builder.extract_value(made.shape, 1)
        return [self.builder.gep(made.data, [self.builder.mul(place, width)]) for place in places], width

    def item_of(self, start: Any, place: int) -> Any:
        """One value of those that begin at an address."""
        return self.builder.load(self.builder.gep(start, [self._whole(place)]))

    def squares(self, xs: list[Any], ys: list[Any], width: Any) -> list[list[Any]]:
        """The squared distance of the ``width`` values at each of xs to those at each of ys."""
        sums = [[[self._sum(self.lanes) for _ in range(_SUMS)] for _ in ys] for _ in xs]
        first = [[pair[:1] for pair in line] for line in sums]
        smaller = [self.lanes >> n for n in range(1, self.lanes.bit_length())]
        rest = {lanes: [[[self._sum(lanes)] for _ in ys] for _ in xs] for lanes in smaller}
        done = self._add(xs, ys, self._whole(0), width, _SUMS * self.lanes, sums)
        for step, totals in ((self.lanes, first), *rest.items()):
            done = self._add(xs, ys, done, width, step, totals)
        return [
            [self._joined(sums[p][q], [line[p][q][0] for line in rest.values()]) for q in range(len(ys))]
            for p in range(len(xs))
        ]

    def _kind(self, lanes: int) -> Any:
        return self.item if lanes == 1 else ir.VectorType(self.item, lanes)

    def _sum(self, lanes: int) -> Any:
        zero = ir.Constant(self._kind(lanes), 0.0 if lanes == 1 else [0.0] * lanes)
        return _cgutils.alloca_once_value(self.builder, zero)

    def _whole(self, value: int) -> Any:
        return ir.Constant(ir.IntType(64), value)

    def _add(self, xs: list[Any], ys: list[Any], done: Any, width: Any, step: int, sums: list[list[list[Any]]]) -> Any:
        """Add all whole steps from ``done`` on to each pair's sums; say how far that went."""
        lanes = step // len(sums[0][0])
        steps = self.builder.udiv(self.builder.sub(width, done), self._whole(step))
        with _cgutils.for_range(self.builder, steps) as loop:
            start = self.builder.add(done, self.builder.mul(loop.index, self._whole(step)))
            for n in range(len(sums[0][0])):
                place = self.builder.add(start, self._whole(n * lanes))
                here, there = ([self._load(row, place, lanes) for row in rows] for rows in (xs, ys))
                for line, x in zip(sums, here, strict=True):
                    for pair, y in zip(line, there, strict=True):
                        self._add_square(lanes, self.builder.fsub(x, y), pair[n])
        return self.builder.add(done, self.builder.mul(steps, self._whole(step)))

    def _load(self, start: Any, place: Any, lanes: int) -> Any:
        address = self.builder.bitcast(self.builder.gep(start, [place]), self._kind(lanes).as_pointer())
        value = self.builder.load(address)
        value.align = self.bytes
        return value

    def _add_square(self, lanes: int, difference: Any, total: Any) -> None:
        """Add a square to a sum, in one rounding where the processor can do that."""
        kind, letters = self._kind(lanes), ("" if lanes == 1 else f"v{lanes}") + f"f{8 * self.bytes}"
        multiply_add = ir.FunctionType(kind, [kind] * 3)
        function = _cgutils.get_or_insert_function(self.builder.module, multiply_add, f"llvm.fmuladd.{letters}")
        self.builder.store(self.builder.call(function, [difference, difference, self.builder.load(total)]), total)

    def _joined(self, sums: list[Any], rest: list[Any]) -> Any:
        """One number from the partial sums: halves are added until one value is left, and to each size its own."""
        a, b, c, d = (self.builder.load(total) for total in sums)
        total = self.builder.fadd(self.builder.fadd(a, b), self.builder.fadd(c, d))
        for smaller in rest:
            halves = [self._half(total, upper) for upper in (False, True)]
            total = self.builder.fadd(self.builder.fadd(*halves), self.builder.load(smaller))
        return total

    def _half(self, total: Any, upper: bool) -> Any:
        half = total.type.count // 2
        places = [ir.Constant(ir.IntType(32), lane + half * upper) for lane in range(half)]
        if half == 1:
            return self.builder.extract_element(total, places[0])
        return self.builder.shuffle_vector(total, total, ir.Constant(ir.VectorType(ir.IntType(32), half), places))
