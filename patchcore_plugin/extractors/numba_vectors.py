"""The vector unit of the processor, spelled in LLVM: how wide it is, and the few things the blocks do with it.

Numba turns plain loops into vector instructions well, but it does not keep a block of sums in registers while a loop
runs. ``numba_blocks`` therefore writes its two inner blocks itself, in vectors of a fixed width, which LLVM maps to
what the processor has (AVX-512, AVX2, NEON, SSE). A width the processor lacks would be slow, never wrong.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numba
from llvmlite import binding, ir
from numba.core import cgutils

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def _vector_floats(features: str) -> int:
    """Float32 values in one vector register, from the processor's features as LLVM lists them."""
    if "+avx512f" in features:
        return 16
    return 8 if "+avx2" in features else 4


def _block_pixels(features: str) -> int:
    """Pixels of a block: their sums, three vectors each, leave a few of the 32 (or 16) registers for the factors."""
    return 8 if "+avx512f" in features or "+neon" in features else 4


# What Numba compiles for. Numba files compiled code under the same list, so a cache that is carried to another kind of
# processor is compiled anew there, with the width that fits.
_CHOSEN: str | None = numba.config.CPU_FEATURES  # type: ignore[attr-defined]  # set at run time, by NUMBA_CPU_FEATURES
_FEATURES = binding.get_host_cpu_features().flatten() if _CHOSEN is None else _CHOSEN

VECTOR = _vector_floats(_FEATURES)
BLOCK_PIXELS = _block_pixels(_FEATURES)
BLOCK_VECTORS = 3
ALIGNMENT = 64  # bytes; a vector that straddles two cache lines takes twice as long to load

_VECTOR_TYPE = ir.VectorType(ir.FloatType(), VECTOR)
_MULTIPLY_ADD = ir.FunctionType(_VECTOR_TYPE, [_VECTOR_TYPE] * 3)
_cgutils: Any = cgutils  # has no type information


@dataclass(frozen=True)
class VectorCode:
    """Writes instructions where ``builder`` stands; addresses and distances count float32 values."""

    builder: Any

    def __post_init__(self) -> None:
        # A function that holds a block is large: a call costs less than a copy of it in each caller.
        self.builder.function.attributes.add("noinline")

    def start_of(self, context: Any, kind: Any, array: Any) -> Any:
        """The address of the first value of a Numba array."""
        return context.make_array(kind)(context, self.builder, array).data

    def fields(self, record: Any, number: int) -> list[Any]:
        """The parts of a named tuple."""
        return [self.builder.extract_value(record, i) for i in range(number)]

    def whole(self, value: int) -> Any:
        """A whole number known while compiling."""
        return ir.Constant(ir.IntType(64), value)

    def times(self, count: Any, distance: Any) -> Any:
        """The product of two whole numbers, each of which may be known while compiling."""
        known = [self.whole(x) if isinstance(x, int) else x for x in (count, distance)]
        return self.builder.mul(*known)

    def address(self, array: Any, *distances: Any) -> Any:
        """Where one lands from ``array`` after all ``distances``."""
        for distance in distances:
            array = self.builder.gep(array, [self.whole(distance) if isinstance(distance, int) else distance])
        return array

    def load(self, *place: Any) -> Any:
        """The vector that begins at ``address(*place)``, which may be any."""
        vector = self.builder.load(self.builder.bitcast(self.address(*place), _VECTOR_TYPE.as_pointer()))
        vector.align = 4
        return vector

    def store(self, vector: Any, *place: Any) -> None:
        """Put a vector at ``address(*place)``, which may be any."""
        pointer = self.builder.bitcast(self.address(*place), _VECTOR_TYPE.as_pointer())
        self.builder.store(vector, pointer).align = 4

    def load_splat(self, *place: Any) -> Any:
        """A vector with the one number at ``address(*place)`` in each lane."""
        return self._splat(self.builder.load(self.address(*place)))

    def _splat(self, number: Any) -> Any:
        nothing = ir.Constant(_VECTOR_TYPE, ir.Undefined)
        first = self.builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), VECTOR), [0] * VECTOR)
        return self.builder.shuffle_vector(first, nothing, lanes)

    def variable(self, value: Any) -> Any:
        """A variable with a first value. LLVM keeps it in a register, since nothing asks for its address."""
        return _cgutils.alloca_once_value(self.builder, value)

    def add_product(self, total: Any, x: Any, y: Any) -> None:
        """Add ``x * y`` to the variable ``total``, in one rounding where the processor can do that."""
        name = f"llvm.fmuladd.v{VECTOR}f32"
        function = _cgutils.get_or_insert_function(self.builder.module, _MULTIPLY_ADD, name)
        self.builder.store(self.builder.call(function, [x, y, self.builder.load(total)]), total)

    def limited(self, total: Any, low: Any, high: Any) -> Any:
        """The variable ``total`` within ``low`` .. ``high``; NaN answers no to both questions and stays NaN."""
        x, lows, highs = self.builder.load(total), self._splat(low), self._splat(high)
        x = self.builder.select(self.builder.fcmp_ordered("<", x, lows), lows, x)
        return self.builder.select(self.builder.fcmp_ordered(">", x, highs), highs, x)

    @contextmanager
    def repeat(self, count: Any) -> Iterator[Any]:
        """A loop of the program over 0 .. ``count``; gives the loop's number."""
        with _cgutils.for_range(self.builder, count) as loop:
            yield loop.index

    def per_size(self, size: Any, largest: int, write: Callable[[int], None]) -> None:
        """Write the instructions for each size 1 .. ``largest``; the program jumps to those for ``size``."""
        done = self.builder.append_basic_block("done")
        switch = self.builder.switch(size, done)
        for known in range(1, largest + 1):
            case = self.builder.append_basic_block(f"size{known}")
            switch.add_case(self.whole(known), case)
            self.builder.position_at_end(case)
            write(known)
            self.builder.branch(done)
        self.builder.position_at_end(done)
