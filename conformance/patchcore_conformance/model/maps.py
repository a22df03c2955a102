"""Anomaly maps in plain NumPy, one step a method: what faulty maps are derived from by spoiling one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Blurred:
    """Patch scores resized, bilinear between the middles of patches, then blurred by a Gaussian; edges mirrored."""

    reach: float = 4.0  # the Gaussian is cut off after so many sigmas

    def anomaly_map(self, patch_scores: Any, size: tuple[int, int], sigma: float) -> Any:
        """Draw maps: (B, h, w) -> (B, H, W) float32."""
        scores = self.checked(np.asarray(patch_scores), size, sigma)
        maps = self.resized(self.read(scores), size)
        return self.answer(self.blurred(maps, sigma) if sigma else maps)

    def checked(self, scores: npt.NDArray[Any], size: Any, sigma: Any) -> npt.NDArray[Any]:
        """Refuse all but finite scores, a size in whole pixels, and a sigma of 0 or more."""
        if scores.ndim != 3 or 0 in scores.shape or scores.dtype.kind not in "fiu" or not np.isfinite(scores).all():
            raise ValueError(f"scores are {scores.dtype} {scores.shape}, but finite ones (images, h, w) are needed")
        if len(size) != 2 or not all(isinstance(n, (int, np.integer)) and n > 0 for n in size):
            raise ValueError(f"size is {size!r}, but two whole numbers above 0 are needed")
        if isinstance(sigma, bool) or not 0 <= sigma < np.inf:
            raise ValueError(f"sigma is {sigma!r}, but 0 or more is needed")
        return scores

    def read(self, scores: npt.NDArray[Any]) -> Any:
        """Bring scores to what is computed with."""
        return scores.astype(np.float64)

    def resized(self, maps: Any, size: tuple[int, int]) -> Any:
        """Bring maps to the size of the image."""
        return self.along(self.along(maps, 1, size[0]), 2, size[1])

    def along(self, maps: Any, axis: int, size: int) -> Any:
        """Resize one axis."""
        length = maps.shape[axis]
        place = np.clip(self.places(length, size), 0, length - 1)
        low = np.floor(place).astype(int)
        share = (place - low).reshape([-1 if one == axis else 1 for one in range(3)])
        start, end = maps.take(low, axis), maps.take(np.minimum(low + 1, length - 1), axis)
        return start + (end - start) * share

    def places(self, length: int, size: int) -> Doubles:
        """Where the middle of each of ``size`` pixels lies among ``length`` patches."""
        return np.asarray((np.arange(size) + 0.5) * (length / size) - 0.5)

    def blurred(self, maps: Any, sigma: float) -> Any:
        """Smooth rows and columns."""
        weights = self.weights(sigma)
        for axis in (1, 2):
            maps = self.smoothed(maps, weights, axis)
        return maps

    def weights(self, sigma: float) -> Doubles:
        """A Gaussian at whole pixels, its sum 1."""
        half = max(1, int(self.reach * sigma + 0.5))
        found = np.exp(-0.5 * np.square(np.arange(-half, half + 1) / sigma))
        return np.asarray(found / found.sum())

    def smoothed(self, maps: Any, weights: Doubles, axis: int) -> Any:
        """Weigh each pixel with its neighbours along one axis."""
        half = len(weights) // 2
        padded = self.padded(maps, [(half, half) if one == axis else (0, 0) for one in range(3)])
        return np.lib.stride_tricks.sliding_window_view(padded, len(weights), axis=axis) @ weights

    def padded(self, maps: Any, widths: Any) -> Any:
        """Continue maps beyond their edges: mirrored, the edge pixel repeated."""
        return np.pad(maps, widths, mode="symmetric")

    def answer(self, maps: Any) -> Any:
        """Make the answer."""
        return np.ascontiguousarray(maps, dtype=np.float32)


class Squares(Blurred):
    """The same with each patch drawn as a square: a pixel shows the patch it lies in."""

    def places(self, length: int, size: int) -> Doubles:
        """Which patch the edge of each pixel lies in."""
        return np.asarray(np.arange(size) * length // size, dtype=np.float64)
