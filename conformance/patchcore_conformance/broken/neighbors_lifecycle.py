"""Searches that keep what they should not, or hand out what they keep."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import numpy as np

from patchcore_conformance.broken.registry import broken
from patchcore_conformance.model.neighbors import Exact, Index, Single

_EXACT = {"level": "exact", "arith": "E0"}
_APPROXIMATE = {"level": "approx", "arith": "E0"}


class _Kept:
    """A search that keeps what it built."""

    def __init__(self) -> None:
        self.inner = Exact()
        self.bank: Any = None

    def build(self, bank: Any) -> Any:
        """Copy a bank (M, D)."""
        self.bank = self.inner.build(bank).bank
        return self

    def query(self, queries: Any, k: int = 1) -> Any:
        """Answer from what is kept."""
        return Index(self.inner, self.bank).query(queries, k)


@broken("neighbors", "the search is its own index", caught_by=("N14", "N16"), **_EXACT)
class OwnIndex(_Kept):
    """Returns itself from build: an earlier index answers from the later bank."""


@broken("neighbors", "each build adds", caught_by=("N14",), **_EXACT)
class Appends(_Kept):
    """Adds to the rows of last time, where they are as wide."""

    def build(self, bank: Any) -> Any:
        """Add a bank (M, D)."""
        rows = self.inner.build(bank).bank
        same = self.bank is not None and self.bank.shape[1] == rows.shape[1]
        self.bank = np.concatenate([self.bank, rows]) if same else rows
        return Index(self.inner, self.bank)


@broken("neighbors", "each build adds, approximate", caught_by=("N14",), **_APPROXIMATE)
class AppendsApproximate(Appends):
    """The same at a lower level."""


@broken("neighbors", "an index on the class", caught_by=("N14", "N16"), **_EXACT)
class OnTheClass(Exact):
    """Shares the bank between all searches."""

    banks: ClassVar[dict[str, Any]] = {}

    def build(self, bank: Any) -> Any:
        type(self).banks["now"] = super().build(bank).bank
        return _Shared(self, type(self).banks)


class _Shared:
    def __init__(self, search: Exact, banks: dict[str, Any]) -> None:
        self.search, self.banks = search, banks

    def query(self, queries: Any, k: int = 1) -> Any:
        """Answer from the bank of whoever built last."""
        return Index(self.search, self.banks["now"]).query(queries, k)


@broken("neighbors", "the caller's bank kept", caught_by=("N15",), **_EXACT)
class Aliased(Single):
    """Copies only where the dtype is another."""

    def own(self, bank: Any) -> Any:
        return bank if bank.dtype == np.float32 else bank.astype(np.float32)


@broken("neighbors", "the caller's bank kept, approximate", caught_by=("N15",), **_APPROXIMATE)
class AliasedApproximate(Aliased):
    """The same at a lower level."""


@broken("neighbors", "the caller's float64 bank kept", caught_by=("N15",), dtype="float64", **_EXACT)
class AliasedWide(Exact):
    """Copies only where the dtype is another."""

    def own(self, bank: Any) -> Any:
        return bank if bank.dtype == np.float64 else bank.astype(np.float64)


class _Caching(Index):
    """An index that remembers answers by the shape of the question."""

    def key(self, queries: Any, k: int) -> Any:
        return queries.shape, k

    def query(self, queries: Any, k: int = 1) -> Any:
        known = self.__dict__.setdefault("known", {})
        key = self.key(np.asarray(queries), k)
        if key not in known:
            known[key] = super().query(queries, k)
        return known[key]


@broken("neighbors", "answers remembered by shape", caught_by=("N25", "N11"), **_EXACT)
class RemembersShapes(Exact):
    """Answers the question of last time."""

    def build(self, bank: Any) -> Any:
        return _Caching(self, super().build(bank).bank)


class _KnownByEnds(_Caching):
    """An index that takes the first and the last query for all of them."""

    def key(self, queries: Any, k: int) -> Any:
        return queries.shape, queries[:1].tobytes(), queries[-1:].tobytes(), k

    def query(self, queries: Any, k: int = 1) -> Any:
        return tuple(found.copy() for found in super().query(queries, k))


@broken("neighbors", "answers remembered by the first and the last query", caught_by=("X05", "N25"), **_EXACT)
class RemembersEnds(Exact):
    """Answers a question that begins and ends alike."""

    def build(self, bank: Any) -> Any:
        return _KnownByEnds(self, super().build(bank).bank)


class _KnownByBytes(_Caching):
    """An index that takes the first and the last bytes for all of them."""

    def key(self, queries: Any, k: int) -> Any:
        return queries.shape, queries.tobytes()[:32], queries.tobytes()[-32:], k

    def query(self, queries: Any, k: int = 1) -> Any:
        return tuple(found.copy() for found in super().query(queries, k))


@broken("neighbors", "answers remembered by the first and the last bytes", caught_by=("X05",), **_EXACT)
class RemembersBytes(Exact):
    """Answers a question that differs in the middle alone."""

    def build(self, bank: Any) -> Any:
        return _KnownByBytes(self, super().build(bank).bank)


class _OneBuffer(Index):
    def query(self, queries: Any, k: int = 1) -> Any:
        distances, rows = super().query(queries, k)
        buffers = self.__dict__.setdefault("buffers", {})
        kept = buffers.setdefault(rows.shape, (np.empty_like(distances), np.empty_like(rows)))
        kept[0][...], kept[1][...] = distances, rows
        return kept


@broken("neighbors", "one buffer for all answers", caught_by=("N16",), **_EXACT)
class OneBuffer(Exact):
    """Answers in the same memory each time."""

    def build(self, bank: Any) -> Any:
        return _OneBuffer(self, super().build(bank).bank)


class _KeepsBest(Index):
    """Starts from the best rows of last time, where there were as many queries."""

    def query(self, queries: Any, k: int = 1) -> Any:
        distances, rows = super().query(queries, k)
        last = self.__dict__.get("last")
        if last is not None and last[0].shape == distances.shape:
            nearer = last[0] < distances
            distances, rows = np.where(nearer, last[0], distances), np.where(nearer, last[1], rows)
        self.__dict__["last"] = distances, rows
        return distances, rows


@broken("neighbors", "the best rows not reset", caught_by=("N25",), **_EXACT)
class NotReset(Exact):
    """Goes on from where it was."""

    def build(self, bank: Any) -> Any:
        return _KeepsBest(self, super().build(bank).bank)


class _InPlace(Index):
    def query(self, queries: Any, k: int = 1) -> Any:
        centre = self.bank.mean(axis=0)
        if isinstance(queries, np.ndarray) and queries.dtype.kind == "f":
            queries -= centre.astype(queries.dtype)
            return Index(self.search, self.bank - centre).query(queries, k)
        return super().query(queries, k)


@broken("neighbors", "queries centred in place", caught_by=("X02",), **_EXACT)
class InPlace(Exact):
    """Changes what the caller gave."""

    def build(self, bank: Any) -> Any:
        return _InPlace(self, super().build(bank).bank)


@broken("neighbors", "another answer now and then", caught_by=("X06",), **_EXACT)
class Fickle(Exact):
    """Breaks ties by global chance, and says that it is deterministic."""

    def nearest(self, squares: Any, k: int) -> Any:
        order = np.random.permutation(squares.shape[1])  # noqa: NPY002 - the mistake
        return order[np.argsort(squares[:, order], axis=1, kind="stable")[:, :k]]


@broken("neighbors", "NaN answered", caught_by=("X08",), **_EXACT)
class Unchecked(Exact):
    """Does not look at what comes in."""

    def checked(self, rows: Any, name: str) -> Any:  # noqa: ARG002
        return rows


@broken("neighbors", "looks for NaN among the first 1,024 rows", caught_by=("X08",), **_EXACT)
class LooksAtAFew(Exact):
    """Spares itself a pass over all values."""

    def checked(self, rows: Any, name: str) -> Any:
        super().checked(rows[:1024], name)
        return rows


@broken("neighbors", "one column stretched to fit", caught_by=("X08",), **_EXACT)
class Stretched(Exact):
    """Lets NumPy broadcast."""

    def require_fitting(self, queries: Any, bank: Any, k: Any) -> None:
        if queries.shape[1] != 1:
            super().require_fitting(queries, bank, k)


class _LastQueries(Index):
    """An index on which the queries of a call lie until the next call."""

    def query(self, queries: Any, k: int = 1) -> Any:
        search: Any = self.search
        asked = search.read(search.checked(np.asarray(queries), "queries"))
        search.require_fitting(asked, self.bank, k)
        object.__setattr__(self, "found", search.find(asked, self.bank, k))
        time.sleep(0.002)  # whatever comes between: a log, a lock, a busy machine
        return search.answer(*self.__dict__["found"])


@broken("neighbors", "found in the index", caught_by=("X11",), thread_safe=True, **_EXACT)
class FoundInTheIndex(Exact):
    """Keeps what it found where another thread finds it."""

    def build(self, bank: Any) -> Any:
        return _LastQueries(self, super().build(bank).bank)


class _KnownArrays(Index):
    """An index that knows arrays by their identity."""

    def query(self, queries: Any, k: int = 1) -> Any:
        known = self.__dict__.setdefault("known", {})
        if (id(queries), k) not in known:
            known[id(queries), k] = (super().query(queries, k), queries)
        return tuple(found.copy() for found in known[id(queries), k][0])


@broken("neighbors", "arrays known by identity", caught_by=("N16",), **_EXACT)
class KnownArrays(Exact):
    """Answers an array that was written over as before."""

    def build(self, bank: Any) -> Any:
        return _KnownArrays(self, super().build(bank).bank)
