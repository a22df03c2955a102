"""Searches whose answers are put together wrongly: rows and distances exchanged, unsorted, cut or filled up."""

from __future__ import annotations

from typing import Any

import numpy as np

from patchcore_conformance.broken.registry import broken
from patchcore_conformance.model.neighbors import Exact, Index

_EXACT = {"level": "exact", "arith": "E0"}


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


@broken("neighbors", "itself left out", caught_by=("N05",), **_EXACT)
class NotItself(Exact):
    """Takes distance 0 for the query itself."""

    def nearest(self, squares: Any, k: int) -> Any:
        return super().nearest(np.where(squares == 0, squares.max() + 1, squares), k)


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
