"""A small convolutional network in plain NumPy: seeded weights, strides of one's choice, every step a method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ToyBackbone:
    """Stages of a 3 x 3 convolution and a ReLU; ``steps`` are their strides, ``kept`` the ones whose maps are returned.

    Sizes are rounded up at each stride, as convolutions padded by one do. The weights are drawn from ``seed``.
    """

    steps: tuple[int, ...] = (2, 2, 2)
    widths: tuple[int, ...] = (4, 6, 8)
    kept: tuple[int, ...] = (1, 2)
    seed: int = 0

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the maps, finest first."""
        return tuple(f"stage{stage}" for stage in self.kept)

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of each map."""
        return tuple(self.widths[stage] for stage in self.kept)

    def extract(self, pixels: Any) -> Any:
        """Turn pixels (B, 3, H, W) into one map a kept stage, float32."""
        images = self.prepared(self.checked(np.asarray(pixels)))
        maps: list[Doubles] = []
        for stage in range(max(self.kept) + 1):
            images = self.activated(self.convolved(images, stage))
            maps.append(images)
        return self.answer([maps[stage] for stage in self.kept])

    def checked(self, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Refuse all but finite numbers of three channels."""
        if pixels.ndim != 4 or pixels.shape[1] != 3 or 0 in pixels.shape or pixels.dtype.kind not in "fiu":
            raise ValueError(
                f"pixels are {pixels.dtype} {pixels.shape}, but numbers (images, 3, rows, columns) are needed"
            )
        if not np.isfinite(pixels).all():
            raise ValueError("pixels hold NaN or infinity")
        return pixels

    def prepared(self, pixels: npt.NDArray[Any]) -> Any:
        """Bring pixels to what is computed with: nothing else, they are normalised already."""
        return pixels.astype(np.float64)

    def weights(self, stage: int) -> tuple[Doubles, Doubles]:
        """Draw the weights (O, I, 3, 3) and biases (O,) of a stage."""
        rng = np.random.default_rng([self.seed, stage])
        inputs = (3, *self.widths)[stage]
        scale = 1.5 / np.sqrt(9 * inputs)
        return scale * rng.standard_normal((self.widths[stage], inputs, 3, 3)), 0.1 * rng.standard_normal(
            self.widths[stage]
        )

    def padded(self, images: Any) -> Any:
        """Put one zero around each map."""
        return np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))

    def convolved(self, images: Any, stage: int) -> Any:
        """Convolve with a stride: (B, I, H, W) -> (B, O, ceil(H / stride), ceil(W / stride))."""
        weight, bias = self.weights(stage)
        windows = np.lib.stride_tricks.sliding_window_view(self.padded(images), (3, 3), axis=(2, 3))
        stride = self.steps[stage]
        found = np.einsum("bihwyx,oiyx->bohw", windows[:, :, ::stride, ::stride], weight, optimize=True)
        return found + bias[:, None, None]

    def activated(self, maps: Any) -> Any:
        """Cut off below zero."""
        return np.maximum(maps, 0)

    def answer(self, maps: list[Any]) -> Any:
        """Make the answer of the kept maps."""
        return tuple(one.astype(np.float32) for one in maps)


# How many pixels across one value of the last stage depends on: 1 + 2 * (1 + 2 + 4).
TOY_FIELD = 15
