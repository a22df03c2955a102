"""Searches that are right in unusual ways: other ties, other types, other arithmetic, other ways to look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from patchcore_conformance.accepted.registry import accepted
from patchcore_conformance.model.neighbors import Centred, Exact, Expanded, Single
from patchcore_conformance.numerics import rounded_to, squares_between

_DOUBLE = {"level": "exact", "arith": "E0", "dtype": "float64"}
_SINGLE = {"level": "exact", "arith": "E0"}


@accepted("neighbors", "the model itself", serialisable=True, thread_safe=True, batch_invariant=True, **_DOUBLE)
@dataclass(frozen=True, kw_only=True)
class Plain(Exact):
    """Nothing unusual."""


@accepted("neighbors", "ties by the higher row", **_DOUBLE)
class LastOfEqual(Exact):
    """Takes the last of equally near rows."""

    def nearest(self, squares: Any, k: int) -> Any:
        return squares.shape[1] - 1 - np.argsort(squares[:, ::-1], axis=1, kind="stable")[:, :k]


@accepted("neighbors", "ties by chance", deterministic=False, **_DOUBLE)
class AnyOfEqual(Exact):
    """Takes any of equally near rows, another one each time."""

    def nearest(self, squares: Any, k: int) -> Any:
        order = np.random.default_rng().permutation(squares.shape[1])
        return order[np.argsort(squares[:, order], axis=1, kind="stable")[:, :k]]


@accepted("neighbors", "last digits by chance", deterministic=False, **_SINGLE)
class Trembling(Single):
    """Adds columns in another order each time."""

    def squares(self, queries: Any, bank: Any) -> Any:
        order = np.random.default_rng().permutation(bank.shape[1])
        return super().squares(queries[:, order], bank[:, order])


@accepted("neighbors", "int32 rows, read-only", **_DOUBLE)
class FewBits(Exact):
    """Answers row numbers in 32 bits, in arrays that cannot be written to."""

    def answer(self, distances: Any, rows: Any) -> Any:
        found = distances, rows.astype(np.int32)
        for array in found:
            array.flags.writeable = False
        return found


@accepted("neighbors", "unsigned rows, column by column", **_DOUBLE)
class ColumnMajor(Exact):
    """Answers in Fortran order."""

    def answer(self, distances: Any, rows: Any) -> Any:
        return np.asfortranarray(distances), np.asfortranarray(rows.astype(np.uint64))


class Found(NamedTuple):
    """Distances and rows by name."""

    distances: Any
    rows: Any


@accepted("neighbors", "a named pair of strided arrays", **_DOUBLE)
class Named(Exact):
    """Answers every second value of longer arrays, by name."""

    def answer(self, distances: Any, rows: Any) -> Any:
        return Found(np.repeat(distances, 2, axis=1)[:, ::2], np.repeat(rows, 2, axis=1)[:, ::2])


@accepted("neighbors", "float32 by differences", batch_invariant=True, **_SINGLE)
class ByDifferences(Single):
    """Computes in float32."""


@accepted("neighbors", "float32, one column after the other", **_SINGLE)
class Sequential(Single):
    """Adds squares in the order of columns, backwards: the largest rounding that a sum can have."""

    def squares(self, queries: Any, bank: Any) -> Any:
        total = np.zeros((len(queries), len(bank)), dtype=np.float32)
        for column in range(bank.shape[1] - 1, -1, -1):
            total += np.square(queries[:, None, column] - bank[None, :, column])
        return total


@accepted("neighbors", "chosen in float32, measured in float64", **_SINGLE)
class MeasuredAgain(Single):
    """Measures what it chose once more, and puts it in order."""

    def find_some(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        return _measured(queries, bank, self.nearest(self.squares(queries, bank), k))

    def dtype_of(self, bank: Any) -> Any:  # noqa: ARG002
        return np.float64


@accepted("neighbors", "expanded squares", level="exact", arith="E1")
class ExpandedSquares(Expanded):
    """Computes |q|^2 - 2 q.b + |b|^2 in float32."""


@accepted("neighbors", "expanded squares, chosen without |q|^2", level="exact", arith="E1")
class WithoutQueries(Expanded):
    """Leaves out what is the same for all rows until the end."""

    def find_some(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        table = np.square(bank).sum(axis=1)[None, :] - 2 * (queries @ bank.T)
        rows = self.nearest(table, k)
        squares = np.take_along_axis(table, rows, axis=1) + np.square(queries).sum(axis=1)[:, None]
        return np.sqrt(np.maximum(squares, 0)), rows


@accepted("neighbors", "expanded squares, measured again", level="exact", arith="E1")
class ExpandedMeasured(Expanded):
    """Chooses by expanded squares, measures what it chose by differences."""

    def find_some(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        return _measured(queries, bank, self.nearest(self.squares(queries, bank), k))


@accepted("neighbors", "expanded squares in float64", level="exact", arith="E1", dtype="float64")
class ExpandedWide(Expanded):
    """Computes |q|^2 - 2 q.b + |b|^2 in float64."""

    def read(self, rows: Any) -> Any:
        return rows.astype(np.float64)


@accepted("neighbors", "expanded squares after centring", level="exact", arith="E1-centred")
class CentredSquares(Centred):
    """Takes off the mean first, in float32."""


@accepted("neighbors", "expanded squares after centring, measured again", level="exact", arith="E1-centred")
class CentredMeasured(Centred):
    """Chooses so, measures by differences of the moved rows."""

    def find_some(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        return _measured(queries, bank, self.nearest(self.squares(queries, bank), k))


@accepted("neighbors", "float16 by differences", level="exact", arith="E0", dtype="float16")
class Half(Exact):
    """Computes in float16."""

    def read(self, rows: Any) -> Any:
        return rows.astype(np.float16)


@accepted("neighbors", "bfloat16 by products", level="exact", arith="E1", dtype="bfloat16")
class Brain(Expanded):
    """Rounds to bfloat16, adds in float32."""

    def read(self, rows: Any) -> Any:
        return rounded_to(rows.astype(np.float32), "bfloat16")


@accepted("neighbors", "whole numbers only", level="exact", arith="lattice")
class WholeNumbers(Exact):
    """Computes in int64."""

    def read(self, rows: Any) -> Any:
        return np.rint(rows).astype(np.int64)

    def dtype_of(self, bank: Any) -> Any:  # noqa: ARG002
        return np.float64


@accepted("neighbors", "sixteen neighbours at most, and no empty batch", max_k=16, **_DOUBLE)
class Few(Exact):
    """Refuses more than sixteen, and no queries at all."""

    def require_fitting(self, queries: Any, bank: Any, k: Any) -> None:
        super().require_fitting(queries, bank, k)
        if k > 16 or not len(queries):
            raise ValueError("1 to 16 neighbours of one query or more can be found")


@accepted("neighbors", "sorted by one column, with bounds", **_DOUBLE)
class Sweeping(Exact):
    """Walks outward along one column until that column alone is too far."""

    def find_some(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        order = np.argsort(bank[:, 0], kind="stable")
        sought = np.searchsorted(bank[order, 0], queries[:, 0])
        rows = np.empty((len(queries), k), dtype=np.int64)
        for query, place in enumerate(sought):
            rows[query] = self._walk(queries[query], bank[order], int(place), k, order)
        return _measured(queries, bank, rows)

    def _walk(self, query: Any, bank: Any, place: int, k: int, order: Any) -> Any:
        step = max(32, k)
        while True:
            low, high = max(0, place - step), min(len(bank), place + step)
            squares = np.square(bank[low:high] - query).sum(axis=1)
            if high - low >= k:
                worst = np.partition(squares, k - 1)[k - 1]
                below = low == 0 or (query[0] - bank[low - 1, 0]) ** 2 > worst
                above = high == len(bank) or (bank[high, 0] - query[0]) ** 2 > worst
                if below and above:
                    return order[low + np.argsort(squares, kind="stable")[:k]]
            step *= 4


@accepted("neighbors", "exact, but claims less", level="approx", arith="E0", dtype="float64", recall=0.99)
class Modest(Exact):
    """Is better than it says."""


@dataclass(frozen=True, kw_only=True)
class _Cells(Exact):
    share: float = 0.5  # of the cells that are looked into

    def find_some(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        count = max(1, round(len(bank) ** 0.4))
        centres = bank[np.random.default_rng(0).permutation(len(bank))[:count]]
        looked = np.argsort(squares_between(queries, centres), axis=1)[:, : max(1, round(self.share * count))]
        cell = squares_between(bank, centres).argmin(axis=1)
        inside = np.zeros((len(queries), count), dtype=bool)
        np.put_along_axis(inside, looked, values=True, axis=1)
        inside[self._too_few(inside, cell, k)] = True
        squares = np.where(inside[:, cell], squares_between(queries, bank), np.inf)
        rows = np.argsort(squares, axis=1, kind="stable")[:, :k]
        return np.sqrt(np.take_along_axis(squares, rows, axis=1)), rows

    def _too_few(self, inside: Any, cell: Any, k: int) -> Any:
        return inside[:, cell].sum(axis=1) < k


@accepted("neighbors", "cells, honestly claimed", level="approx", arith="E0", dtype="float64", recall=0.7)
@dataclass(frozen=True, kw_only=True)
class Cells(_Cells):
    """Looks into half of the cells, and into all where these hold too few rows."""


@accepted("neighbors", "projected candidates, measured again", level="approx", arith="E0", dtype="float64", recall=0.6)
class Projected(Exact):
    """Chooses by a random projection to fewer columns, keeps some spare candidates, measures them."""

    def find_some(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        width = bank.shape[1]
        along = np.random.default_rng(width).standard_normal((width, min(width, 12)))
        rows = self.nearest(squares_between(queries @ along, bank @ along), min(len(bank), 8 * k + 300))
        distances, rows = _measured(queries, bank, rows)
        return distances[:, :k], rows[:, :k]


def _measured(queries: Any, bank: Any, rows: Any) -> tuple[Any, Any]:
    """Measure rows (Q, c) in float64, and put them in order."""
    gaps = bank.astype(np.float64)[rows] - queries.astype(np.float64)[:, None, :]
    squares = np.square(gaps).sum(axis=2)
    order = np.argsort(squares, axis=1, kind="stable")
    return np.sqrt(np.take_along_axis(squares, order, axis=1)), np.take_along_axis(rows, order, axis=1)
