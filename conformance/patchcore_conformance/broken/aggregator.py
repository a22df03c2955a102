"""Aggregators with one mistake each in what an embedding is made of: windows, channels, images."""

from __future__ import annotations

from typing import Any

import numpy as np

from patchcore_conformance.broken.registry import broken
from patchcore_conformance.model.aggregator import LocalMean

_MEAN: dict[str, Any] = {"level": "covariant", "linear": True, "channelwise": True}


@broken("aggregator", "reshaped, not transposed", caught_by=("G01", "G02"))
class Reshaped(LocalMean):
    def joined(self, layers: list[Any]) -> Any:
        grid = np.concatenate(layers, axis=1)
        return grid.reshape(grid.shape[0], *grid.shape[2:], grid.shape[1])


@broken("aggregator", "rows and columns exchanged", caught_by=("G02",))
class Transposed(LocalMean):
    def joined(self, layers: list[Any]) -> Any:
        grid = super().joined(layers)
        return grid.swapaxes(1, 2).reshape(grid.shape)


@broken("aggregator", "the grid answered as (w, h)", caught_by=("X13", "G02"))
class Sideways(LocalMean):
    def joined(self, layers: list[Any]) -> Any:
        return super().joined(layers).swapaxes(1, 2)


@broken("aggregator", "channels first", caught_by=("X13",))
class ChannelsFirst(LocalMean):
    def joined(self, layers: list[Any]) -> Any:
        return np.concatenate(layers, axis=1)


@broken("aggregator", "the window begins at the cell", caught_by=("G02",))
@broken("aggregator", "the window begins at the cell, claimed a mean", caught_by=("G02",), **_MEAN)
class BeginsAtCell(LocalMean):
    def windows(self, layer: Any) -> Any:
        half = self.patch_size // 2
        return np.roll(super().windows(layer), (-half, -half), axis=(2, 3))


@broken("aggregator", "a radius taken for a size", caught_by=("G12",))
@broken("aggregator", "a radius taken for a size, claimed a mean", caught_by=("G03", "G12"), **_MEAN)
class RadiusForSize(LocalMean):
    def windows(self, layer: Any) -> Any:
        half, size = self.patch_size, 2 * self.patch_size + 1
        padded = np.pad(layer, ((0, 0), (0, 0), (half, half), (half, half)))
        return np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(2, 3))

    def counts(self, grid: tuple[int, ...]) -> Any:
        size = 2 * self.patch_size + 1
        return np.float64(size**2) if self.border == "zero" else super().counts(grid)


@broken("aggregator", "sums for means", caught_by=("G04",))
class Sums(LocalMean):
    def counts(self, grid: tuple[int, ...]) -> Any:  # noqa: ARG002 - that is the mistake
        return np.float64(1)


@broken("aggregator", "divided by the size, not its square", caught_by=("G04",))
class OnceDivided(LocalMean):
    def counts(self, grid: tuple[int, ...]) -> Any:
        return np.sqrt(super().counts(grid))


@broken("aggregator", "middle cell left out", caught_by=("G12",))
class Hollow(LocalMean):
    def pooled(self, layer: Any) -> Any:
        cells = max(self.patch_size**2 - 1, 1)
        return (self.summed(layer) - (layer if self.patch_size > 1 else 0)) / cells


@broken("aggregator", "uneven weights", caught_by=("G03",), **_MEAN)
class Uneven(LocalMean):
    def pooled(self, layer: Any) -> Any:
        line = np.minimum(np.arange(1, self.patch_size + 1), np.arange(self.patch_size, 0, -1)).astype(float)
        weights = np.outer(line, line)
        return np.einsum("bchwyx,yx->bchw", self.windows(layer), weights / weights.sum())


@broken("aggregator", "edges darkened under border 'valid'", caught_by=("G04",))
class AlwaysZero(LocalMean):
    def counts(self, grid: tuple[int, ...]) -> Any:  # noqa: ARG002 - that is the mistake
        return np.float64(self.patch_size**2)


@broken("aggregator", "edges kept under border 'zero'", caught_by=("G04",), **_MEAN)
class NeverZero(LocalMean):
    def counts(self, grid: tuple[int, ...]) -> Any:
        return self.windows(np.ones((1, 1, *grid))).sum(axis=(-2, -1))


@broken("aggregator", "length one", caught_by=("G04",))
class Normalised(LocalMean):
    def joined(self, layers: list[Any]) -> Any:
        grid = super().joined(layers)
        return grid / np.maximum(np.linalg.norm(grid, axis=-1, keepdims=True), 1e-12)


@broken("aggregator", "negative values cut off", caught_by=("G04",))
class Rectified(LocalMean):
    def read(self, layer: Any) -> Any:
        return np.maximum(super().read(layer), 0)


@broken("aggregator", "rounded to whole numbers", caught_by=("G04",))
class Rounded(LocalMean):
    def joined(self, layers: list[Any]) -> Any:
        return np.round(super().joined(layers))


@broken("aggregator", "half precision, unsaid", caught_by=("X09",))
class Half(LocalMean):
    def read(self, layer: Any) -> Any:
        return layer.astype(np.float16).astype(np.float64)


@broken("aggregator", "summed in what came in", caught_by=("X09",))
class NarrowSums(LocalMean):
    def read(self, layer: Any) -> Any:
        return layer

    def summed(self, layer: Any) -> Any:
        return self.windows(layer).sum(axis=(-2, -1), dtype=layer.dtype)


@broken("aggregator", "maximum claimed linear", caught_by=("G05",), linear=True)
class Maximum(LocalMean):
    def pooled(self, layer: Any) -> Any:
        return self.windows(layer).max(axis=(-2, -1))


@broken("aggregator", "channels pooled, claimed apart", caught_by=("G06",), channelwise=True)
class MixedChannels(LocalMean):
    def read(self, layer: Any) -> Any:
        layer = super().read(layer)
        return (layer + np.roll(layer, 1, axis=1)) / 2


@broken("aggregator", "channels in reverse after the first layer", caught_by=("G06",), channelwise=True)
class Reversed(LocalMean):
    def joined(self, layers: list[Any]) -> Any:
        return super().joined([layers[0], *(layer[:, ::-1] for layer in layers[1:])])


@broken("aggregator", "the batch's mean taken off", caught_by=("G07",))
class BatchMean(LocalMean):
    def joined(self, layers: list[Any]) -> Any:
        grid = super().joined(layers)
        return grid - (grid.mean(axis=0) if len(grid) > 1 else 0)


@broken("aggregator", "scaled by the batch", caught_by=("G07",))
class BatchScale(LocalMean):
    def joined(self, layers: list[Any]) -> Any:
        grid = super().joined(layers)
        return grid * (1 + 1e-3 * grid.std() / (1 + grid.std()))


@broken("aggregator", "the first image for all", caught_by=("G07",))
class FirstImage(LocalMean):
    def joined(self, layers: list[Any]) -> Any:
        grid = super().joined(layers)
        return np.repeat(grid[:1], len(grid), axis=0)


@broken("aggregator", "images in reverse", caught_by=("G07",))
class LastFirst(LocalMean):
    def joined(self, layers: list[Any]) -> Any:
        return super().joined(layers)[::-1]


@broken("aggregator", "even windows lose a row", caught_by=("G11",))
class EvenLoses(LocalMean):
    def __post_init__(self) -> None:
        if self.patch_size < 1:
            raise ValueError("patch_size must be positive")

    def pooled(self, layer: Any) -> Any:
        found = super().pooled(layer)
        return found[:, :, 1:, 1:] if self.patch_size % 2 == 0 and min(found.shape[2:]) > 1 else found

    def windows(self, layer: Any) -> Any:
        half = self.patch_size // 2
        padded = np.pad(layer, ((0, 0), (0, 0), (half, half), (half, half)))
        found = np.lib.stride_tricks.sliding_window_view(padded, (self.patch_size, self.patch_size), axis=(2, 3))
        return found[:, :, : layer.shape[2], : layer.shape[3]]


@broken("aggregator", "large windows wrap around", caught_by=("G11", "X08"))
class NoCheck(LocalMean):
    def __post_init__(self) -> None:
        """Take any size."""

    def windows(self, layer: Any) -> Any:
        reach = range(-(self.patch_size // 2), self.patch_size // 2 + 1)
        rolled = [[np.roll(layer, (-y, -x), axis=(2, 3)) for x in reach] for y in reach]
        return np.moveaxis(np.array(rolled), (0, 1), (-2, -1))

    def pooled(self, layer: Any) -> Any:
        found = super().pooled(layer)
        return found[:, :, : max(layer.shape[2] - self.patch_size // 4, 1)]


@broken("aggregator", "the window's size ignored", caught_by=("G12",))
class SizeIgnored(LocalMean):
    def windows(self, layer: Any) -> Any:
        padded = np.pad(layer, ((0, 0), (0, 0), (1, 1), (1, 1)))
        return np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))

    def counts(self, grid: tuple[int, ...]) -> Any:
        return np.float64(9) if self.border == "zero" else super().counts(grid)


@broken("aggregator", "normalised over the map", caught_by=("G12",))
class InstanceNorm(LocalMean):
    def read(self, layer: Any) -> Any:
        layer = super().read(layer)
        return layer / (1 + 0.05 * layer.std(axis=(2, 3), keepdims=True))


@broken("aggregator", "pooled twice", caught_by=("G12",))
class Twice(LocalMean):
    def pooled(self, layer: Any) -> Any:
        return super().pooled(super().pooled(layer))


@broken("aggregator", "half precision in large batches", caught_by=("G07",), **_MEAN)
class LargeBatchHalf(LocalMean):
    def read(self, layer: Any) -> Any:
        kept = super().read(layer)
        return kept.astype(np.float16).astype(np.float64) if len(layer) > 32 else kept


@broken("aggregator", "what fills no whole register left out", caught_by=("G12",), **_MEAN)
class TailLeftOut(LocalMean):
    def pooled(self, layer: Any) -> Any:
        found, rest = super().pooled(layer), layer.shape[3] % 16
        if layer.shape[3] > 48 and rest:
            found[..., -rest:] = layer[..., -rest:]
        return found


@broken("aggregator", "what fills no whole block of rows left out", caught_by=("G12",))
class RowsLeftOut(LocalMean):
    def pooled(self, layer: Any) -> Any:
        found, rest = super().pooled(layer), layer.shape[2] % 16
        if layer.shape[2] > 48 and rest:
            found[:, :, -rest:] = layer[:, :, -rest:]
        return found


@broken("aggregator", "NaN looked for in the beginning only", caught_by=("X08",))
class BriefLook(LocalMean):
    def checked(self, layers: list[Any]) -> list[Any]:
        super().checked([np.nan_to_num(layer) for layer in layers])
        for layer in layers:
            if not np.isfinite(layer.reshape(-1)[:4096]).all():
                raise ValueError("a map holds NaN or infinity")
        return layers


@broken("aggregator", "outliers cut off in place", caught_by=("X02",))
class CutsInPlace(LocalMean):
    def checked(self, layers: list[Any]) -> list[Any]:
        layers = super().checked(layers)
        return [np.clip(layer, -6, 6, out=layer if layer.flags.writeable else None) for layer in layers]


@broken("aggregator", "eight images at a time, the rest left out", caught_by=("G07",))
class WholeParts(LocalMean):
    def joined(self, layers: list[Any]) -> Any:
        grid = super().joined(layers)
        grid[8 * (len(grid) // 8) or len(grid) :] = 0
        return grid


@broken("aggregator", "the border forgotten when pickled", caught_by=("X10",), serialisable=True)
class ForgetsBorder(LocalMean):
    def __reduce__(self) -> Any:
        return _of_size, (type(self), self.patch_size)


def _of_size(kind: type[LocalMean], patch_size: int) -> LocalMean:
    return kind(patch_size=patch_size)


@broken("aggregator", "mean and spread, of which one mixes channels", caught_by=("G06",), channelwise=True)
class MixedSpread(LocalMean):
    def joined(self, layers: list[Any]) -> Any:
        grid = super().joined(layers)
        return np.concatenate([grid, np.abs(grid - np.roll(grid, 1, axis=-1))], axis=-1)
