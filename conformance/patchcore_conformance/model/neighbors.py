"""Exact search in plain NumPy, one step a method: what faulty searches are derived from by spoiling one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

_PAIRS_AT_ONCE = 1 << 18


@dataclass(frozen=True, eq=False)
class Index:
    """A bank in the form that is computed with, and the search that made it."""

    search: Exact
    bank: Any

    def query(self, queries: Any, k: int = 1) -> Any:
        """Answer distances and rows, both (Q, k), nearest first."""
        search = self.search
        asked = search.read(search.checked(np.asarray(queries), "queries"))
        search.require_fitting(asked, self.bank, k)
        return search.answer(*search.find(asked, self.bank, k))


@dataclass(frozen=True, kw_only=True)
class Exact:
    """Every query against every row by differences in float64; equal distances by the lower row."""

    def build(self, bank: Any) -> Any:
        """Copy a bank (M, D)."""
        rows = self.checked(np.asarray(bank), "bank")
        if not len(rows):
            raise ValueError("the bank has no rows")
        return Index(self, self.own(rows))

    def checked(self, rows: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
        """Refuse all but finite numbers, one row an embedding; no queries at all are fine."""
        if rows.ndim != 2 or rows.shape[1] == 0 or rows.dtype.kind not in "fiu":
            raise ValueError(f"{name}: {rows.dtype} {rows.shape} came, but numbers (rows, width) are needed")
        if not np.isfinite(rows).all():
            raise ValueError(f"{name}: NaN or infinity")
        return rows

    def require_fitting(self, queries: Any, bank: Any, k: Any) -> None:
        """Refuse another width than the bank's, and more rows than there are."""
        if queries.shape[1] != bank.shape[1]:
            raise ValueError(f"queries have {queries.shape[1]} columns, but the bank has {bank.shape[1]}")
        if isinstance(k, bool) or not 1 <= k <= len(bank):
            raise ValueError(f"k is {k}, but there are {len(bank)} rows")

    def own(self, bank: npt.NDArray[Any]) -> Any:
        """Take a copy of the bank, in the form that is computed with."""
        return np.array(self.read(bank))

    def read(self, rows: npt.NDArray[Any]) -> Any:
        """Bring rows to what is computed with."""
        return rows.astype(np.float64)

    def find(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        """Find the nearest rows, some queries at a time."""
        distances, rows = np.empty((len(queries), k), self.dtype_of(bank)), np.empty((len(queries), k), np.int64)
        step = max(1, _PAIRS_AT_ONCE // bank.size)
        for start in range(0, len(queries), step):
            part = slice(start, start + step)
            distances[part], rows[part] = self.find_some(queries[part], bank, k)
        return distances, rows

    def find_some(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        """Measure all pairs, and keep the nearest."""
        squares = self.squares(queries, bank)
        rows = self.nearest(squares, k)
        return self.rooted(np.take_along_axis(squares, rows, axis=1)), rows

    def dtype_of(self, bank: Any) -> Any:
        """In what distances are answered."""
        return bank.dtype

    def squares(self, queries: Any, bank: Any) -> Any:
        """Squared distances of all pairs: (Q, M)."""
        return np.square(queries[:, None, :] - bank[None, :, :]).sum(axis=2)

    def nearest(self, squares: Any, k: int) -> Any:
        """Rows in order of distance: (Q, k)."""
        return np.argsort(squares, axis=1, kind="stable")[:, :k]

    def rooted(self, squares: Any) -> Any:
        """Distances from squares."""
        return np.sqrt(squares)

    def answer(self, distances: Any, rows: Any) -> Any:
        """Make the answer."""
        return distances, rows


@dataclass(frozen=True, kw_only=True)
class Single(Exact):
    """The same in float32."""

    def read(self, rows: npt.NDArray[Any]) -> Any:
        """Bring rows to float32."""
        return rows.astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Expanded(Single):
    """|q|^2 - 2 q.b + |b|^2 in float32: fast, and wrong where rows lie far from zero."""

    def squares(self, queries: Any, bank: Any) -> Any:
        """Expand, and cut at 0 what rounding made negative."""
        mine, theirs = np.square(queries).sum(axis=1), np.square(bank).sum(axis=1)
        return np.maximum(mine[:, None] - 2 * (queries @ bank.T) + theirs[None, :], 0)


@dataclass(frozen=True, kw_only=True)
class Centred(Expanded):
    """The same after taking off the bank's mean."""

    def find(self, queries: Any, bank: Any, k: int) -> tuple[Any, Any]:
        """Move both by the same float32 values."""
        centre = bank.mean(axis=0, dtype=np.float64).astype(np.float32)
        return super().find(queries - centre, bank - centre, k)
