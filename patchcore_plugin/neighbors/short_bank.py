"""A memory bank made ready for pruning: its rows as short vectors of two lengths, laid out for the compiled scan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from patchcore_plugin.lower_bound import fit_lower_bound
from patchcore_plugin.neighbors import numba_margin
from patchcore_plugin.neighbors.numba_vector_scan import BLOCK_VECTORS, VECTOR

if TYPE_CHECKING:
    from patchcore_plugin.arrays import Embeddings
    from patchcore_plugin.lower_bound import LowerBound
    from patchcore_plugin.neighbors.numba_margin import Scale

_SAMPLE_ROWS = 4096  # that the axes are fitted on
_WIDE_ROW = 512  # values from which on a row is worth longer short vectors
_LENGTHS = ((24, 64), (48, 192))  # of short and of longer vectors, for narrow and for wide rows; measured on features


class ShortRows(NamedTuple):
    """What the scan reads of the bank."""

    panels: Any  # short vectors, columns of VECTOR rows each, flat
    halves: Any  # half their squared lengths less a margin (up to whole blocks,)
    longer: Any  # longer vectors (M, W)
    parts: Any  # the margin of each row in a squared distance (M,)
    width: int  # of a short vector


class ShortBank(NamedTuple):
    """A bank, the way its queries are shortened, and its rows shortened that way."""

    rows: Embeddings
    bound: LowerBound
    axes: npt.NDArray[np.float32]  # the bound's axes in panels, flat
    short: ShortRows
    scale: Scale


def shorten_bank(rows: Embeddings) -> ShortBank:
    """Fit axes to a bank and shorten all its rows.

    Shapes: rows float32 (M, D).
    Cost:   O(M*D*W + D^3) time for vectors of W values; W + K values for each row are kept.
    """
    lengths = _LENGTHS[rows.shape[1] >= _WIDE_ROW]
    sample = rows[:: -(-len(rows) // _SAMPLE_ROWS)]
    bound = fit_lower_bound(np.ascontiguousarray(sample), lengths[1])
    longer = bound.shorten(rows)
    short, slacks = bound.fold(longer, lengths[0]), bound.slack(longer)
    squares = np.einsum("ij,ij->i", short, short, dtype=np.float64)
    spread = numba_margin.spread(squares, slacks)
    halves = numba_margin.halves(squares, slacks, spread, short.shape[1], _whole_blocks(len(rows)))
    parts = numba_margin.row_parts(slacks, spread)
    return ShortBank(
        rows=rows,
        bound=bound,
        axes=_panels(np.ascontiguousarray(bound.axes.T)),
        short=ShortRows(_panels(short), halves, longer, parts, short.shape[1]),
        scale=numba_margin.Scale(bound.scale, numba_margin.loss(short.shape[1]), spread),
    )


def _whole_blocks(count: int) -> int:
    block = BLOCK_VECTORS * VECTOR
    return -(-count // block) * block


def _panels(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Lay vectors (n, K) out as panels of K rows of VECTOR values, with zeros up to whole blocks."""
    padded = np.zeros((_whole_blocks(len(vectors)), vectors.shape[1]), dtype=np.float32)
    padded[: len(vectors)] = vectors
    return np.ascontiguousarray(padded.reshape(-1, VECTOR, vectors.shape[1]).transpose(0, 2, 1)).reshape(-1)
