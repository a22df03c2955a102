"""Scoring patch embeddings against a memory bank: Eq. 6 and 7, every image for itself."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.calibration import Calibration
from patchcore_plugin.config_sections import ScoringSettings
from patchcore_plugin.errors import TooFewRowsError, WidthMismatchError
from patchcore_plugin.scores import Scores
from patchcore_plugin.whitening import whiten
from patchcore_reference.pooling import pooled_scores
from patchcore_reference.scoring import farthest_patch, neighborhood_weight, patch_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from patchcore_plugin.arrays import Distances, Embeddings, PatchGrid, Rows
    from patchcore_plugin.config import Settings
    from patchcore_plugin.contracts import NeighborIndex, NeighborSearch
    from patchcore_plugin.memory_bank import MemoryBank

_DECIDING = ("neighbors", "distance", "reweight_neighbors", "top_share", "image_sigma")  # what an image scores


@dataclass(frozen=True)
class BankScorer:
    """A bank, its search index and its calibration: all that scoring needs besides embeddings."""

    bank: MemoryBank
    index: NeighborIndex
    settings: Settings
    calibration: Calibration | None

    @classmethod
    def build(cls, bank: MemoryBank, neighbors: NeighborSearch, settings: Settings) -> BankScorer:
        """Prepare a bank to be asked; held-out scores that were made in another way than now are no yardstick.

        Raises: TooFewRowsError when a patch score asks for more neighbors than the bank has rows.
        """
        k = settings.scoring.neighbors
        if k > len(bank):
            raise TooFewRowsError(
                f"scoring.neighbors is {k}, but the memory bank has {len(bank)} row(s). Lower it, or keep more rows."
            )
        index = neighbors.build(bank.embeddings.astype(np.float32, copy=False))
        held_out = bank.held_out_scores
        usable = len(held_out) > 0 and _scored_alike(bank, settings)
        calibration = Calibration(held_out, settings.calibration.false_alarm_rate) if usable else None
        return cls(bank, index, settings, calibration)

    def calibrated(self, held_out: npt.NDArray[np.float64]) -> BankScorer:
        """Return the same bank and index with the scores of held-out good images as a yardstick."""
        bank = replace(self.bank, held_out_scores=held_out)
        return replace(self, bank=bank, calibration=Calibration(held_out, self.settings.calibration.false_alarm_rate))

    def noting_search_facts(self) -> BankScorer:
        """Return the same with what the index tells of itself (``facts``, if it has any) in the bank, to be saved."""
        told = json.loads(json.dumps(getattr(self.index, "facts", {}), default=str))
        return replace(self, bank=replace(self.bank, search_facts=told))

    def score(
        self, patches: PatchGrid, names: Sequence[str], sizes: Sequence[tuple[int, int]], *, whitened: bool = False
    ) -> Scores:
        """Score a batch; ``whitened`` says that the bank's whitening, if it has one, was applied to it before.

        Shapes: patches (B, h, w, D) -> Scores of B images.
        Raises: WidthMismatchError when D is not the bank's.
        Source: Eq. 6 (patch and s*), Eq. 7 (re-weighted image score); ``pooling`` where a share or a sigma is set.
        """
        *grid, width = patches.shape
        if width != self.bank.width:
            raise WidthMismatchError(
                f"each patch embedding has {width} values but each memory-bank row has {self.bank.width}. "
                "Score with the extractor and aggregator the bank was fitted with, or fit again."
            )
        if self.bank.whitening is not None and not whitened:
            patches = whiten(patches, self.bank.whitening)
        distances, rows = self.index.query(patches.reshape(-1, width), k=self.settings.scoring.neighbors)
        distances = as_numpy(distances, "distances")
        scores = patch_scores(distances, self.settings.scoring.distance).reshape(grid)
        nearest = as_numpy(rows, "rows")[:, 0].astype(np.int64).reshape(grid)
        closest = distances[:, 0].reshape(grid)
        scoring = self.settings.scoring
        if scoring.top_share or scoring.image_sigma:
            image = list(pooled_scores(scores, top_share=scoring.top_share, sigma=scoring.image_sigma))
        else:
            image = [self._image_score(*one) for one in zip(patches, scores, closest, nearest, strict=True)]
        return Scores(
            names=tuple(names),
            image=np.array(image, dtype=np.float64),
            patch=scores.astype(np.float32),
            nearest=nearest,
            sizes=np.array(sizes, dtype=np.int64).reshape(-1, 2),
            settings=self.settings,
            calibration=self.calibration,
        )

    def _image_score(self, patches: Embeddings, scores: Distances, closest: Distances, nearest: Rows) -> float:
        """One image: its worst patch's score, re-weighted by the bank rows around that patch's neighbour."""
        patch = farthest_patch(scores.ravel())
        worst = float(scores.ravel()[patch])
        around = min(self.settings.scoring.reweight_neighbors, len(self.bank))
        if around == 1:
            return worst
        bank = self.bank.embeddings
        _, near = self.index.query(bank[nearest.ravel()[patch]][None].astype(np.float32), k=around)
        embedding = as_numpy(patches.reshape(-1, self.bank.width)[patch], "patch")
        differences = bank[as_numpy(near, "rows")[0]].astype(np.float64) - embedding
        return worst * neighborhood_weight(float(closest.ravel()[patch]), np.linalg.norm(differences, axis=1))


def _scored_alike(bank: MemoryBank, settings: Settings) -> bool:
    """Say whether the bank's own settings give the image scores that these settings give."""
    then, now = ScoringSettings.model_validate(bank.settings.get("scoring", {})), settings.scoring
    return all(getattr(then, name) == getattr(now, name) for name in _DECIDING)
