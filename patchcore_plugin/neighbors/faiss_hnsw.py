"""Approximate search by faiss: the bank as a graph, along which a query walks to its neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import faiss

from patchcore_plugin.neighbors.faiss_approximate import FaissApproximate, FaissIndex, start
from patchcore_plugin.neighbors.faiss_threads import on_one_thread

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from patchcore_plugin.arrays import Embeddings, Rows


@dataclass(frozen=True, kw_only=True)
class FaissHnsw(FaissApproximate):
    """Walk a graph with ``links`` links a row, keeping the best ``ef_search`` rows, or more for the wanted ``recall``.

    Among equal banks, settings and seeds, equal indexes come out: the graph is made on one core.
    """

    links: int = 32
    ef_search: int = 16
    ef_construction: int = 40

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (("links", 2), ("ef_search", 1), ("ef_construction", 1)):
            self._require_whole(name, least)

    def build(self, bank: Embeddings) -> FaissHnswIndex:
        """Copy a bank (M, D), make its graph, and measure how many rows a query has to keep.

        Cost: about O(M*D*ef_construction) time on one core, and exact answers to 1,024 queries; M*D values of float32
              and 2*M*links row numbers beside the copy.
        """
        common, left_out = start(bank, self.seed)
        rows = common["placing"].place(common["bank"][left_out.kept])
        index = on_one_thread(lambda: self._filled(rows))
        draft = FaissHnswIndex(index=index, wanted=self.recall, **common)
        return self._declared(draft, left_out, self.ef_search, len(common["bank"]))

    def _filled(self, rows: npt.NDArray[np.float32]) -> Any:
        index = faiss.IndexHNSWFlat(rows.shape[1], self.links)
        index.hnsw.efConstruction = self.ef_construction
        index.hnsw.rng = faiss.RandomGenerator(self.seed % 2**63)
        index.add(rows)
        return index


@dataclass(frozen=True, kw_only=True, eq=False)
class FaissHnswIndex(FaissIndex):
    """A bank as a graph."""

    name = "faiss-hnsw"
    remedy = "make more links (links, ef_construction)"

    def _search(self, placed: npt.NDArray[np.float32], k: int, effort: int) -> Rows:
        parameters = faiss.SearchParametersHNSW(efSearch=max(effort, 2 * k))
        _, rows = self.index.search(placed, k, params=parameters)
        return rows  # type: ignore[no-any-return]  # faiss declares no types that fit

    def _settings(self) -> dict[str, Any]:
        links = self.index.hnsw.nb_neighbors(1)
        return {"links": links, "ef_construction": self.index.hnsw.efConstruction, "ef_search": self.declared.effort}
