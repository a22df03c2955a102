"""Searches that look at too little: blocks lost, candidates too few, bounds without room for rounding."""

from __future__ import annotations

from typing import Any

import numpy as np

from patchcore_conformance.broken.registry import broken
from patchcore_conformance.model.neighbors import Exact, Expanded, Single
from patchcore_conformance.numerics import squares_between

_EXACT = {"level": "exact", "arith": "E0"}
_CENTRED = {"level": "exact", "arith": "E1-centred"}


class _ByBlocks(Exact):
    """Right: goes through the bank block by block, keeping the best."""

    block = 512

    def find_some(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        best, rows = np.empty((len(queries), 0)), np.empty((len(queries), 0), dtype=np.int64)
        for start in self.starts(len(bank), k):
            squares = self.squares(queries, bank[start : start + self.block])
            mine = np.broadcast_to(np.arange(squares.shape[1]) + self.offset(start), squares.shape)
            best, rows = np.concatenate([best, squares], axis=1), np.concatenate([rows, mine], axis=1)
            order = np.argsort(best, axis=1, kind="stable")[:, :k]
            best, rows = np.take_along_axis(best, order, axis=1), np.take_along_axis(rows, order, axis=1)
        return np.sqrt(best), rows

    def starts(self, total: int, k: int) -> Any:  # noqa: ARG002 - spoilt below
        return range(0, total, self.block)

    def offset(self, start: int) -> int:
        return start


@broken("neighbors", "the last block of rows lost", caught_by=("N12",), **_EXACT)
class LastBlockLost(_ByBlocks):
    """Counts whole blocks only."""

    def starts(self, total: int, k: int) -> Any:
        whole = total // self.block * self.block
        return range(0, whole if whole >= k else total, self.block)


@broken("neighbors", "the last block of rows lost, approximate", caught_by=("N12",), level="approx")
class LastBlockLostApproximate(LastBlockLost):
    """The same at a lower level, in blocks of 64."""

    block = 64


@broken("neighbors", "row numbers within the block", caught_by=("N12",), **_EXACT)
class OffsetLost(_ByBlocks):
    """Counts rows from the start of the block."""

    block = 1000

    def offset(self, start: int) -> int:
        return 0 * start


@broken("neighbors", "the last block of queries lost", caught_by=("N12",), **_EXACT)
class LastQueriesLost(Exact):
    """Leaves what does not fill a block of queries as it was allocated."""

    def find(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        whole = len(queries) if len(queries) < 4096 else len(queries) // 4096 * 4096
        distances, rows = np.zeros((len(queries), k)), np.zeros((len(queries), k), dtype=np.int64)
        distances[:whole], rows[:whole] = super().find(queries[:whole], bank, k)
        rows[whole:] = np.arange(k)
        return distances, rows


@broken("neighbors", "the last row never met", caught_by=("N01",), **_EXACT)
class OffByOne(Exact):
    """Ends one row early."""

    def squares(self, queries: Any, bank: Any) -> Any:
        squares = super().squares(queries, bank)
        squares[:, -1] += 1e9 * (squares.shape[1] > 1)
        return squares


@broken("neighbors", "50,000 rows at most", caught_by=("N21",), **_EXACT)
class FirstRows(Exact):
    """Looks at the first rows of a large bank."""

    def find(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        return super().find(queries, bank[:50_000] if k < 50_000 else bank, k)


@broken("neighbors", "another formula for large batches", caught_by=("N04",), **_CENTRED)
class ByBatchSize(Single):
    """Takes differences of few queries and expands for many."""

    def find(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        return Expanded().find(queries, bank, k) if len(queries) >= 20 else super().find(queries, bank, k)


@broken("neighbors", "another formula for very large batches", caught_by=("N04",), **_CENTRED)
class ByBatchValues(Single):
    """Expands from 128,000 values on."""

    def find(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        return Expanded().find(queries, bank, k) if queries.size >= 128_000 else super().find(queries, bank, k)


class _Candidates(Exact):
    """Measures candidates only, and puts them in order."""

    def find_some(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        squares = np.where(self.candidates(queries, bank, k), squares_between(queries, bank), np.inf)
        rows = np.argsort(squares, axis=1, kind="stable")[:, :k]
        lacking = np.isinf(np.take_along_axis(squares, rows, axis=1)).any(axis=1)
        squares[lacking] = squares_between(queries[lacking], bank)
        rows = np.argsort(squares, axis=1, kind="stable")[:, :k]
        return np.sqrt(np.take_along_axis(squares, rows, axis=1)), rows

    def candidates(self, queries: Any, bank: Any, k: int) -> Any:
        raise NotImplementedError


class _OneCell(_Candidates):
    """Looks into the cell that the query lies in: as many cells as the root of the number of rows."""

    def candidates(self, queries: Any, bank: Any, k: int) -> Any:  # noqa: ARG002
        centres = bank[np.random.default_rng(0).permutation(len(bank))[: max(1, round(len(bank) ** 0.5))]]
        mine, theirs = (squares_between(rows, centres).argmin(axis=1) for rows in (queries, bank))
        return mine[:, None] == theirs[None, :]


@broken("neighbors", "one cell, claimed as exact", caught_by=("N01",), **_EXACT)
class OneCellAsExact(_OneCell):
    """Is approximate."""


@broken("neighbors", "one cell of large banks, claimed as exact", caught_by=("N02", "N18", "N19"), **_EXACT)
class OneCellOfMany(_OneCell):
    """Looks at all rows of small banks, on which it was tested."""

    def candidates(self, queries: Any, bank: Any, k: int) -> Any:
        found = super().candidates(queries, bank, k)
        return found if len(bank) > 300 else np.ones_like(found)


@broken("neighbors", "one cell, recall over-claimed", caught_by=("N22",), level="approx", arith="E0")
class OneCellOverClaimed(_OneCell):
    """Claims what it reaches for rows of the bank."""


@broken("neighbors", "candidates by chance", caught_by=("N22",), level="approx", arith="E0")
class SomeRows(_Candidates):
    """Looks at nine rows of ten."""

    def candidates(self, queries: Any, bank: Any, k: int) -> Any:  # noqa: ARG002
        some = np.random.default_rng(len(bank)).random(len(bank)) < 0.9
        return np.broadcast_to(some, (len(queries), len(bank)))


@broken("neighbors", "candidates on half of the columns", caught_by=("N22",), level="approx", arith="E0")
class HalfTheColumns(_Candidates):
    """Chooses k candidates by the first columns."""

    def candidates(self, queries: Any, bank: Any, k: int) -> Any:
        half = max(1, bank.shape[1] // 4)
        squares = squares_between(queries[:, :half], bank[:, :half])
        return squares <= np.partition(squares, k - 1, axis=1)[:, k - 1 : k]


@broken("neighbors", "candidates for k only", caught_by=("N10",), **_EXACT)
class CandidatesByK(_Candidates):
    """Looks at ten candidates and more for larger k, chosen on two of three columns."""

    def candidates(self, queries: Any, bank: Any, k: int) -> Any:
        if bank.shape[1] < 60:
            return np.ones((len(queries), len(bank)), dtype=bool)
        part = bank.shape[1] * 2 // 3
        squares, enough = squares_between(queries[:, :part], bank[:, :part]), min(len(bank), k + 3)
        return squares <= np.partition(squares, enough - 1, axis=1)[:, enough - 1 : enough]


@broken("neighbors", "candidates for the batch", caught_by=("N11",), **_EXACT)
class CandidatesOfBatch(_Candidates):
    """Looks around the middle of a large batch."""

    def find(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        return self.find_some(queries, bank, k)

    def candidates(self, queries: Any, bank: Any, k: int) -> Any:  # noqa: ARG002
        squares = squares_between(queries.mean(axis=0, keepdims=True), bank)[0]
        reach = np.median(squares) if len(queries) > 66 else np.inf
        return np.broadcast_to(squares <= reach, (len(queries), len(bank)))


@broken("neighbors", "the batch centred by its own mean", caught_by=("N11",), level="approx", arith="E0")
class BatchCentred(Exact):
    """Brings a large batch to where the bank is."""

    def find(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        moved = queries + (bank.mean(axis=0) - queries.mean(axis=0)) * (len(queries) > 60)
        _, rows = super().find(moved, bank, k)
        squares = np.take_along_axis(squares_between(queries, bank), rows, axis=1)
        order = np.argsort(squares, axis=1)
        return np.sqrt(np.take_along_axis(squares, order, axis=1)), np.take_along_axis(rows, order, axis=1)


@broken("neighbors", "lengths as bounds, no room for rounding", caught_by=("N03",), **_EXACT)
class Lengths(_Candidates):
    """Leaves out rows whose float32 length differs by more than the nearest row of a sample is away."""

    def candidates(self, queries: Any, bank: Any, k: int) -> Any:
        mine, theirs = (np.sqrt(np.square(rows.astype(np.float32)).sum(axis=1)) for rows in (queries, bank))
        bounds = np.abs(mine[:, None] - theirs[None, :]).astype(np.float64)
        first = np.argsort(bounds, axis=1)[:, :k]
        worst = np.sqrt(np.take_along_axis(squares_between(queries, bank), first, axis=1).max(axis=1))
        return bounds <= worst[:, None]


@broken("neighbors", "stops at a near row", caught_by=("N17",), **_EXACT)
class NearEnough(Exact):
    """Takes the first row that is nearer than a hundredth for the nearest."""

    def nearest(self, squares: Any, k: int) -> Any:
        return np.argsort(np.where(squares < 1e-4, 0, squares), axis=1, kind="stable")[:, :k]


@broken("neighbors", "queries cut to the range of the bank", caught_by=("N24",), level="approx", arith="E0")
class Clipped(Exact):
    """Takes what lies outside for a mistake."""

    def find(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        return super().find(np.clip(queries, 3 * bank.min() - 9, 3 * bank.max() + 9), bank, k)


@broken("neighbors", "no row for far queries", caught_by=("N24",), level="approx", arith="E0")
class NothingFar(Exact):
    """Answers -1 where no cell is near."""

    def find(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        distances, rows = super().find(queries, bank, k)
        return distances, np.where(distances > 500 * bank.std(), -1, rows)


@broken("neighbors", "distances of codes", caught_by=("N23",), level="approx")
class Codes(Exact):
    """Keeps the bank in 256 steps a column, and measures the steps."""

    def own(self, bank: Any) -> Any:
        low, step = bank.min(axis=0), np.ptp(bank, axis=0) / 255 + 1e-12
        return low + np.rint((bank - low) / step) * step


@broken("neighbors", "the k-th is right, those before are not", caught_by=("N01",), **_EXACT)
class KthOnly(Exact):
    """Gets one neighbour by a partition and repeats its distance."""

    def find_some(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        distances, rows = super().find_some(queries, bank, k)
        return np.repeat(distances[:, -1:], k, axis=1), rows


@broken("neighbors", "wrong in banks smaller than a block", caught_by=("N01",), **_EXACT)
class SmallBank(Exact):
    """Pads small banks with zeros that count as rows, and moves them into range."""

    def squares(self, queries: Any, bank: Any) -> Any:
        squares = super().squares(queries, bank)
        if 1 < len(bank) < 16:
            squares[:, -1] = np.minimum(squares[:, -1], np.square(queries).sum(axis=1))
        return squares


@broken("neighbors", "a window along the widest axis", caught_by=("N01",), **_EXACT)
class Window(_Candidates):
    """Looks at 2,048 rows of a large bank at most: those beside the query along the axis of the largest spread."""

    def candidates(self, queries: Any, bank: Any, k: int) -> Any:  # noqa: ARG002
        axis = int(bank.var(axis=0).argmax())
        order = bank[:, axis].argsort(kind="stable")
        beside = np.abs(order.argsort() - np.searchsorted(bank[order, axis], queries[:, axis])[:, None])
        return (beside <= 1024) | (len(bank) <= 4096)
