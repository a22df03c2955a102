"""Anomaly maps with one mistake each, as real authors make them."""

from __future__ import annotations

from typing import Any

import numpy as np

from patchcore_conformance.broken.registry import broken
from patchcore_conformance.model.maps import Blurred, Squares


@broken("maps", "zeros beyond the edge", caught_by=("A10",))
class ZeroBorder(Blurred):
    def padded(self, maps: Any, widths: Any) -> Any:
        return np.pad(maps, widths)


@broken("maps", "round and round", caught_by=("A16",))
class Wrapped(Blurred):
    def padded(self, maps: Any, widths: Any) -> Any:
        return np.pad(maps, widths, mode="wrap")


@broken("maps", "cubic resizing", caught_by=("A10", "A12"))
class Cubic(Blurred):
    def along(self, maps: Any, axis: int, size: int) -> Any:
        length = maps.shape[axis]
        place = np.clip(self.places(length, size), 0, length - 1)
        low = np.floor(place).astype(int)
        found = 0.0
        for step in (-1, 0, 1, 2):
            gap = np.abs(place - low - step)
            near, far = 1.25 * gap**3 - 2.25 * gap**2 + 1, -0.75 * (gap**3 - 5 * gap**2 + 8 * gap - 4)
            share = np.where(gap <= 1, near, np.where(gap < 2, far, 0))
            shape = [-1 if one == axis else 1 for one in range(3)]
            found = found + maps.take(np.clip(low + step, 0, length - 1), axis) * share.reshape(shape)
        return found


@broken("maps", "width before height", caught_by=("A10",))
class Sideways(Blurred):
    def resized(self, maps: Any, size: tuple[int, int]) -> Any:
        return super().resized(maps, size[::-1])


@broken("maps", "rows and columns exchanged", caught_by=("A11", "A12"))
class Transposed(Blurred):
    def read(self, scores: Any) -> Any:
        return super().read(scores).swapaxes(1, 2)


@broken("maps", "flipped", caught_by=("A11", "A12", "A13"))
class Flipped(Blurred):
    def answer(self, maps: Any) -> Any:
        return super().answer(maps[:, ::-1])


@broken("maps", "brought to 0..1", caught_by=("A10", "A15"))
class ZeroToOne(Blurred):
    def answer(self, maps: Any) -> Any:
        low = maps.min(axis=(1, 2), keepdims=True)
        spread = maps.max(axis=(1, 2), keepdims=True) - low
        return super().answer((maps - low) / np.where(spread > 0, spread, 1))


@broken("maps", "brought to the batch's largest value", caught_by=("A15",))
class BatchScaled(Blurred):
    def answer(self, maps: Any) -> Any:
        largest = maps.max(axis=(1, 2), keepdims=True)
        return super().answer(maps * np.where(largest > 0, maps.max() / np.maximum(largest, 1e-12), 1))


@broken("maps", "weighed by the image's score", caught_by=("A10", "A15"))
class Weighed(Blurred):
    def answer(self, maps: Any) -> Any:
        return super().answer(maps * (1 - 0.1 / (1 + maps.max(axis=(1, 2), keepdims=True))))


@broken("maps", "the first image's map for all", caught_by=("A11", "A15"))
class FirstForAll(Blurred):
    def answer(self, maps: Any) -> Any:
        return super().answer(np.repeat(maps[:1], len(maps), axis=0))


@broken("maps", "smoothed across images", caught_by=("A15",))
class AcrossImages(Blurred):
    def blurred(self, maps: Any, sigma: float) -> Any:
        return super().blurred((maps + 0.01 * np.roll(maps, 1, axis=0)) / 1.01, sigma)


@broken("maps", "corners aligned", caught_by=("A12", "A13"))
class AlignedCorners(Blurred):
    def places(self, length: int, size: int) -> Any:
        return np.arange(size) * ((length - 1) / max(size - 1, 1))


@broken("maps", "resized from the left edge", caught_by=("A11", "A12", "A13"))
class LeftEdge(Blurred):
    def places(self, length: int, size: int) -> Any:
        return np.arange(size) * (length / size)


@broken("maps", "squares, claimed bilinear", caught_by=("A12", "A13"))
class SquaresUnsaid(Squares):
    pass


@broken("maps", "bilinear, claimed squares", caught_by=("A12",), resize="nearest")
class BilinearUnsaid(Blurred):
    pass


@broken("maps", "squares, half a patch off", caught_by=("A11", "A12"), resize="nearest")
class SquaresRounded(Squares):
    def places(self, length: int, size: int) -> Any:
        return np.clip(np.round(np.arange(size) * (length / size)), 0, length - 1)


@broken("maps", "always smoothed", caught_by=("A12",))
class AlwaysSmoothed(Blurred):
    def anomaly_map(self, patch_scores: Any, size: tuple[int, int], sigma: float) -> Any:
        return super().anomaly_map(patch_scores, size, max(sigma, 0.5))


@broken("maps", "divided by sigma 0", caught_by=("A12",))
class DividesByZero(Blurred):
    def anomaly_map(self, patch_scores: Any, size: tuple[int, int], sigma: float) -> Any:
        maps = self.resized(self.read(self.checked(np.asarray(patch_scores), size, sigma)), size)
        return self.answer(self.blurred(maps, sigma))


@broken("maps", "sigma ignored", caught_by=("A14",))
class SigmaIgnored(Blurred):
    def weights(self, sigma: float) -> Any:  # noqa: ARG002 - that is the mistake
        return super().weights(4.0)


@broken("maps", "never smoothed", caught_by=("A14",))
class NeverSmoothed(Blurred):
    def blurred(self, maps: Any, sigma: float) -> Any:  # noqa: ARG002 - that is the mistake
        return maps


@broken("maps", "sigma for a variance", caught_by=("A14",))
class Variance(Blurred):
    def weights(self, sigma: float) -> Any:
        return super().weights(sigma**0.5)


@broken("maps", "a tenth less than sigma", caught_by=("A14",))
class LessSigma(Blurred):
    def weights(self, sigma: float) -> Any:
        return super().weights(0.9 * sigma)


@broken("maps", "a kernel too short", caught_by=("A14",))
def short_kernel() -> Blurred:
    """End the Gaussian at one and a half sigma."""
    return Blurred(reach=1.5)


@broken("maps", "a box", caught_by=("A14",))
class Box(Blurred):
    def weights(self, sigma: float) -> Any:
        half = max(1, round(sigma * 3**0.5))
        return np.full(2 * half + 1, 1 / (2 * half + 1))


@broken("maps", "rows only", caught_by=("A14",))
class RowsOnly(Blurred):
    def smoothed(self, maps: Any, weights: Any, axis: int) -> Any:
        return super().smoothed(maps, weights, axis) if axis == 2 else maps


@broken("maps", "smoothed before resizing", caught_by=("A14",))
class BlurredFirst(Blurred):
    def anomaly_map(self, patch_scores: Any, size: tuple[int, int], sigma: float) -> Any:
        scores = self.read(self.checked(np.asarray(patch_scores), size, sigma))
        maps = self.blurred(scores, sigma * scores.shape[1] / size[0]) if sigma else scores
        return self.answer(self.resized(maps, size))


@broken("maps", "sigma counted in patches", caught_by=("A11", "A16"))
class SigmaInPatches(Blurred):
    def anomaly_map(self, patch_scores: Any, size: tuple[int, int], sigma: float) -> Any:
        return super().anomaly_map(patch_scores, size, sigma * size[1] / np.shape(patch_scores)[2])


@broken("maps", "weights that do not sum to 1", caught_by=("A10", "A14"))
class NotNormalised(Blurred):
    def weights(self, sigma: float) -> Any:
        return super().weights(sigma) * 1.02


@broken("maps", "a kernel off by a pixel", caught_by=("A11", "A13", "A14"))
class OffByOne(Blurred):
    def weights(self, sigma: float) -> Any:
        return np.append(super().weights(sigma), [0.0, 0.0])


@broken("maps", "rounded to whole numbers", caught_by=("A10", "A12"))
class Rounded(Blurred):
    def answer(self, maps: Any) -> Any:
        return super().answer(np.round(maps))


@broken("maps", "clipped at 255", caught_by=("A10",))
class ClippedAt255(Blurred):
    def answer(self, maps: Any) -> Any:
        return super().answer(np.minimum(maps, 255))


@broken("maps", "half precision, unsaid", caught_by=("A12",))
class Half(Blurred):
    def answer(self, maps: Any) -> Any:
        return maps.astype(np.float16).astype(np.float32)


@broken("maps", "an axis too few for one image", caught_by=("A10", "A15"))
class Squeezed(Blurred):
    def answer(self, maps: Any) -> Any:
        return super().answer(maps)[0] if len(maps) == 1 else super().answer(maps)


@broken("maps", "edges faded out", caught_by=("A10", "A16"))
class Faded(Blurred):
    def answer(self, maps: Any) -> Any:
        maps = maps.copy()
        maps[:, 0], maps[:, -1], maps[:, :, 0], maps[:, :, -1] = 0, 0, 0, 0
        return super().answer(maps)


@broken("maps", "whole parts of 16 images, the rest left blank", caught_by=("A15",))
class WholeParts(Blurred):
    def answer(self, maps: Any) -> Any:
        found = np.array(maps)
        found[16 * (len(found) // 16) or len(found) :] = 0
        return super().answer(found)
