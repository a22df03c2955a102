"""Two inner loops of the pruned search, in whole vectors: find the least of the bounds, and list what is low.

The functions named ``write`` run while Numba compiles.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from patchcore_plugin.extractors.numba_vectors import VECTOR, VectorCode

_cgutils: Any = cgutils  # has no type information
_FLOATS = ir.VectorType(ir.FloatType(), VECTOR)
_WHOLE = ir.IntType(32)
_WHOLES, _BITS = ir.VectorType(_WHOLE, VECTOR), ir.VectorType(ir.IntType(1), VECTOR)


@intrinsic
def least(_: Any, values: Any, _first: Any, _vectors: Any) -> Any:
    """``least(values, first, vectors)``: the smallest of so many whole vectors from values[first] on."""

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = VectorCode(builder)
        place = code.address(code.start_of(context, signature.args[0], args[0]), args[1])
        lanes = code.variable(ir.Constant(_FLOATS, [float("inf")] * VECTOR))
        with code.repeat(args[2]) as i:
            here, low = code.load(place, code.times(i, VECTOR)), builder.load(lanes)
            builder.store(builder.select(builder.fcmp_ordered("<", here, low), here, low), lanes)
        smallest = code.variable(ir.Constant(ir.FloatType(), float("inf")))
        for lane in range(VECTOR):
            here, low = builder.extract_element(builder.load(lanes), ir.Constant(_WHOLE, lane)), builder.load(smallest)
            builder.store(builder.select(builder.fcmp_ordered("<", here, low), here, low), smallest)
        return builder.load(smallest)

    return types.float32(values, types.int64, types.int64), write


@intrinsic
def append_low(_: Any, values: Any, _first: Any, _vectors: Any, _limit: Any, found: Any) -> Any:
    """``append_low(values, first, vectors, limit, found)``: list what is low, in order; return how many that are.

    Places, of which 0 is values[first], of values <= limit go to ``found``, int32, with room for all of them.
    """

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = VectorCode(builder)
        place = code.address(code.start_of(context, signature.args[0], args[0]), args[1])
        target = code.start_of(context, signature.args[4], args[4])
        limits, lanes = _splat(builder, args[3]), ir.Constant(_WHOLES, list(range(VECTOR)))
        count = code.variable(code.whole(0))
        keep = _function(builder, "llvm.masked.compressstore", _WHOLES, ir.VoidType(), [_WHOLES, None, _BITS])
        bits = ir.IntType(max(VECTOR, 8))
        tally = _function(builder, "llvm.ctpop", bits, bits, [bits])
        with code.repeat(args[2]) as i:
            low = builder.fcmp_ordered("<=", code.load(place, code.times(i, VECTOR)), limits)
            start = builder.trunc(code.times(i, VECTOR), _WHOLE)
            so_far = builder.load(count)
            builder.call(keep, [builder.add(_splat(builder, start), lanes), code.address(target, so_far), low])
            mask = builder.bitcast(low, ir.IntType(VECTOR))
            mask = mask if VECTOR >= 8 else builder.zext(mask, bits)
            builder.store(builder.add(so_far, builder.zext(builder.call(tally, [mask]), ir.IntType(64))), count)
        return builder.load(count)

    return types.int64(values, types.int64, types.int64, types.float32, found), write


def _splat(builder: Any, number: Any) -> Any:
    """A vector with one number in each lane."""
    nothing = ir.Constant(ir.VectorType(number.type, VECTOR), ir.Undefined)
    first = builder.insert_element(nothing, number, ir.Constant(_WHOLE, 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(_WHOLES, [0] * VECTOR))


def _function(builder: Any, name: str, kind: Any, answer: Any, arguments: list[Any]) -> Any:
    """LLVM's own function for values of a kind; None among the arguments is an address of 32-bit whole numbers."""
    suffix = f"v{VECTOR}i32" if isinstance(kind, ir.VectorType) else f"i{kind.width}"
    known = [_WHOLE.as_pointer() if argument is None else argument for argument in arguments]
    return _cgutils.get_or_insert_function(builder.module, ir.FunctionType(answer, known), f"{name}.{suffix}")
