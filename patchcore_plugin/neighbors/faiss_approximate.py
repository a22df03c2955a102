"""What faiss-ivf and faiss-hnsw share: the settings of a declared recall, and an index that says what it finds."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.errors import ConfigError, ShapeError
from patchcore_plugin.neighbors.declared_recall import Declared, LeftOut, declare
from patchcore_plugin.neighbors.faiss_flat import FaissFlat
from patchcore_plugin.neighbors.faiss_threads import on_one_thread
from patchcore_plugin.neighbors.numba_best_rows import Best, distances_of
from patchcore_plugin.neighbors.owned_bank import own_bank
from patchcore_plugin.neighbors.placing import Placing
from patchcore_reference.checks import require_count, require_queries, require_whole
from patchcore_reference.numba_kernels import alike, nearest_checked_rows, ready

if TYPE_CHECKING:
    import numpy.typing as npt

    from patchcore_plugin.arrays import Distances, Embeddings, Rows

_SPARE = 3  # rows looked at beside the k nearest: float32 may have swapped near ties
_logger = logging.getLogger(__name__)

Index = TypeVar("Index", bound="FaissIndex")


@dataclass(frozen=True, kw_only=True)
class FaissApproximate(ABC):
    """Searches that look at a part of the bank, as large a part as finds ``recall`` of all nearest neighbours.

    Where even the largest effort finds fewer, a warning says so, and the index's ``recall`` is what was reached.
    """

    recall: float = 0.99
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.recall, bool) or not isinstance(self.recall, Real) or not 0 < self.recall <= 1:
            raise ConfigError(f"neighbors: recall is {self.recall!r}, but a share above 0 and at most 1 is needed.")
        self._require_whole("seed", least=0)

    @abstractmethod
    def build(self, bank: Embeddings) -> FaissIndex:
        """Copy a bank (M, D), index it, and measure how hard a query has to search."""

    def _require_whole(self, name: str, least: int) -> None:
        try:
            require_whole(getattr(self, name), name, least)
        except ShapeError as problem:
            raise ConfigError(f"neighbors: {problem}") from None

    def _declared(self, draft: Index, left_out: LeftOut, least: int, most: int) -> Index:
        """Measure an index of the rows kept, then give it the others."""
        declared = declare(*_trial(draft, left_out, self.seed), least, most, self.recall)
        if declared.recall < self.recall:
            _logger.warning(
                "%s finds %.1f %% of the nearest rows, but recall = %g was asked for. Exact searches find all: set "
                "neighbors.name to pruned-exact or faiss-flat, or let this one %s.",
                draft.name, 100 * declared.recall, self.recall, draft.remedy,
            )  # fmt: skip
        on_one_thread(lambda: draft.index.add(draft.placing.place(draft.bank[left_out.tried])))
        return replace(draft, declared=declared, wanted=self.recall)


@dataclass(frozen=True, kw_only=True, eq=False)
class FaissIndex(ABC):
    """A bank of its own, and faiss's index of it, ready to be asked.

    ``recall`` is the share of nearest neighbours that was found when the index was built; ``facts`` tell it, and how
    the index is searched for it.
    """

    name: ClassVar[str]
    remedy: ClassVar[str]  # what may make it find more

    bank: Embeddings
    placing: Placing
    index: Any  # of faiss, over the placed rows
    order: Rows  # which bank row each of faiss's rows is
    declared: Declared
    wanted: float

    @property
    def recall(self) -> float:
        """Share of nearest neighbours found, as measured when the index was built."""
        return self.declared.recall

    @property
    def facts(self) -> dict[str, Any]:
        """What was measured, and the settings it was measured with, for people and for the saved model."""
        measured = {"recall": self.recall, "recall wanted": self.wanted, "measured on": self.declared.queries}
        return {"search": self.name, **measured, **self._settings()}

    def query(self, queries: Embeddings, k: int = 1) -> tuple[Distances, Rows]:
        """Find k rows near to each of (Q, D) queries, mostly the nearest: distances and rows (Q, k), nearest first.

        Distances are those of the rows returned, by differences in float64. A query for which faiss finds fewer than k
        rows is measured against every row.
        """
        asked = as_numpy(queries, "queries")
        require_queries(asked, self.bank)
        require_count(k, len(self.bank), "k")
        rows, bank = alike(ready(asked), self.bank)
        found = self._found(rows, min(len(bank), k + _SPARE), self.declared.effort)
        lacking = np.flatnonzero((found < 0).any(axis=1))
        found[lacking] = np.arange(found.shape[1])  # any rows: these queries are answered below
        distances = distances_of(rows, bank, Best(None, found))[:, :k]
        found = found[:, :k]
        if len(lacking):
            few = rows[lacking]
            few.flags.writeable = False
            distances[lacking], found[lacking] = nearest_checked_rows(few, bank, k)
        return np.ascontiguousarray(distances), np.ascontiguousarray(found)

    def distances(self, queries: Embeddings, effort: int) -> npt.NDArray[np.float64]:
        """Measure the nearest row that is found with an effort; infinity where none is."""
        rows, bank = alike(ready(queries), self.bank)
        found = self._found(rows, 1, effort)
        distances = distances_of(rows, bank, Best(None, np.maximum(found, 0)))
        return np.where(found[:, 0] < 0, np.inf, distances[:, 0])

    def _found(self, queries: Embeddings, k: int, effort: int) -> Rows:
        """Return the bank rows that faiss finds, -1 where there is none."""
        numbers = self._search(self.placing.place(queries), k, effort)
        return np.where(numbers < 0, -1, self.order[numbers])

    @abstractmethod
    def _search(self, placed: npt.NDArray[np.float32], k: int, effort: int) -> Rows: ...

    @abstractmethod
    def _settings(self) -> dict[str, Any]: ...


def start(bank: Embeddings, seed: int) -> tuple[dict[str, Any], LeftOut]:
    """Copy a bank and choose the rows an index is tried on: what every index holds, and those rows."""
    rows = ready(own_bank(bank))
    left_out = LeftOut.of(len(rows), seed)
    order = np.concatenate(left_out)
    return {"bank": rows, "placing": Placing.of(rows), "order": order, "declared": Declared(1, 0.0, 0)}, left_out


def _trial(draft: FaissIndex, left_out: LeftOut, seed: int) -> tuple[Any, Distances]:
    if not len(left_out.tried):
        return draft.distances, np.empty(0)
    queries = left_out.queries(draft.bank, seed)
    truth, _ = FaissFlat().build(draft.bank[left_out.kept]).query(queries)
    return lambda effort: draft.distances(queries, effort), truth[:, 0]
