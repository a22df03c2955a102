"""Searches that measure something else than they say: another distance, or in fewer digits."""

from __future__ import annotations

from typing import Any

import numpy as np

from patchcore_conformance.broken.registry import broken
from patchcore_conformance.model.neighbors import Centred, Exact, Expanded, Single

_EXACT = {"level": "exact", "arith": "E0"}
_EXPANDED = {"level": "exact", "arith": "E1"}
_CENTRED = {"level": "exact", "arith": "E1-centred"}


@broken("neighbors", "squared distances", caught_by=("N01", "N09", "N16"), **_EXACT)
class Squared(Exact):
    """Forgets the root."""

    def rooted(self, squares: Any) -> Any:
        return squares


@broken("neighbors", "squared distances, approximate", caught_by=("N23",), level="approx")
class SquaredApproximate(Squared):
    """The same at a lower level."""


@broken("neighbors", "sums of absolute differences", caught_by=("N01", "N09"), **_EXACT)
class Absolute(Exact):
    """Measures another distance."""

    def squares(self, queries: Any, bank: Any) -> Any:
        return np.square(np.abs(queries[:, None] - bank[None]).sum(axis=2))


@broken("neighbors", "the largest difference", caught_by=("N01",), **_EXACT)
class Largest(Exact):
    """Measures the largest difference of any column."""

    def squares(self, queries: Any, bank: Any) -> Any:
        return np.square(np.abs(queries[:, None] - bank[None]).max(axis=2))


@broken("neighbors", "rows and queries brought to length 1", caught_by=("N01",), **_EXACT)
class Normalised(Exact):
    """Compares directions."""

    def read(self, rows: Any) -> Any:
        rows = rows.astype(np.float64)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


@broken("neighbors", "queries brought to length 1", caught_by=("N01",), **_EXACT)
class NormalisedQueries(Exact):
    """Normalises one side, as code for cosines does."""

    def find(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        lengths = np.maximum(np.linalg.norm(queries, axis=1, keepdims=True), 1e-12)
        return super().find(queries / lengths, bank, k)


@broken("neighbors", "chosen by products", caught_by=("N01",), **_EXACT)
class ByProducts(Exact):
    """Takes the rows with the largest product, and measures these."""

    def find_some(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        rows = self.nearest(-(queries @ bank.T), k)
        squares = np.take_along_axis(self.squares(queries, bank), rows, axis=1)
        order = np.argsort(squares, axis=1)
        return np.sqrt(np.take_along_axis(squares, order, axis=1)), np.take_along_axis(rows, order, axis=1)


@broken("neighbors", "a constant under the root", caught_by=("N05",), **_EXACT)
class Added(Exact):
    """Keeps gradients of the root finite."""

    def rooted(self, squares: Any) -> Any:
        return np.sqrt(squares + 1e-12)


@broken("neighbors", "a floor below distances", caught_by=("N05",), **_EXACT)
class Floor(Exact):
    """Cuts distances at a small number."""

    def rooted(self, squares: Any) -> Any:
        return np.sqrt(np.maximum(squares, 1e-24))


@broken("neighbors", "a constant under the root, expanded", caught_by=("N17",), **_EXPANDED)
class AddedExpanded(Expanded):
    """The same where rounding hides it at ordinary sizes."""

    def rooted(self, squares: Any) -> Any:
        return np.sqrt(squares + np.float32(1e-12))


@broken("neighbors", "the root of a negative number", caught_by=("N08",), **_EXPANDED)
class NotCutAtZero(Expanded):
    """Expands without cutting at 0."""

    def squares(self, queries: Any, bank: Any) -> Any:
        mine, theirs = np.square(queries).sum(axis=1), np.square(bank).sum(axis=1)
        return mine[:, None] - 2 * (queries @ bank.T) + theirs[None, :]


@broken("neighbors", "negative squares made positive", caught_by=("N05",), **_EXACT)
class MadePositive(Expanded):
    """Expands, takes absolute values, and claims differences."""

    def squares(self, queries: Any, bank: Any) -> Any:
        mine, theirs = np.square(queries).sum(axis=1), np.square(bank).sum(axis=1)
        return np.abs(mine[:, None] - 2 * (queries @ bank.T) + theirs[None, :])


@broken("neighbors", "expanded, claimed as differences", caught_by=("N02", "N03", "N10", "N20"), **_EXACT)
class ExpandedAsDifferences(Expanded):
    """Cancels."""


@broken("neighbors", "expanded, claimed as centred", caught_by=("N03",), **_CENTRED)
class ExpandedAsCentred(Expanded):
    """Cancels far from zero."""


@broken("neighbors", "centred, claimed as differences", caught_by=("N02", "N03"), **_EXACT)
class CentredAsDifferences(Centred):
    """Cancels between groups far apart."""


@broken("neighbors", "only queries centred", caught_by=("N01",), **_CENTRED)
class QueriesCentred(Expanded):
    """Takes the bank's mean off one side."""

    def find(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        return super().find(queries - bank.mean(axis=0), bank, k)


@broken("neighbors", "products in float16", caught_by=("N02", "N17"), **_CENTRED)
class HalfProducts(Centred):
    """Rounds both sides to 11 bits, as TF32 does."""

    def squares(self, queries: Any, bank: Any) -> Any:
        queries, bank = (rows.astype(np.float16).astype(np.float32) for rows in (queries, bank))
        return super().squares(queries, bank)


@broken("neighbors", "sums in float16", caught_by=("N02",), **_EXACT)
class HalfSums(Single):
    """Adds squares in float16."""

    def squares(self, queries: Any, bank: Any) -> Any:
        gaps = queries[:, None] - bank[None]
        return np.square(gaps).astype(np.float16).sum(axis=2, dtype=np.float16).astype(np.float32)


@broken("neighbors", "float32, claimed as float64", caught_by=("N02",), dtype="float64", **_EXACT)
class SingleAsDouble(Single):
    """Computes in fewer bits than it says."""


@broken("neighbors", "no remainder of columns", caught_by=("N20",), **_EXACT)
class WholeRegisters(Exact):
    """Leaves out what does not fill eight columns, where there are more than eight."""

    def squares(self, queries: Any, bank: Any) -> Any:
        width = bank.shape[1] if bank.shape[1] < 8 else bank.shape[1] // 8 * 8
        return super().squares(queries[:, :width], bank[:, :width])


@broken("neighbors", "1,024 columns at most", caught_by=("N01",), **_EXACT)
class Narrow(Exact):
    """Has a buffer of fixed size."""

    def read(self, rows: Any) -> Any:
        return super().read(rows)[:, :1024]
