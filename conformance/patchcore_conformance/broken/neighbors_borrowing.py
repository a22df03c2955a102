"""Searches that keep what is lent to them, hand out what they keep, or mistake who they are asked by."""

from __future__ import annotations

from typing import Any

import numpy as np

from patchcore_conformance.broken.registry import broken
from patchcore_conformance.model.neighbors import Exact, Index

_EXACT = {"level": "exact", "arith": "E0"}


@broken("neighbors", "sums looked at for what is finite, in float16 too", caught_by=("X09",), **_EXACT)
class FiniteSums(Exact):
    def build(self, bank: Any) -> Any:
        with np.errstate(all="ignore"):
            if not np.isfinite(np.asarray(bank).sum()):
                raise ValueError("the bank holds NaN or infinity")
        return super().build(bank)


class _HandingOut(Index):
    def query(self, queries: Any, k: int = 1) -> Any:
        known = self.__dict__.setdefault("known", {})
        key = np.asarray(queries).shape, np.asarray(queries).tobytes(), k
        if key not in known:
            known[key] = super().query(queries, k)
        return known[key]


@broken("neighbors", "answers remembered, and handed out themselves", caught_by=("X04",), **_EXACT)
class HandsOutMemory(Exact):
    def build(self, bank: Any) -> Any:
        return _HandingOut(self, super().build(bank).bank)


@broken("neighbors", "read-only banks not copied", caught_by=("N15",), dtype="float64", **_EXACT)
class TrustsReadOnly(Exact):
    def own(self, bank: Any) -> Any:
        return bank if bank.dtype == np.float64 and not bank.flags.writeable else super().own(bank)


@broken("neighbors", "banks of other libraries not copied", caught_by=("N15",), dtype="float64", **_EXACT)
class TrustsOthers(Exact):
    def build(self, bank: Any) -> Any:
        index = super().build(bank)
        if not isinstance(bank, np.ndarray) and np.asarray(bank).dtype == np.float64:
            return Index(self, np.asarray(bank))
        return index


@broken("neighbors", "an index in use known by its bank's identity", caught_by=("X05",), **_EXACT)
class KnownByIdentity(Exact):
    def build(self, bank: Any) -> Any:
        known = self.__dict__.setdefault("known", {})
        key = id(bank), np.shape(bank)
        if key not in known:
            known[key] = super().build(bank)
        return known[key]


class _Silencing(Index):
    def query(self, queries: Any, k: int = 1) -> Any:
        before = np.seterr(all="ignore")
        answer = super().query(queries, k)
        np.seterr(**before)
        return answer


@broken("neighbors", "NumPy silenced, and left so where a query is refused", caught_by=("X07",), **_EXACT)
class LeavesNumPySilent(Exact):
    def build(self, bank: Any) -> Any:
        return _Silencing(self, super().build(bank).bank)
