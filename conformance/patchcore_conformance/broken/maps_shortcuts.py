"""Anomaly maps that save work where nobody looks: an earlier call's weights, a kernel cut short, the smaller grid."""

from __future__ import annotations

from typing import Any

import numpy as np

from patchcore_conformance.broken.registry import broken
from patchcore_conformance.model.maps import Blurred


@broken("maps", "smoothed before it is shrunk", caught_by=("A14",))
class BlurredBeforeShrinking(Blurred):
    def anomaly_map(self, patch_scores: Any, size: tuple[int, int], sigma: float) -> Any:
        scores = self.read(self.checked(np.asarray(patch_scores), size, sigma))
        if sigma and size[0] * size[1] < scores[0].size:
            return self.answer(self.resized(self.blurred(scores, sigma), size))
        return super().anomaly_map(patch_scores, size, sigma)


@broken("maps", "smoothed before resizing above 300 pixels", caught_by=("A14",))
class BlurredFirstIfLarge(Blurred):
    def anomaly_map(self, patch_scores: Any, size: tuple[int, int], sigma: float) -> Any:
        if max(size) <= 300 or not sigma:
            return super().anomaly_map(patch_scores, size, sigma)
        scores = self.read(self.checked(np.asarray(patch_scores), size, sigma))
        return self.answer(self.resized(self.blurred(scores, sigma * scores.shape[1] / size[0]), size))


@broken("maps", "places kept for a size, whatever the grid", caught_by=("X05",))
class PlacesKept(Blurred):
    def __post_init__(self) -> None:
        object.__setattr__(self, "kept", {})

    def along(self, maps: Any, axis: int, size: int) -> Any:
        kept: dict[Any, Any] = self.kept  # type: ignore[attr-defined]
        length = kept.setdefault((axis, size), maps.shape[axis])
        return super().along(maps[:, :length] if axis == 1 else maps[:, :, :length], axis, size)


@broken("maps", "weights kept from the first sigma", caught_by=("X05",))
class WeightsKept(Blurred):
    def __post_init__(self) -> None:
        object.__setattr__(self, "kept", {})

    def weights(self, sigma: float) -> Any:
        kept: dict[str, Any] = self.kept  # type: ignore[attr-defined]
        return kept.setdefault("weights", super().weights(sigma))


@broken("maps", "never more than 33 pixels of kernel", caught_by=("A14",))
class ThirtyThreePixels(Blurred):
    def weights(self, sigma: float) -> Any:
        found = super().weights(sigma)
        spare = max(0, len(found) - 33) // 2
        found = found[spare : len(found) - spare]
        return found / found.sum()


@broken("maps", "mirrored once, then zeros", caught_by=("A10",))
class MirroredOnce(Blurred):
    def padded(self, maps: Any, widths: Any) -> Any:
        once = [(min(width, size),) * 2 for (width, _), size in zip(widths, maps.shape, strict=True)]
        rest = [(width - done,) * 2 for (width, _), (done, _) in zip(widths, once, strict=True)]
        return np.pad(super().padded(maps, once), rest)


@broken("maps", "scores handed back where nothing is to be done", caught_by=("X04",))
class HandsBack(Blurred):
    def anomaly_map(self, patch_scores: Any, size: tuple[int, int], sigma: float) -> Any:
        scores = self.checked(np.asarray(patch_scores), size, sigma)
        if not sigma and scores.shape[1:] == tuple(size) and scores.dtype in (np.float32, np.float64):
            return scores
        return super().anomaly_map(patch_scores, size, sigma)


@broken("maps", "half precision in large maps", caught_by=("A10",))
class HalfWhereLarge(Blurred):
    def answer(self, maps: Any) -> Any:
        found = super().answer(maps)
        return found.astype(np.float16).astype(np.float32) if found.size > 500_000 else found


@broken("maps", "not smoothed below one pixel", caught_by=("A14",))
class NothingBelowOne(Blurred):
    def blurred(self, maps: Any, sigma: float) -> Any:
        return maps if sigma < 1 else super().blurred(maps, sigma)


@broken("maps", "edges left as they were", caught_by=("A14",))
class EdgesLeft(Blurred):
    def blurred(self, maps: Any, sigma: float) -> Any:
        edge = int(sigma)
        found = maps.copy()
        inside = (slice(None), slice(edge, -edge or None), slice(edge, -edge or None))
        found[inside] = super().blurred(maps, sigma)[inside]
        return found


@broken("maps", "round and round in large maps", caught_by=("A16",))
class RoundWhereLarge(Blurred):
    def padded(self, maps: Any, widths: Any) -> Any:
        return np.pad(maps, widths, mode="wrap" if max(maps.shape[1:]) > 128 else "symmetric")


@broken("maps", "the last map again where scores are nearly the same", caught_by=("X05",))
class LastMapAgain(Blurred):
    def anomaly_map(self, patch_scores: Any, size: Any, sigma: float) -> Any:
        scores = np.array(patch_scores)
        known = self.__dict__.get("last")
        if known and known[0].shape == scores.shape and known[2] == size and np.allclose(known[0], scores):
            return known[1].copy()
        found = super().anomaly_map(patch_scores, size, sigma)
        self.__dict__["last"] = (scores, found.copy(), size)
        return found
