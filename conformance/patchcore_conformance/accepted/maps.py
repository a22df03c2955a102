"""Anomaly maps that are right in unusual ways: other borders, other kernels, other resizing, other arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from patchcore_conformance.accepted.registry import accepted
from patchcore_conformance.model.maps import Blurred, Squares


@accepted("maps", "the model itself")
class Plain(Blurred):
    """Nothing unusual."""


@accepted("maps", "patches drawn as squares", resize="nearest")
class Drawn(Squares):
    """Rounds each pixel's place down."""


@accepted("maps", "patches drawn as squares, by the middle of a pixel", resize="nearest")
class DrawnByMiddles(Squares):
    """Takes the patch that the middle of a pixel lies in."""

    def places(self, length: int, size: int) -> Any:
        return np.floor((np.arange(size) + 0.5) * (length / size))


@accepted("maps", "mirrored without the edge pixel")
class Reflected(Blurred):
    """Continues a map as torch's reflect does."""

    def padded(self, maps: Any, widths: Any) -> Any:
        return np.pad(maps, widths, mode="reflect")


@accepted("maps", "the edge pixel repeated")
class Repeated(Blurred):
    """Continues a map by its outermost pixels."""

    def padded(self, maps: Any, widths: Any) -> Any:
        return np.pad(maps, widths, mode="edge")


@accepted("maps", "weights summed over the map alone")
class Renormalised(Blurred):
    """Divides by the part of the Gaussian that lies on the map."""

    def smoothed(self, maps: Any, weights: Any, axis: int) -> Any:
        def over(values: Any) -> Any:
            return super(Renormalised, self).smoothed(values, weights, axis)

        return over(maps) / over(np.ones_like(maps))

    def padded(self, maps: Any, widths: Any) -> Any:
        return np.pad(maps, widths)


@accepted("maps", "a Gaussian that ends at three sigma")
def short_kernel() -> Blurred:
    """Make a part with a shorter kernel."""
    return Blurred(reach=3.0)


@accepted("maps", "a Gaussian that ends at six sigma")
def long_kernel() -> Blurred:
    """Make a part that mirrors small maps again and again, until they are as long as its kernel."""
    return Blurred(reach=6.0)


@accepted("maps", "float32 throughout")
class Single(Blurred):
    """Computes in float32."""

    def read(self, scores: Any) -> Any:
        return scores.astype(np.float32)

    def places(self, length: int, size: int) -> Any:
        return super().places(length, size).astype(np.float32)

    def weights(self, sigma: float) -> Any:
        return super().weights(sigma).astype(np.float32)


@accepted("maps", "columns before rows, float64 in Fortran order, read-only")
class OtherArrays(Blurred):
    """Answers another array than most."""

    def resized(self, maps: Any, size: tuple[int, int]) -> Any:
        return self.along(self.along(maps, 2, size[1]), 1, size[0])

    def answer(self, maps: Any) -> Any:
        found = np.asfortranarray(maps, dtype=np.float64)
        found.flags.writeable = False
        return found


@accepted("maps", "half precision, said", dtype="float16")
class HalfSaid(Blurred):
    """Keeps maps in float16 between the steps."""

    def read(self, scores: Any) -> Any:
        return scores.astype(np.float16).astype(np.float64)

    def along(self, maps: Any, axis: int, size: int) -> Any:
        return super().along(maps, axis, size).astype(np.float16).astype(np.float64)

    def answer(self, maps: Any) -> Any:
        return maps.astype(np.float16)


@accepted("maps", "one Gaussian in two dimensions")
class TwoDimensional(Blurred):
    """Smooths by Fourier transforms of the mirrored map, which is as good as summing."""

    def smoothed(self, maps: Any, weights: Any, axis: int) -> Any:
        half, length = len(weights) // 2, maps.shape[axis]
        padded = self.padded(maps, [(half, half) if one == axis else (0, 0) for one in range(3)])
        total = padded.shape[axis] + len(weights) - 1
        shape = [-1 if one == axis else 1 for one in range(3)]
        spectrum = np.fft.rfft(padded, total, axis=axis) * np.fft.rfft(weights, total).reshape(shape)
        summed = np.fft.irfft(spectrum, total, axis=axis)
        return summed.take(np.arange(2 * half, 2 * half + length), axis=axis)
