"""Approximate search by faiss: the bank in cells, of which a query looks into the nearest few."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

import faiss

from patchcore_plugin.neighbors.faiss_approximate import FaissApproximate, FaissIndex, start
from patchcore_plugin.neighbors.faiss_threads import on_one_thread
from patchcore_reference.numba_kernels import alike, nearest_checked_rows, ready

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from patchcore_plugin.arrays import Embeddings, Rows

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class FaissIvf(FaissApproximate):
    """Look into the ``nprobe`` nearest of ``nlist`` cells, or into as many more as the wanted ``recall`` takes.

    ``nlist`` None makes as many cells as each then has rows, on average; with more cells than rows to learn them from,
    there are as many as rows, and a warning says so. Among equal banks, settings and seeds, equal indexes come out.
    """

    nlist: int | None = None
    nprobe: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nlist is not None:
            self._require_whole("nlist", least=1)
        self._require_whole("nprobe", least=1)

    def build(self, bank: Embeddings) -> FaissIvfIndex:
        """Copy a bank (M, D), make its cells, and measure how many a query has to look into.

        Cost: O(M*D*nlist) time on one core, and exact answers to 1,024 queries; M*D values of float32 beside the copy.
        """
        common, left_out = start(bank, self.seed)
        rows = common["placing"].place(common["bank"][left_out.kept])
        cells = self._cells(len(rows))
        index = on_one_thread(lambda: _filled(rows, cells, self.seed))
        draft = FaissIvfIndex(index=index, wanted=self.recall, **common)
        return self._declared(draft, left_out, self.nprobe, cells)

    def _cells(self, rows: int) -> int:
        if self.nlist is not None and self.nlist > rows:
            _logger.warning(
                "neighbors.nlist is %d, but there are %d rows to learn cells from: %d cells are made.",
                self.nlist, rows, rows,
            )  # fmt: skip
        return min(rows, round(sqrt(rows)) if self.nlist is None else self.nlist)


@dataclass(frozen=True, kw_only=True, eq=False)
class FaissIvfIndex(FaissIndex):
    """A bank in cells."""

    name = "faiss-ivf"
    remedy = "make fewer cells (nlist)"

    def _search(self, placed: npt.NDArray[np.float32], k: int, effort: int) -> Rows:
        # faiss itself measures the cells in a way that depends on how many queries come together.
        centres = self.index.quantizer.reconstruct_n(0, self.index.nlist)
        _, cells = nearest_checked_rows(*alike(ready(placed), ready(centres)), effort)
        self.index.nprobe = effort  # always the same one, once the index is made
        _, rows = self.index.search_preassigned(placed, k, cells, None)
        return rows  # type: ignore[no-any-return]  # faiss is not typed

    def _settings(self) -> dict[str, Any]:
        return {"nlist": self.index.nlist, "nprobe": self.declared.effort}


def _filled(rows: npt.NDArray[np.float32], cells: int, seed: int) -> Any:
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(rows.shape[1]), rows.shape[1], cells, faiss.METRIC_L2)
    index.cp.seed = seed % 2**31
    index.cp.min_points_per_centroid = 1  # it would only write a remark to the terminal
    index.train(rows)
    index.add(rows)
    return index
