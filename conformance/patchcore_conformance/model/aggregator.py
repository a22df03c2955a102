"""The local mean in plain NumPy, one step a method: what faulty aggregators are derived from by spoiling one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class LocalMean:
    """Mean over patch_size x patch_size cells, zeros or nothing beyond the edge; layers joined on the finest grid."""

    patch_size: int = 3
    border: str = "zero"

    def __post_init__(self) -> None:
        if isinstance(self.patch_size, bool) or self.patch_size < 1 or self.patch_size % 2 == 0:
            raise ValueError(f"patch_size is {self.patch_size}, but an odd number from 1 on is needed")
        if self.border not in ("zero", "valid"):
            raise ValueError(f"border is {self.border!r}, but 'zero' or 'valid' is needed")

    def aggregate(self, maps: Sequence[Any]) -> Any:
        """Summarise and join: maps (B, C_l, H_l, W_l) -> (B, h, w, D) float32."""
        layers = self.checked([np.asarray(layer) for layer in maps])
        pooled = [self.pooled(self.read(layer)) for layer in layers]
        return self.answer(self.joined([self.resized(layer, pooled[0].shape[2:]) for layer in pooled]))

    def checked(self, layers: list[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        """Refuse all but finite maps of as many images each."""
        if not layers:
            raise ValueError("there are no maps; at least one is needed")
        for layer in layers:
            if layer.ndim != 4 or 0 in layer.shape or layer.dtype.kind not in "fiu" or len(layer) != len(layers[0]):
                raise ValueError(
                    f"a map is {layer.dtype} {layer.shape}, but numbers (images, channels, h, w) are needed"
                )
            if not np.isfinite(layer).all():
                raise ValueError("a map holds NaN or infinity")
        return layers

    def read(self, layer: npt.NDArray[Any]) -> Any:
        """Bring a map to what is computed with."""
        return layer.astype(np.float64)

    def pooled(self, layer: Any) -> Any:
        """Summarise the window around each cell."""
        return self.summed(layer) / self.counts(layer.shape[2:])

    def summed(self, layer: Any) -> Any:
        """Sum the window around each cell."""
        return self.windows(layer).sum(axis=(-2, -1))

    def windows(self, layer: Any) -> Any:
        """View the window around each cell: (B, C, H, W, p, p)."""
        half = self.patch_size // 2
        padded = np.pad(layer, ((0, 0), (0, 0), (half, half), (half, half)))
        return np.lib.stride_tricks.sliding_window_view(padded, (self.patch_size, self.patch_size), axis=(2, 3))

    def counts(self, grid: tuple[int, ...]) -> Any:
        """How many cells each sum is divided by."""
        if self.border == "zero":
            return np.float64(self.patch_size**2)
        return self.windows(np.ones((1, 1, *grid))).sum(axis=(-2, -1))

    def resized(self, layer: Any, grid: tuple[int, ...]) -> Any:
        """Bring a map to a grid, bilinear between the middles of cells."""
        for axis, size in ((2, grid[0]), (3, grid[1])):
            layer = self.along(layer, axis, size)
        return layer

    def along(self, layer: Any, axis: int, size: int) -> Any:
        """Resize one axis."""
        length = layer.shape[axis]
        place = np.clip(self.places(length, size), 0, length - 1)
        low = np.floor(place).astype(int)
        share = (place - low).reshape([-1 if one == axis else 1 for one in range(4)])
        start, end = layer.take(low, axis), layer.take(np.minimum(low + 1, length - 1), axis)
        return start + (end - start) * share

    def places(self, length: int, size: int) -> Doubles:
        """Where the middle of each of ``size`` cells lies among ``length`` cells."""
        return np.asarray((np.arange(size) + 0.5) * (length / size) - 0.5)

    def joined(self, layers: list[Any]) -> Any:
        """Put the layers side by side, and the values of a cell last."""
        return np.moveaxis(np.concatenate(layers, axis=1), 1, -1)

    def answer(self, grid: Any) -> Any:
        """Make the answer."""
        return np.ascontiguousarray(grid, dtype=np.float32)
