"""Eq. 6 and 7 in plain NumPy, one step a method: what faulty scorings are derived from by spoiling one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, kw_only=True)
class Reweighted:
    """An image's farthest patch, re-weighted by the bank rows around the row nearest to it; all in float64.

    m* is the row nearest to that patch, N_b(m*) the b rows nearest to m*, itself among them.
    """

    def image_scores(self, embeddings: Any, bank: Any, neighbors: int = 1) -> Any:
        """Score images: (B, P, D), (M, D) -> (B,)."""
        images, rows = self.checked(np.asarray(embeddings), np.asarray(bank), neighbors)
        return self.answer(self.scores(self.read(images), self.read(rows), neighbors))

    def checked(self, images: npt.NDArray[Any], bank: npt.NDArray[Any], neighbors: Any) -> Any:
        """Refuse all but finite numbers of one width, and fewer than one neighbor."""
        for array, axes in ((images, 3), (bank, 2)):
            if array.ndim != axes or 0 in array.shape or array.dtype.kind not in "fiu":
                raise ValueError(f"{array.dtype} {array.shape} came, but numbers of {axes} axes are needed")
            if not np.isfinite(array).all():
                raise ValueError("NaN or infinity came")
        if images.shape[2] != bank.shape[1]:
            raise ValueError(f"patches have {images.shape[2]} values, but rows of the bank {bank.shape[1]}")
        if isinstance(neighbors, bool) or not isinstance(neighbors, (int, np.integer)) or neighbors < 1:
            raise ValueError(f"neighbors is {neighbors!r}, but a whole number from 1 on is needed")
        return images, bank

    def read(self, array: npt.NDArray[Any]) -> Any:
        """Bring an array to what is computed with."""
        return array.astype(np.float64)

    def scores(self, images: Any, bank: Any, neighbors: int) -> Any:
        """Score every image for itself."""
        return [self.score(patches, bank, neighbors) for patches in images]

    def score(self, patches: Any, bank: Any, neighbors: int) -> Any:
        """Score one image."""
        distances = self.distances(patches, bank)
        patch = self.worst(distances.min(axis=1))
        row = self.nearest(distances[patch])
        star = distances[patch, row]
        around = self.around(patches[patch], row, bank, self.how_many(neighbors, len(bank)))
        return star * self.weight(star, self.support(patches[patch], row, bank, around))

    def distances(self, points: Any, bank: Any) -> Any:
        """Measure all pairs: (P, D), (M, D) -> (P, M)."""
        return np.sqrt(np.square(points[:, None, :] - bank[None, :, :]).sum(axis=2))

    def worst(self, nearest: Any) -> int:
        """Choose the patch, by each patch's distance to its nearest row."""
        return int(np.argmax(nearest))

    def nearest(self, distances: Any) -> int:
        """Choose m*."""
        return int(np.argmin(distances))

    def how_many(self, neighbors: int, total: int) -> int:
        """Cut the number of neighbors to the rows there are."""
        return min(neighbors, total)

    def around(self, patch: Any, row: int, bank: Any, count: int) -> Any:  # noqa: ARG002 - a wrong part needs the patch
        """Choose N_b(m*)."""
        return np.argsort(self.distances(bank[row : row + 1], bank)[0], kind="stable")[:count]

    def support(self, patch: Any, row: int, bank: Any, around: Any) -> Any:  # noqa: ARG002 - a wrong part needs m*
        """Measure from the patch to the rows around m*."""
        return self.distances(patch[None], bank[around])[0]

    def weight(self, star: Any, support: Any) -> Any:
        """Say how well the neighbourhood of m* is known; exponents shifted, so that none overflows."""
        if len(support) == 1:
            return 1.0
        shift = support.max()
        return 1 - np.exp(star - shift) / np.exp(support - shift).sum()

    def answer(self, scores: Any) -> Any:
        """Make the answer."""
        return np.asarray(scores, dtype=np.float64)
