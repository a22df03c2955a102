"""Extractors with one mistake each, as real authors make them."""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from patchcore_conformance.broken.registry import broken
from patchcore_conformance.model.extractor import TOY_FIELD, ToyBackbone

_COVARIANT: dict[str, Any] = {"level": "covariant", "receptive_field": TOY_FIELD}


@broken("extractor", "rows and columns exchanged", caught_by=("E01",))
class Transposed(ToyBackbone):
    def answer(self, maps: list[Any]) -> Any:
        return super().answer([one.swapaxes(2, 3) for one in maps])


@broken("extractor", "layers in reverse", caught_by=("E01", "X13"))
class ReversedLayers(ToyBackbone):
    def answer(self, maps: list[Any]) -> Any:
        return super().answer(maps[::-1])


@broken("extractor", "layers and names in reverse", caught_by=("E01",))
@dataclass(frozen=True, kw_only=True)
class CoarsestFirst(ToyBackbone):
    kept: tuple[int, ...] = (2, 1)


@broken("extractor", "channels told wrong", caught_by=("E01", "X13"))
class WrongChannels(ToyBackbone):
    @property
    def channels(self) -> tuple[int, ...]:
        return tuple(self.widths[stage - 1] for stage in self.kept)


@broken("extractor", "channels last", caught_by=("E01", "X13"))
class ChannelsLast(ToyBackbone):
    def answer(self, maps: list[Any]) -> Any:
        return super().answer([np.moveaxis(one, 1, -1) for one in maps])


@broken("extractor", "one size for all", caught_by=("E01",))
class OneSize(ToyBackbone):
    def prepared(self, pixels: Any) -> Any:
        rows, columns = (np.linspace(0, n - 1, 64).astype(int) for n in pixels.shape[2:])
        return super().prepared(pixels)[:, :, rows][..., columns]


@broken("extractor", "strides told wrong", caught_by=("E01",))
class WrongStrides(ToyBackbone):
    @property
    def strides(self) -> tuple[int, ...]:
        return tuple(2**stage for stage in self.kept)


@broken("extractor", "the batch's statistics", caught_by=("E02",))
class BatchNorm(ToyBackbone):
    def activated(self, maps: Any) -> Any:
        spread = maps.std(axis=(0, 2, 3), keepdims=True) + 1e-5
        return super().activated((maps - maps.mean(axis=(0, 2, 3), keepdims=True)) / spread)


@broken("extractor", "the batch's largest value", caught_by=("E02",))
class BatchScale(ToyBackbone):
    def prepared(self, pixels: Any) -> Any:
        return super().prepared(pixels) * (1 + 0.01 * np.abs(pixels).max())


@broken("extractor", "a batch in blocks of 16, the rest in lower precision", caught_by=("E02",))
class Blocks(ToyBackbone):
    def extract(self, pixels: Any) -> Any:
        maps = super().extract(pixels)
        for one in maps:
            one[16:] = np.round(one[16:], 2)
        return maps


@broken("extractor", "dropout at work", caught_by=("E03",))
@dataclass(frozen=True, kw_only=True)
class Dropout(ToyBackbone):
    rng: Any = field(default_factory=lambda: np.random.default_rng(0))

    def activated(self, maps: Any) -> Any:
        return super().activated(maps) * (self.rng.random(maps.shape[1])[:, None, None] > 0.1)


@broken("extractor", "running statistics drift", caught_by=("E03", "E04"))
@dataclass(frozen=True, kw_only=True)
class Drift(ToyBackbone):
    running: Any = field(default_factory=lambda: np.zeros(1))

    def prepared(self, pixels: Any) -> Any:
        self.running[...] = 0.9 * self.running + 0.1 * pixels.mean()
        return super().prepared(pixels) - self.running


class _Network:
    """Looks like a torch module: hooks, a mode, and what it has learned."""

    def __init__(self) -> None:
        self._forward_hooks: dict[int, Any] = {}
        self._forward_pre_hooks: dict[int, Any] = {}
        self.training = False

    def train(self, mode: bool = True) -> None:
        self.training = mode

    def modules(self) -> list[Any]:
        return [self]

    def state_dict(self) -> dict[str, Any]:
        return {}


@broken("extractor", "hooks pile up", caught_by=("E04",))
@dataclass(frozen=True, kw_only=True)
class Hooks(ToyBackbone):
    network: Any = field(default_factory=_Network)

    def prepared(self, pixels: Any) -> Any:
        self.network._forward_hooks[len(self.network._forward_hooks)] = print
        return super().prepared(pixels)


@broken("extractor", "training mode obeyed", caught_by=("E03",))
@dataclass(frozen=True, kw_only=True)
class Obeys(ToyBackbone):
    network: Any = field(default_factory=_Network)

    def prepared(self, pixels: Any) -> Any:
        return super().prepared(pixels) * (0.9 if self.network.training else 1.0)


@broken("extractor", "a captured map changed in place", caught_by=("E05",))
@dataclass(frozen=True, kw_only=True)
class InPlace(ToyBackbone):
    layers: tuple[str, ...] = ("stage1", "stage2")

    def __post_init__(self) -> None:
        if list(self.layers) != sorted(self.layers):
            raise ValueError(f"layers are {self.layers}, but the finest comes first")

    @property
    def channels(self) -> tuple[int, ...]:
        return tuple(self.widths[int(layer[-1])] for layer in self.layers)

    def extract(self, pixels: Any) -> Any:
        images, maps = self.prepared(self.checked(np.asarray(pixels))), []
        stages = [int(layer[-1]) for layer in self.layers]
        for stage in range(max(stages) + 1):
            images = self.convolved(np.maximum(images, 0, out=images) if stage else images, stage)
            if stage in stages:
                maps.append(images)
        return self.answer(maps)


@broken("extractor", "maps that overlap", caught_by=("E05",))
class Overlapping(ToyBackbone):
    def answer(self, maps: list[Any]) -> Any:
        found = super().answer(maps)
        return found[0], found[0][:, ::-1]

    @property
    def channels(self) -> tuple[int, ...]:
        return (6, 6)


class _Tracked(np.ndarray):
    requires_grad = True


@broken("extractor", "gradients tracked", caught_by=("E05",))
class Tracks(ToyBackbone):
    def answer(self, maps: list[Any]) -> Any:
        return tuple(one.view(_Tracked) for one in super().answer(maps))


@broken("extractor", "left and right exchanged", caught_by=("E06",))
class Flipped(ToyBackbone):
    def answer(self, maps: list[Any]) -> Any:
        return super().answer([one[..., ::-1] for one in maps])


@broken("extractor", "upside down", caught_by=("E06",))
class UpsideDown(ToyBackbone):
    def prepared(self, pixels: Any) -> Any:
        return super().prepared(pixels)[:, :, ::-1]


@broken("extractor", "knows its place", caught_by=("E06",), **_COVARIANT)
class Placed(ToyBackbone):
    def activated(self, maps: Any) -> Any:
        return super().activated(maps) + 0.01 * np.arange(maps.shape[3])


@broken("extractor", "normalised over the image", caught_by=("E07",), **_COVARIANT)
class InstanceNorm(ToyBackbone):
    def activated(self, maps: Any) -> Any:
        return super().activated(maps) / (1 + maps.std(axis=(2, 3), keepdims=True))


@broken("extractor", "a receptive field claimed too small", caught_by=("E07",), level="covariant", receptive_field=3)
class WiderThanClaimed(ToyBackbone):
    def prepared(self, pixels: Any) -> Any:
        ahead = np.pad(pixels, ((0, 0), (0, 0), (0, 0), (40, 0)))[..., : pixels.shape[3]]
        return super().prepared(pixels) + 0.5 * ahead


@broken("extractor", "the middle of the image", caught_by=("E07",))
class Middle(ToyBackbone):
    def prepared(self, pixels: Any) -> Any:
        images = super().prepared(pixels)
        for axis in (2, 3):
            edge = images.shape[axis] // 8
            index = np.clip(np.arange(images.shape[axis]), edge * 4, images.shape[axis] - 1 - edge * 4)
            images = images.take(index, axis)
        return images


@broken("extractor", "the first image for all", caught_by=("E08",))
class FirstImage(ToyBackbone):
    def answer(self, maps: list[Any]) -> Any:
        return super().answer([one[:1].repeat(len(one), axis=0) for one in maps])


@broken("extractor", "images in reverse", caught_by=("E02", "E08"))
class LastFirst(ToyBackbone):
    def answer(self, maps: list[Any]) -> Any:
        return super().answer([one[::-1] * np.arange(1, len(one) + 1)[:, None, None, None] for one in maps])


@broken("extractor", "one answer for all", caught_by=("E08", "E10"))
class Constant(ToyBackbone):
    def prepared(self, pixels: Any) -> Any:
        return super().prepared(pixels) * 0


@broken("extractor", "static buffers", caught_by=("E09", "X04"))
@dataclass(frozen=True, kw_only=True)
class StaticBuffers(ToyBackbone):
    buffers: dict[Any, Any] = field(default_factory=dict)

    def answer(self, maps: list[Any]) -> Any:
        found = [self.buffers.setdefault((one.shape), np.empty(one.shape, np.float32)) for one in maps]
        for buffer, one in zip(found, maps, strict=True):
            buffer[...] = one
        return tuple(found)


@broken("extractor", "cut to 0..1", caught_by=("E10",))
class Clipped(ToyBackbone):
    def prepared(self, pixels: Any) -> Any:
        return np.clip(super().prepared(pixels), 0, 1)


@broken("extractor", "cast to whole numbers", caught_by=("E10",))
class Whole(ToyBackbone):
    def prepared(self, pixels: Any) -> Any:
        return super().prepared(pixels).astype(np.int64).astype(np.float64)


@broken("extractor", "blue never read", caught_by=("E10",))
class TwoChannels(ToyBackbone):
    def prepared(self, pixels: Any) -> Any:
        images = super().prepared(pixels)
        images[:, 2] = images[:, 1]
        return images


@broken("extractor", "half precision inside", caught_by=("E11",))
class Half(ToyBackbone):
    def activated(self, maps: Any) -> Any:
        return super().activated(maps).astype(np.float16).astype(np.float64)


@broken("extractor", "bfloat16 inside", caught_by=("E11",))
class Brain(ToyBackbone):
    def prepared(self, pixels: Any) -> Any:
        bits = np.ascontiguousarray(pixels, dtype=np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
        return bits.view(np.float32).astype(np.float64)


@broken("extractor", "random weights", caught_by=("E12", "X06"))
@dataclass(frozen=True, kw_only=True)
class RandomWeights(ToyBackbone):
    seed: int = field(default_factory=lambda: int(np.random.randint(2**31)))  # noqa: NPY002 - the mistake


@broken("extractor", "weights downloaded", caught_by=("E12",))
class Downloads(ToyBackbone):
    def prepared(self, pixels: Any) -> Any:
        with suppress(OSError):
            socket.create_connection(("weights.invalid", 443), timeout=0.01).close()
        return super().prepared(pixels)


@broken("extractor", "half of its reach claimed", caught_by=("E07",), level="covariant", receptive_field=7)
class FartherThanClaimed(ToyBackbone):
    pass


@broken("extractor", "moved by a cell, around the edge", caught_by=("E07",), **_COVARIANT)
class Rolled(ToyBackbone):
    def answer(self, maps: list[Any]) -> Any:
        return super().answer([np.roll(one, 1, axis=3) for one in maps])


@broken("extractor", "a margin left out", caught_by=("E07",))
class MarginLeftOut(ToyBackbone):
    def prepared(self, pixels: Any) -> Any:
        kept = np.zeros(pixels.shape)
        rows, columns = (length // 8 for length in pixels.shape[2:])
        kept[..., rows:-rows, columns:-columns] = pixels[..., rows:-rows, columns:-columns]
        return kept
