"""Queries made short as their bank was, laid out for the compiled scan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from patchcore_plugin.numba_product_block import BLOCK_ROWS
from patchcore_reference.numba_kernels import ready

if TYPE_CHECKING:
    from patchcore_plugin.arrays import Embeddings
    from patchcore_plugin.neighbors.short_bank import ShortBank

GROUP = 2 * BLOCK_ROWS  # queries that read a panel of the bank while it lies in the first-level cache


class Asked(NamedTuple):
    """Queries as the scan needs them; the short vectors are negated and filled up with zeros to whole groups."""

    rows: Any  # float32 (Q, D)
    negated: Any  # float32 (Q up to whole groups, K)
    longer: Any  # float32 (Q up to whole groups, W)
    lengths: Any  # squared, of the short vectors, float64 (Q,)
    slacks: Any  # float64 (Q,)


def shorten_queries(queries: Embeddings, bank: ShortBank) -> Asked:
    """Shorten checked queries (Q, D) the way the bank was shortened; within ``bank.bound.slack`` too."""
    bound, rows = bank.bound, ready(queries)
    longer = np.zeros((-(-len(rows) // GROUP) * GROUP, bound.width), dtype=np.float32)
    bank.shortener.fill(rows, longer)
    short = bound.fold(longer, bank.short.width)
    lengths = np.einsum("ij,ij->i", short, short, dtype=np.float64)[: len(rows)]
    slacks = bound.slack(longer)[: len(rows)].astype(np.float64)
    return Asked(rows, -short, longer, lengths, slacks)
