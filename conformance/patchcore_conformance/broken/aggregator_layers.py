"""Aggregators with one mistake each in where an embedding lies and how layers are joined."""

from __future__ import annotations

from typing import Any

import numpy as np

from patchcore_conformance.broken.registry import broken
from patchcore_conformance.model.aggregator import LocalMean

_MEAN: dict[str, Any] = {"level": "covariant", "linear": True, "channelwise": True}


@broken("aggregator", "carries its place", caught_by=("G04", "G08"), **_MEAN)
class Placed(LocalMean):
    def joined(self, layers: list[Any]) -> Any:
        grid = super().joined(layers)
        return grid + 0.1 * np.arange(grid.shape[2])[:, None]


@broken("aggregator", "its place in values of their own, claimed covariant", caught_by=("G08",), level="covariant")
class PlaceBeside(LocalMean):
    def joined(self, layers: list[Any]) -> Any:
        grid = super().joined(layers)
        place = np.broadcast_to(np.arange(grid.shape[2])[:, None], (*grid.shape[:3], 1))
        return np.concatenate([grid, place], axis=-1)


@broken("aggregator", "corners aligned", caught_by=("G09",))
class AlignedCorners(LocalMean):
    def places(self, length: int, size: int) -> Any:
        return np.arange(size) * ((length - 1) / max(size - 1, 1))


@broken("aggregator", "cells repeated", caught_by=("G09",))
class Repeated(LocalMean):
    def places(self, length: int, size: int) -> Any:
        return np.floor((np.arange(size) + 0.5) * (length / size))


@broken("aggregator", "weights of resizing kept by the grid that is made", caught_by=("G09",))
class KeptWeights(LocalMean):
    def places(self, length: int, size: int) -> Any:
        return self.__dict__.setdefault("_kept", {}).setdefault(size, super().places(length, size))


@broken("aggregator", "every layer resized like the second", caught_by=("G09",))
class LikeTheSecond(LocalMean):
    def aggregate(self, maps: Any) -> Any:
        self.__dict__["_second"] = np.asarray(maps[min(1, len(maps) - 1)]).shape
        return super().aggregate(maps)

    def along(self, layer: Any, axis: int, size: int) -> Any:
        self.__dict__["_length"] = self.__dict__["_second"][axis]
        return super().along(layer, axis, size)

    def places(self, length: int, size: int) -> Any:  # noqa: ARG002 - that is the mistake
        return super().places(self.__dict__["_length"], size)


@broken("aggregator", "resized from the left edge", caught_by=("G09",))
class LeftEdge(LocalMean):
    def places(self, length: int, size: int) -> Any:
        return np.arange(size) * (length / size)


@broken("aggregator", "the coarsest grid", caught_by=("G09", "X13"))
class CoarsestGrid(LocalMean):
    def resized(self, layer: Any, grid: tuple[int, ...]) -> Any:  # noqa: ARG002 - that is the mistake
        return layer

    def joined(self, layers: list[Any]) -> Any:
        return super().joined([LocalMean().resized(layer, layers[-1].shape[2:]) for layer in layers])


@broken("aggregator", "zeros beyond the coarse map", caught_by=("G09",))
class Cropped(LocalMean):
    def along(self, layer: Any, axis: int, size: int) -> Any:
        found = np.zeros([size if place == axis else n for place, n in enumerate(layer.shape)])
        repeats = max(size // layer.shape[axis], 1)
        wide = layer.repeat(repeats, axis=axis).take(range(min(size, repeats * layer.shape[axis])), axis)
        found[tuple(slice(n) for n in wide.shape)] = wide
        return found


@broken("aggregator", "layers in reverse", caught_by=("G10",))
class LayersReversed(LocalMean):
    def joined(self, layers: list[Any]) -> Any:
        return super().joined(layers[::-1])


@broken("aggregator", "layers by number of channels", caught_by=("G10",))
class LayersSorted(LocalMean):
    def joined(self, layers: list[Any]) -> Any:
        return super().joined(sorted(layers, key=lambda layer: layer.shape[1]))


@broken("aggregator", "only two layers", caught_by=("G10",))
class TwoLayers(LocalMean):
    def joined(self, layers: list[Any]) -> Any:
        return super().joined(layers[:2])


@broken("aggregator", "the list of maps emptied", caught_by=("X02",))
class Emptied(LocalMean):
    def aggregate(self, maps: Any) -> Any:
        found = super().aggregate(maps)
        if isinstance(maps, list):
            maps.clear()
        return found


@broken("aggregator", "square grids transposed", caught_by=("G02",), level="covariant")
class SquareTransposed(LocalMean):
    def joined(self, layers: list[Any]) -> Any:
        grid = super().joined(layers)
        return grid.swapaxes(1, 2) if grid.shape[1] == grid.shape[2] else grid


@broken("aggregator", "sums that lose digits along the map", caught_by=("G04",), **_MEAN)
class ShortSums(LocalMean):
    def summed(self, layer: Any) -> Any:
        half, size = self.patch_size // 2, self.patch_size
        padded = np.pad(layer, ((0, 0), (0, 0), (half + 1, half), (half + 1, half))).astype(np.float32)
        running = padded.cumsum(axis=2).cumsum(axis=3)
        tall = running[:, :, size:] - running[:, :, :-size]
        return tall[..., size:] - tall[..., :-size]


@broken("aggregator", "zeros claimed and not counted, linear or not", caught_by=("G04",), level="covariant")
class ValidAfterAll(LocalMean):
    def counts(self, grid: tuple[int, ...]) -> Any:
        return self.windows(np.ones((1, 1, *grid))).sum(axis=(-2, -1))


@broken("aggregator", "one factor for both axes", caught_by=("G09",), **_MEAN)
class OneFactor(LocalMean):
    def resized(self, layer: Any, grid: tuple[int, ...]) -> Any:
        self.__dict__["factor"] = layer.shape[2] / grid[0]
        return super().resized(layer, grid)

    def places(self, length: int, size: int) -> Any:  # noqa: ARG002
        return (np.arange(size) + 0.5) * self.__dict__["factor"] - 0.5


@broken("aggregator", "only the finest layer averaged", caught_by=("G12",), **_MEAN)
class FinestOnly(LocalMean):
    def aggregate(self, maps: Any) -> Any:
        layers = [self.read(layer) for layer in self.checked([np.asarray(layer) for layer in maps])]
        grid = layers[0].shape[2:]
        rest = [self.resized(layer, grid) for layer in layers[1:]]
        return self.answer(self.joined([self.pooled(layers[0]), *rest]))


@broken("aggregator", "layers added up where they can be", caught_by=("G10",), level="covariant")
class AddedUp(LocalMean):
    def joined(self, layers: list[Any]) -> Any:
        alike = len({layer.shape[1] for layer in layers}) == 1
        return super().joined([np.mean(layers, axis=0)] if alike else layers)


@broken("aggregator", "layers of as many channels joined channel by channel", caught_by=("G10",), **_MEAN)
class Interleaved(LocalMean):
    def joined(self, layers: list[Any]) -> Any:
        grid = super().joined(layers)
        if len({layer.shape[1] for layer in layers}) > 1:
            return grid
        apart = grid.reshape(*grid.shape[:3], len(layers), -1)
        return apart.swapaxes(3, 4).reshape(grid.shape)


@broken("aggregator", "the caller's list filled with means", caught_by=("X02",))
class FillsTheList(LocalMean):
    def aggregate(self, maps: Any) -> Any:
        found = super().aggregate(maps)
        if isinstance(maps, list):
            maps[:] = [self.pooled(self.read(np.asarray(layer))) for layer in maps]
        return found


@broken("aggregator", "axes of one cell dropped", caught_by=("G09",), **_MEAN)
class DropsAxes(LocalMean):
    def resized(self, layer: Any, grid: tuple[int, ...]) -> Any:
        if 1 in layer.shape[2:] and layer.shape[2:] != grid:
            layer = np.stack([image.squeeze() for image in layer])
        return super().resized(layer, grid)


@broken("aggregator", "later layers over three cells, whatever the window", caught_by=("G12",))
class LaterLayersThree(LocalMean):
    def aggregate(self, maps: Any) -> Any:
        if self.patch_size == 1 or len(maps) == 1:
            return super().aggregate(maps)
        layers = self.checked([np.asarray(layer) for layer in maps])
        three = LocalMean(patch_size=3, border=self.border)
        pooled = [(three if place else self).pooled(self.read(layer)) for place, layer in enumerate(layers)]
        return self.answer(self.joined([self.resized(layer, pooled[0].shape[2:]) for layer in pooled]))


@broken("aggregator", "half precision above 256 channels", caught_by=("X09",))
class Narrowed(LocalMean):
    def answer(self, grid: Any) -> Any:
        return super().answer(grid.astype(np.float16) if grid.shape[-1] > 256 and np.abs(grid).max() < 6e4 else grid)


_WINDOWS: dict[Any, Any] = {}


@broken("aggregator", "one count of cells for all windows of a grid", caught_by=("X06",))
class CountsKept(LocalMean):
    def counts(self, grid: tuple[int, ...]) -> Any:
        return _WINDOWS.setdefault((self.border, *grid), super().counts(grid))


@broken("aggregator", "a window shrunk by the stride", caught_by=("G13",), **_MEAN)
class ShrunkWindow(LocalMean):
    def aggregate(self, maps: Any) -> Any:
        layers = self.checked([np.asarray(layer) for layer in maps])
        grid = layers[0].shape[2:]
        return self.answer(self.joined([self.resized(self.at_stride(layer, grid), grid) for layer in layers]))

    def at_stride(self, layer: Any, grid: Any) -> Any:
        size = max(1, self.patch_size // max(1, grid[0] // layer.shape[2]))
        window = LocalMean(patch_size=size - 1 + size % 2, border=self.border)
        return window.pooled(self.read(layer))


@broken("aggregator", "channels beyond whole blocks of 64 left at zero", caught_by=("G01",), **_MEAN)
class WholeBlocksOfChannels(LocalMean):
    def pooled(self, layer: Any) -> Any:
        found = super().pooled(layer)
        if found.shape[1] > 64:
            found[:, found.shape[1] // 64 * 64 :] = 0
        return found


@broken("aggregator", "as many images as channels: exchanged", caught_by=("G01",), **_MEAN)
class ChannelsForImages(LocalMean):
    def read(self, layer: Any) -> Any:
        found = super().read(layer)
        return found.swapaxes(0, 1) if found.shape[0] == found.shape[1] else found


@broken("aggregator", "a last image that is alone in its block is the one before", caught_by=("G07",), **_MEAN)
class LastAlone(LocalMean):
    def pooled(self, layer: Any) -> Any:
        found = super().pooled(layer)
        if len(found) > 32 and len(found) % 32 == 1:
            found[-1] = found[-2]
        return found


@broken("aggregator", "fades out at the edges where grids double", caught_by=("G09",), **_MEAN)
class FadesWhereDoubled(LocalMean):
    def along(self, layer: Any, axis: int, size: int) -> Any:
        found = super().along(layer, axis, size)
        if size == 2 * layer.shape[axis]:
            weights = np.ones(size)
            weights[[0, -1]] = 0.75
            found = found * weights.reshape([-1 if one == axis else 1 for one in range(4)])
        return found
