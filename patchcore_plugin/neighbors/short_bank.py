"""A memory bank made ready for pruning: its rows as short vectors of two lengths, laid out for the compiled scan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from patchcore_plugin.blas_threads import one_blas_thread
from patchcore_plugin.lower_bound import fit_lower_bound
from patchcore_plugin.neighbors import numba_margin
from patchcore_plugin.numba_product_block import panels_of, whole_blocks
from patchcore_plugin.numba_shortening import Shortener

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
    shortener: Shortener
    short: ShortRows
    scale: Scale


def shorten_bank(rows: Embeddings) -> ShortBank:
    """Fit axes to a bank and shorten all its rows.

    Shapes: rows float32 (M, D).
    Cost:   O(M*D*W + D^3) time for vectors of W values; W + K values for each row are kept.
    """
    lengths = _LENGTHS[rows.shape[1] >= _WIDE_ROW]
    sample = rows[:: -(-len(rows) // _SAMPLE_ROWS)]
    with one_blas_thread():
        bound = fit_lower_bound(np.ascontiguousarray(sample), lengths[1])
    shortener = Shortener(bound)
    longer = shortener.shorten(rows)
    short, slacks = bound.fold(longer, lengths[0]), bound.slack(longer)
    squares = np.einsum("ij,ij->i", short, short, dtype=np.float64)
    spread = numba_margin.spread(squares, slacks)
    halves = numba_margin.halves(squares, slacks, spread, short.shape[1], whole_blocks(len(rows)))
    parts = numba_margin.row_parts(slacks, spread)
    return ShortBank(
        rows=rows,
        bound=bound,
        shortener=shortener,
        short=ShortRows(panels_of(short), halves, longer, parts, short.shape[1]),
        scale=numba_margin.Scale(bound.scale, numba_margin.loss(short.shape[1]), spread),
    )
