"""Aggregators that are right in unusual ways: other summaries, other borders, other options, other arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from patchcore_conformance.accepted.registry import accepted
from patchcore_conformance.model.aggregator import LocalMean

_MEAN: dict[str, Any] = {"level": "covariant", "linear": True, "channelwise": True}


@accepted("aggregator", "the model itself", serialisable=True, thread_safe=True, **_MEAN)
@accepted("aggregator", "the model, nothing claimed")
@accepted("aggregator", "the model, as an interface only", level="api")
class Plain(LocalMean):
    """Nothing unusual."""


@accepted("aggregator", "valid border by default", padding="valid", **_MEAN)
@dataclass(frozen=True, kw_only=True)
class ValidFirst(LocalMean):
    """Counts only cells that exist, unless told otherwise."""

    border: str = "valid"


@accepted("aggregator", "no options, valid border", padding="valid", **_MEAN)
def no_options() -> LocalMean:
    """Make a part of fixed settings."""
    return LocalMean(patch_size=3, border="valid")


@accepted("aggregator", "no options, a window of five", **_MEAN)
def window_of_five() -> LocalMean:
    """Make a part of fixed settings."""
    return LocalMean(patch_size=5)


class _Hidden:
    """Has nothing but ``aggregate``: its settings cannot be read."""

    def __init__(self, part: LocalMean) -> None:
        self._part = part

    def aggregate(self, maps: Any) -> Any:
        """Ask the part inside."""
        return self._part.aggregate(maps)


@accepted("aggregator", "the window's size under another name", **_MEAN)
def other_name(window: int = 3) -> _Hidden:
    """Make a part whose option the kit does not know."""
    return _Hidden(LocalMean(patch_size=window))


@accepted("aggregator", "a window of seven, and nothing told")
def hidden_seven() -> _Hidden:
    """Make a part of fixed settings that tells nothing."""
    return _Hidden(LocalMean(patch_size=7))


@accepted("aggregator", "edge cells repeated beyond the border", padding="valid", level="covariant", channelwise=True)
@dataclass(frozen=True, kw_only=True)
class Repeated(LocalMean):
    """Continues the map by its outermost cells; takes no ``border``."""

    border: str = field(default="valid", init=False)

    def windows(self, layer: Any) -> Any:
        half = self.patch_size // 2
        padded = np.pad(layer, ((0, 0), (0, 0), (half, half), (half, half)), mode="edge")
        return np.lib.stride_tricks.sliding_window_view(padded, (self.patch_size, self.patch_size), axis=(2, 3))

    def counts(self, grid: tuple[int, ...]) -> Any:  # noqa: ARG002 - every window is full
        return np.float64(self.patch_size**2)


@accepted("aggregator", "float64 in Fortran order, read-only", **_MEAN)
class OtherArrays(LocalMean):
    """Answers another array than most."""

    def answer(self, grid: Any) -> Any:
        found = np.asfortranarray(grid, dtype=np.float64)
        found.flags.writeable = False
        return found


@accepted("aggregator", "channels stay first in memory", **_MEAN)
class TransposedView(LocalMean):
    """Answers a view."""

    def answer(self, grid: Any) -> Any:
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(grid, -1, 1), np.float32), 1, -1)


@accepted("aggregator", "float32 throughout", **_MEAN)
class Single(LocalMean):
    """Computes in float32."""

    def read(self, layer: Any) -> Any:
        return layer.astype(np.float32)


@accepted("aggregator", "sums that run along the map", **_MEAN)
class RunningSums(LocalMean):
    """Takes window sums as differences of running ones."""

    def summed(self, layer: Any) -> Any:
        half, size = self.patch_size // 2, self.patch_size
        padded = np.pad(layer, ((0, 0), (0, 0), (half + 1, half), (half + 1, half)))
        running = padded.cumsum(axis=2).cumsum(axis=3)
        tall = running[:, :, size:] - running[:, :, :-size]
        return tall[..., size:] - tall[..., :-size]


@accepted("aggregator", "layers resized before they are averaged", **_MEAN)
class ResizedFirst(LocalMean):
    """Takes the window on the finest grid for all layers."""

    def aggregate(self, maps: Any) -> Any:
        layers = self.checked([np.asarray(layer) for layer in maps])
        grid = layers[0].shape[2:]
        return self.answer(self.joined([self.pooled(self.resized(self.read(layer), grid)) for layer in layers]))


@accepted("aggregator", "maximum", level="covariant", channelwise=True)
@dataclass(frozen=True, kw_only=True)
class Maximum(LocalMean):
    """Summarises by the largest value; takes no ``border``."""

    border: str = field(default="zero", init=False)

    def pooled(self, layer: Any) -> Any:
        return self.windows(layer).max(axis=(-2, -1))


@accepted("aggregator", "maximum in a window of fixed size", channelwise=True)
def fixed_maximum() -> _Hidden:
    """Make a part of fixed settings that tells nothing."""
    return _Hidden(Maximum(patch_size=3))


@accepted("aggregator", "median", level="covariant", channelwise=True)
@dataclass(frozen=True, kw_only=True)
class Median(LocalMean):
    """Summarises by the middle value; takes no ``border``."""

    border: str = field(default="zero", init=False)

    def pooled(self, layer: Any) -> Any:
        return np.median(self.windows(layer), axis=(-2, -1))


@accepted("aggregator", "near cells weigh more", level="covariant", linear=True)
@dataclass(frozen=True, kw_only=True)
class Weighted(LocalMean):
    """Weighs by a bell curve; takes no ``border``."""

    border: str = field(default="zero", init=False)

    def pooled(self, layer: Any) -> Any:
        line = np.exp(-np.square(np.arange(self.patch_size) - self.patch_size // 2) / self.patch_size)
        weights = np.outer(line, line)
        return np.einsum("bchwyx,yx->bchw", self.windows(layer), weights / weights.sum())


@accepted("aggregator", "channels pooled to twelve values", level="covariant", linear=True)
@accepted("aggregator", "channels pooled to twelve values, less claimed")
class Adaptive(LocalMean):
    """Averages neighbouring channels of each layer, as the original does."""

    def joined(self, layers: list[Any]) -> Any:
        grid = super().joined(layers)
        edges = np.linspace(0, grid.shape[3], 13)
        parts = [grid[..., int(a) : max(int(np.ceil(b)), int(a) + 1)] for a, b in pairwise(edges)]
        means: list[Any] = [part.mean(axis=-1) for part in parts]
        return np.stack(means, axis=-1)


@accepted("aggregator", "projected to few values", level="covariant", linear=True)
class Projected(LocalMean):
    """Mixes all channels by fixed weights."""

    def joined(self, layers: list[Any]) -> Any:
        grid = super().joined(layers)
        weights = np.random.default_rng(0).standard_normal((grid.shape[3], 31))
        return grid @ weights / np.sqrt(grid.shape[3])


@accepted("aggregator", "its place beside the channels")
class Placed(LocalMean):
    """Tells where each patch lies; claims no covariance."""

    def joined(self, layers: list[Any]) -> Any:
        grid = super().joined(layers)
        places = np.moveaxis(np.indices(grid.shape[1:3]), 0, -1) / max(grid.shape[1:3])
        return np.concatenate([grid, np.broadcast_to(places, (*grid.shape[:3], 2))], axis=-1)


@accepted("aggregator", "windows no larger than the map", **_MEAN)
class RefusesLarge(LocalMean):
    """Refuses a window that the map does not hold."""

    def pooled(self, layer: Any) -> Any:
        if self.patch_size > min(layer.shape[2:]):
            raise ValueError("the window is larger than the map")
        return super().pooled(layer)


@accepted("aggregator", "even windows with a rule", **_MEAN)
@dataclass(frozen=True, kw_only=True)
class EvenToo(LocalMean):
    """Takes one cell less before the middle than after it where the size is even."""

    def __post_init__(self) -> None:
        if self.patch_size < 1 or self.border not in ("zero", "valid"):
            raise ValueError("patch_size from 1 on is needed, and border 'zero' or 'valid'")

    def windows(self, layer: Any) -> Any:
        before, after = (self.patch_size - 1) // 2, self.patch_size // 2
        padded = np.pad(layer, ((0, 0), (0, 0), (before, after), (before, after)))
        return np.lib.stride_tricks.sliding_window_view(padded, (self.patch_size, self.patch_size), axis=(2, 3))


@accepted("aggregator", "not the same bits twice", deterministic=False, **_MEAN)
class Jitter(LocalMean):
    """Adds in any order."""

    def joined(self, layers: list[Any]) -> Any:
        grid = super().joined(layers)
        return grid * (1 + 1e-7 * np.random.default_rng().standard_normal(grid.shape))


@accepted("aggregator", "half precision, as claimed", dtype="float16", **_MEAN)
class Half(LocalMean):
    """Rounds to float16, and answers it."""

    def read(self, layer: Any) -> Any:
        return layer.astype(np.float16).astype(np.float64)

    def answer(self, grid: Any) -> Any:
        return grid.astype(np.float16)


@accepted("aggregator", "other bits for other sizes of a batch", **_MEAN)
class BatchRounding(LocalMean):
    """Sums in another order for each size of a batch."""

    def joined(self, layers: list[Any]) -> Any:
        grid = super().joined(layers)
        return grid * (1 + 1e-7 * (len(grid) % 3))


@accepted("aggregator", "mean and spread of each channel", level="covariant", channelwise=True)
class MeanAndSpread(LocalMean):
    """Two values of each channel, side by side."""

    def pooled(self, layer: Any) -> Any:
        mean = super().pooled(layer)
        spread = np.sqrt(np.maximum(super().pooled(layer**2) - mean**2, 0))
        return np.stack([mean, spread], axis=2).reshape(len(layer), -1, *layer.shape[2:])


@accepted("aggregator", "cells weighed by how near they are, as declared", even=False, **_MEAN)
class Weighed(LocalMean):
    """A binomial window instead of a flat one."""

    def windows(self, layer: Any) -> Any:
        weights = np.array([math.comb(self.patch_size - 1, place) for place in range(self.patch_size)])
        return super().windows(layer) * np.outer(weights, weights) * (self.patch_size**2 / weights.sum() ** 2)

    def counts(self, grid: tuple[int, ...]) -> Any:
        if self.border == "zero":
            return super().counts(grid)
        return self.windows(np.ones((1, 1, *grid))).sum(axis=(-2, -1))


@accepted("aggregator", "coarse layers resized by cubic curves", **_MEAN)
class Cubic(LocalMean):
    """Keys' cubic convolution, between the middles of cells."""

    def along(self, layer: Any, axis: int, size: int) -> Any:
        length = layer.shape[axis]
        place = self.places(length, size)
        low, total = np.floor(place).astype(int), 0
        for step in range(-1, 3):
            away = np.abs(place - low - step)
            near = 1.25 * away**3 - 2.25 * away**2 + 1
            far = -0.75 * (away**3 - 5 * away**2 + 8 * away - 4)
            weight = np.where(away <= 1, near, far).reshape([-1 if one == axis else 1 for one in range(4)])
            total = total + weight * layer.take(np.clip(low + step, 0, length - 1), axis)
        return total
