"""Searches with one mistake in what they measure, keep or return, as real authors make them."""

from __future__ import annotations

from typing import Any

import numpy as np

from patchcore_conformance.broken import neighbors_lifecycle, neighbors_shortcuts
from patchcore_conformance.broken.registry import broken
from patchcore_conformance.model.neighbors import Centred, Exact, Expanded, Index, Single

__all__ = ["neighbors_lifecycle", "neighbors_shortcuts"]  # the rest of the register

_EXACT = {"level": "exact", "arith": "E0"}
_EXPANDED = {"level": "exact", "arith": "E1"}
_CENTRED = {"level": "exact", "arith": "E1-centred"}


@broken("neighbors", "squared distances", caught_by=("N01", "N09"), **_EXACT)
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


@broken("neighbors", "rows first, distances second", caught_by=("N09", "X13"), **_EXACT)
class Exchanged(Exact):
    """Answers (rows, distances)."""

    def answer(self, distances: Any, rows: Any) -> Any:
        return rows, distances


@broken("neighbors", "rows out of step", caught_by=("N09",), **_EXACT)
class OutOfStep(Exact):
    """Sorts the distances and leaves the rows as the partition left them."""

    def find_some(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        squares = self.squares(queries, bank)
        rows = np.argpartition(squares, k - 1, axis=1)[:, :k]
        return np.sqrt(np.sort(np.take_along_axis(squares, rows, axis=1), axis=1)), np.sort(rows, axis=1)


@broken("neighbors", "not sorted", caught_by=("N08",), **_EXACT)
class Unsorted(Exact):
    """Leaves the order to a partition, which happens to sort few."""

    def nearest(self, squares: Any, k: int) -> Any:
        return np.argpartition(squares, k - 1, axis=1)[:, :k]


@broken("neighbors", "not sorted, approximate", caught_by=("N08",), level="approx")
class UnsortedApproximate(Unsorted):
    """The same at a lower level."""


@broken("neighbors", "rows looked up by distance", caught_by=("N07",), **_EXACT)
class LookedUp(Exact):
    """Sorts distances, then looks up whose they are."""

    def nearest(self, squares: Any, k: int) -> Any:
        best = np.sort(squares, axis=1)[:, :k]
        return (squares[:, None, :] == best[:, :, None]).argmax(axis=2)


@broken("neighbors", "rows looked up by distance, approximate", caught_by=("N07",), level="approx")
class LookedUpApproximate(LookedUp):
    """The same at a lower level."""


@broken("neighbors", "equal rows merged", caught_by=("N07",), **_EXACT)
class Merged(Exact):
    """Puts equal rows, but for one of each, behind all others."""

    def squares(self, queries: Any, bank: Any) -> Any:
        _, kept = np.unique(bank, axis=0, return_index=True)
        squares = super().squares(queries, bank)
        squares[:, np.setdiff1d(np.arange(len(bank)), kept)] += 1e6
        return squares


@broken("neighbors", "rows in 16 bits", caught_by=("N21",), **_EXACT)
class FewBits(Exact):
    """Keeps row numbers in uint16."""

    def answer(self, distances: Any, rows: Any) -> Any:
        return distances, rows.astype(np.uint16).astype(np.int64)


@broken("neighbors", "rows in 16 bits with sign", caught_by=("N21",), level="approx")
class FewBitsSigned(Exact):
    """Keeps row numbers in int16."""

    def answer(self, distances: Any, rows: Any) -> Any:
        return distances, rows.astype(np.int16)


@broken("neighbors", "row numbers as floats", caught_by=("X13", "N09"), **_EXACT)
class AsFloats(Exact):
    """Answers float rows."""

    def answer(self, distances: Any, rows: Any) -> Any:
        return distances, rows.astype(np.float32)


@broken("neighbors", "one axis for one neighbour", caught_by=("N01", "X13"), **_EXACT)
class Squeezed(Exact):
    """Drops the axis where k is 1."""

    def answer(self, distances: Any, rows: Any) -> Any:
        return (distances[:, 0], rows[:, 0]) if rows.shape[1] == 1 else (distances, rows)


@broken("neighbors", "one axis for one query", caught_by=("N01",), **_EXACT)
class SqueezedQuery(Exact):
    """Squeezes where there is one query."""

    def answer(self, distances: Any, rows: Any) -> Any:
        return (distances[0], rows[0]) if len(rows) == 1 else (distances, rows)


@broken("neighbors", "filled up with -1", caught_by=("N06", "X08"), **_EXACT)
class Padded(Exact):
    """Answers -1 and FLT_MAX beyond the bank."""

    def require_fitting(self, queries: Any, bank: Any, k: Any) -> None:
        super().require_fitting(queries, bank, min(k, len(bank)) if k is not True else k)

    def find(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        distances, rows = super().find(queries, bank, min(k, len(bank)))
        more = ((0, 0), (0, k - rows.shape[1]))
        return np.pad(distances, more, constant_values=3.4e38), np.pad(rows, more, constant_values=-1)


@broken("neighbors", "k cut to the bank", caught_by=("N06",), level="approx")
class Cut(Padded):
    """Answers fewer than asked for, without a word."""

    def find(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        return Exact.find(self, queries, bank, min(k, len(bank)))


@broken("neighbors", "fewer of an empty batch", caught_by=("N13",), **_EXACT)
class FallsOverNothing(Exact):
    """Looks at the first query before it knows whether there is one."""

    def find(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        _ = queries[0]
        return super().find(queries, bank, k)


@broken("neighbors", "an answer to nothing", caught_by=("N13",), level="approx")
class AnswersNothing(Exact):
    """Makes one query of none."""

    def find(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        return super().find(queries if len(queries) else np.zeros((1, bank.shape[1])), bank, k)


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


@broken("neighbors", "itself left out", caught_by=("N05",), **_EXACT)
class NotItself(Exact):
    """Takes distance 0 for the query itself."""

    def nearest(self, squares: Any, k: int) -> Any:
        return super().nearest(np.where(squares == 0, squares.max() + 1, squares), k)


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


@broken("neighbors", "expanded, claimed as differences", caught_by=("N02", "N03"), **_EXACT)
class ExpandedAsDifferences(Expanded):
    """Cancels."""


@broken("neighbors", "expanded, claimed as centred", caught_by=("N03", "N04"), **_CENTRED)
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


@broken("neighbors", "no remainder of columns", caught_by=("N01", "N20"), **_EXACT)
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


@broken("neighbors", "rounded to hundredths", caught_by=("N02", "N09"), **_EXACT)
class Rounded(Exact):
    """Rounds for the reader."""

    def answer(self, distances: Any, rows: Any) -> Any:
        return np.round(distances, 2), rows


@broken("neighbors", "bank and queries exchanged where they can be", caught_by=("N01", "N12"), **_EXACT)
class OtherWayRound(Exact):
    """Transposes the table where that goes unnoticed."""

    def squares(self, queries: Any, bank: Any) -> Any:
        squares = super().squares(queries, bank)
        return squares.T if squares.shape[0] == squares.shape[1] else squares

    def find(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        return self.find_some(queries, bank, k) if len(queries) <= 300 else super().find(queries, bank, k)


class _ColumnMajorIndex(Index):
    """Reads memory as if it were in C order."""

    def query(self, queries: Any, k: int = 1) -> Any:
        asked = np.asarray(queries)
        return super().query(asked.ravel(order="K").reshape(asked.shape), k)


@broken("neighbors", "memory read in storage order", caught_by=("X03",), **_EXACT)
class StorageOrder(Exact):
    """Takes a pointer."""

    def build(self, bank: Any) -> Any:
        return _ColumnMajorIndex(self, super().build(bank).bank)
