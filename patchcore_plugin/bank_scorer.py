"""Scoring patch embeddings against a memory bank: Eq. 6 and 7, every image for itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.calibration import Calibration
from patchcore_plugin.errors import WidthMismatchError
from patchcore_plugin.scores import Scores
from patchcore_reference.scoring import farthest_patch, reweighted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from patchcore_plugin.arrays import Distances, Embeddings, PatchGrid, Rows
    from patchcore_plugin.config import Settings
    from patchcore_plugin.contracts import NeighborIndex, NeighborSearch
    from patchcore_plugin.memory_bank import MemoryBank


@dataclass(frozen=True)
class BankScorer:
    """A bank, its search index and its calibration: all that scoring needs besides embeddings."""

    bank: MemoryBank
    index: NeighborIndex
    settings: Settings
    calibration: Calibration | None

    @classmethod
    def build(cls, bank: MemoryBank, neighbors: NeighborSearch, settings: Settings) -> BankScorer:
        """Prepare a bank to be asked."""
        index = neighbors.build(bank.embeddings.astype(np.float32, copy=False))
        held_out = bank.held_out_scores
        calibration = Calibration(held_out, settings.calibration.false_alarm_rate) if len(held_out) else None
        return cls(bank, index, settings, calibration)

    def calibrated(self, held_out: npt.NDArray[np.float64]) -> BankScorer:
        """Return the same bank and index with the scores of held-out good images as a yardstick."""
        bank = replace(self.bank, held_out_scores=held_out)
        return replace(self, bank=bank, calibration=Calibration(held_out, self.settings.calibration.false_alarm_rate))

    def score(self, patches: PatchGrid, names: Sequence[str], sizes: Sequence[tuple[int, int]]) -> Scores:
        """Score a batch.

        Shapes: patches (B, h, w, D) -> Scores of B images.
        Raises: WidthMismatchError when D is not the bank's.
        Source: Eq. 6 (patch and s*), Eq. 7 (re-weighted image score).
        """
        *grid, width = patches.shape
        if width != self.bank.width:
            raise WidthMismatchError(
                f"each patch embedding has {width} values but each memory-bank row has {self.bank.width}. "
                "Score with the extractor and aggregator the bank was fitted with, or fit again."
            )
        distances, rows = self.index.query(patches.reshape(-1, width), k=1)
        distances = as_numpy(distances, "distances").reshape(grid)
        rows = as_numpy(rows, "rows").astype(np.int64, copy=False).reshape(grid)
        image = [self._image_score(*one) for one in zip(patches, distances, rows, strict=True)]
        return Scores(
            names=tuple(names),
            image=np.array(image, dtype=np.float64),
            patch=distances.astype(np.float32),
            nearest=rows,
            sizes=np.array(sizes, dtype=np.int64).reshape(-1, 2),
            settings=self.settings,
            calibration=self.calibration,
        )

    def _image_score(self, patches: Embeddings, distances: Distances, rows: Rows) -> float:
        """One image: its farthest patch's distance, re-weighted by the bank rows around that patch's neighbour."""
        patch = farthest_patch(distances.ravel())
        farthest = float(distances.ravel()[patch])
        around = min(self.settings.scoring.reweight_neighbors, len(self.bank))
        if around == 1:
            return farthest
        bank = self.bank.embeddings
        _, near = self.index.query(bank[rows.ravel()[patch]][None].astype(np.float32), k=around)
        worst = as_numpy(patches.reshape(-1, self.bank.width)[patch], "patch")
        differences = bank[as_numpy(near, "rows")[0]].astype(np.float64) - worst
        return reweighted(farthest, np.linalg.norm(differences, axis=1))
