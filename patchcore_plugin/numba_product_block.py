"""Blocks of a matrix product in whole vectors, with sums that stay in registers.

A *panel* holds VECTOR columns of a matrix, row by row, so that one row of it fills a vector; BLOCK_VECTORS panels meet
BLOCK_ROWS rows at a time. Places are indices into flat arrays; a *pitch* is the distance from one thing to the next, in
values. The function named ``write`` runs while Numba compiles.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from patchcore_plugin.extractors.numba_vectors import BLOCK_PIXELS as BLOCK_ROWS
from patchcore_plugin.extractors.numba_vectors import BLOCK_VECTORS, VECTOR, VectorCode

__all__ = ["BLOCK_COLUMNS", "BLOCK_ROWS", "VECTOR", "Product", "panels_of", "product_block", "whole_blocks"]

BLOCK_COLUMNS = BLOCK_VECTORS * VECTOR
_FLOATS = ir.VectorType(ir.FloatType(), VECTOR)


class Product(NamedTuple):
    """BLOCK_ROWS rows times BLOCK_VECTORS panels, added to what ``start`` holds."""

    rows: Any  # in left: the first row
    row_pitch: Any
    run: Any  # values of a row that are multiplied
    panel: Any  # in panels: the vector that belongs to the first value
    panel_pitch: Any
    start: Any  # in starts
    start_pitch: Any  # 0: the same for all rows
    target: Any  # in target
    target_pitch: Any


@intrinsic
def product_block(_: Any, left: Any, panels: Any, starts: Any, target: Any, task: Any) -> Any:
    """Compute one ``Product``: for each row p < BLOCK_ROWS and vector v < BLOCK_VECTORS.

    target[p][v] = starts[p][v] + sum over i < run of left[p][i] * panels[v][i]
    """

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = VectorCode(builder)
        left, panels, starts, target = (code.start_of(context, signature.args[i], args[i]) for i in range(4))
        do = Product(*code.fields(args[4], len(Product._fields)))
        zero = ir.Constant(_FLOATS, [0.0] * VECTOR)
        totals = [[code.variable(zero) for _ in range(BLOCK_VECTORS)] for _ in range(BLOCK_ROWS)]
        with code.repeat(do.run) as i:
            value, panel = code.address(left, do.rows, i), code.address(panels, do.panel, code.times(i, VECTOR))
            factors = [code.load(panel, code.times(v, do.panel_pitch)) for v in range(BLOCK_VECTORS)]
            for p in range(BLOCK_ROWS):
                x = code.load_splat(value, code.times(p, do.row_pitch))
                for v in range(BLOCK_VECTORS):
                    code.add_product(totals[p][v], x, factors[v])
        for p in range(BLOCK_ROWS):
            for v in range(BLOCK_VECTORS):
                start = code.load(starts, do.start, code.times(p, do.start_pitch), v * VECTOR)
                total = builder.fadd(start, builder.load(totals[p][v]))
                code.store(total, target, do.target, code.times(p, do.target_pitch), v * VECTOR)
        return context.get_dummy_value()

    return types.void(left, panels, starts, target, task), write


def whole_blocks(count: int) -> int:
    """Round up to whole blocks of columns."""
    return -(-count // BLOCK_COLUMNS) * BLOCK_COLUMNS


def panels_of(columns: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Lay columns (n, K) out as panels of K rows, flat, with zeros up to whole blocks of columns."""
    padded = np.zeros((whole_blocks(len(columns)), columns.shape[1]), dtype=np.float32)
    padded[: len(columns)] = columns
    return np.ascontiguousarray(padded.reshape(-1, VECTOR, columns.shape[1]).transpose(0, 2, 1)).reshape(-1)
