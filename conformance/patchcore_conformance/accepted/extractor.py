"""Extractors that are right in unusual ways: other grids, other arrays, other reach, tiny differences in batches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from patchcore_conformance.accepted.registry import accepted
from patchcore_conformance.model.extractor import TOY_FIELD, ToyBackbone

_ALL: dict[str, Any] = {"level": "covariant", "serialisable": True, "thread_safe": True}


@accepted("extractor", "the model itself", receptive_field=TOY_FIELD, **_ALL)
@accepted("extractor", "the model, its reach not stated", **_ALL)
@accepted("extractor", "the model, nothing claimed")
@accepted("extractor", "the model, as an interface only", level="api")
class Plain(ToyBackbone):
    """Nothing unusual."""


@accepted("extractor", "sizes rounded down in one stage and up in another")
class UnevenRounding(ToyBackbone):
    """Leaves out the last row and column of odd sizes in the second stage."""

    def convolved(self, images: Any, stage: int) -> Any:
        if stage == 1:
            images = images[:, :, : images.shape[2] // 2 * 2, : images.shape[3] // 2 * 2]
        return super().convolved(images, stage)


@accepted("extractor", "only sizes that strides divide")
class WholeStrides(ToyBackbone):
    """Refuses sizes that are no multiple of 32."""

    def checked(self, pixels: Any) -> Any:
        if pixels.ndim == 4 and (pixels.shape[2] % 32 or pixels.shape[3] % 32):
            raise ValueError("height and width must be multiples of 32")
        return super().checked(pixels)


@accepted("extractor", "no padding: fewer cells than the stride says", **_ALL)
class Unpadded(ToyBackbone):
    """Loses the edge in each stage, as valid convolutions do."""

    def padded(self, images: Any) -> Any:
        return images


@accepted("extractor", "one layer of stride 16")
@dataclass(frozen=True, kw_only=True)
class OneLayer(ToyBackbone):
    """A single coarse map."""

    steps: tuple[int, ...] = (4, 4)
    widths: tuple[int, ...] = (5, 7)
    kept: tuple[int, ...] = (1,)


@accepted("extractor", "two layers on one grid", level="covariant")
@dataclass(frozen=True, kw_only=True)
class SameGrid(ToyBackbone):
    """A stage without a stride."""

    steps: tuple[int, ...] = (2, 2, 1)


@accepted("extractor", "strides told by layer")
class TellsStrides(ToyBackbone):
    """Has more attributes than it needs."""

    @property
    def strides(self) -> tuple[int, ...]:
        """Input pixels between two values of each map."""
        return tuple(2 ** (stage + 1) for stage in self.kept)


@accepted("extractor", "float64 maps in Fortran order, read-only, as a list")
class OtherArrays(ToyBackbone):
    """Answers other arrays than most."""

    def answer(self, maps: list[Any]) -> Any:
        found = [np.asfortranarray(one, dtype=np.float64) for one in maps]
        for one in found:
            one.flags.writeable = False
        return found


@accepted("extractor", "channels-last memory", thread_safe=True)
class ChannelsLastMemory(ToyBackbone):
    """Answers views whose channels are innermost in memory."""

    def answer(self, maps: list[Any]) -> Any:
        return tuple(np.ascontiguousarray(np.moveaxis(one, 1, -1), np.float32).transpose(0, 3, 1, 2) for one in maps)


@accepted("extractor", "float32 throughout", level="covariant")
class Single(ToyBackbone):
    """Computes in float32."""

    def prepared(self, pixels: Any) -> Any:
        return pixels.astype(np.float32)

    def weights(self, stage: int) -> Any:
        weight, bias = super().weights(stage)
        return weight.astype(np.float32), bias.astype(np.float32)


@accepted("extractor", "batches differ by rounding")
class BatchRounding(ToyBackbone):
    """Sums in another order for each size of a batch, as matrix libraries do."""

    def answer(self, maps: list[Any]) -> Any:
        return super().answer([one * (1 + 2e-6 * (len(one) % 5)) for one in maps])


@accepted("extractor", "not the same bits twice", deterministic=False)
@dataclass(frozen=True, kw_only=True)
class Jitter(ToyBackbone):
    """Adds in any order, as atomic operations do."""

    rng: Any = field(default_factory=lambda: np.random.default_rng(0))

    def answer(self, maps: list[Any]) -> Any:
        return super().answer([one * (1 + 1e-6 * self.rng.standard_normal(one.shape)) for one in maps])


@accepted("extractor", "squeeze and excite: each value knows the whole image")
class SqueezeExcite(ToyBackbone):
    """Weighs channels by their mean over the image."""

    def activated(self, maps: Any) -> Any:
        maps = super().activated(maps)
        return maps / (1 + np.exp(-maps.mean(axis=(2, 3), keepdims=True)))


@accepted("extractor", "knows its place, as position embeddings do")
class Placed(ToyBackbone):
    """Adds a fixed pattern."""

    def activated(self, maps: Any) -> Any:
        return super().activated(maps) + 0.01 * np.arange(maps.shape[3])


@accepted("extractor", "half precision, as claimed", dtype="float16")
class Half(ToyBackbone):
    """Rounds to float16 after each stage, and answers float16."""

    def activated(self, maps: Any) -> Any:
        return super().activated(maps).astype(np.float16).astype(np.float64)

    def answer(self, maps: list[Any]) -> Any:
        return tuple(one.astype(np.float16) for one in maps)


@accepted("extractor", "smooth activations, no ReLU", level="covariant", receptive_field=TOY_FIELD)
class Smooth(ToyBackbone):
    """Has values of both signs everywhere."""

    def activated(self, maps: Any) -> Any:
        return np.tanh(maps)


@accepted("extractor", "loads its weights at the first call")
@dataclass(frozen=True, kw_only=True)
class Lazy(ToyBackbone):
    """Keeps weights, and scratch memory by shape, once they are needed."""

    kept_weights: dict[int, Any] = field(default_factory=dict, compare=False)
    scratch: dict[Any, Any] = field(default_factory=dict, compare=False)

    def weights(self, stage: int) -> Any:
        if stage not in self.kept_weights:
            self.kept_weights[stage] = super().weights(stage)
        return self.kept_weights[stage]

    def padded(self, images: Any) -> Any:
        shape = (*images.shape[:2], images.shape[2] + 2, images.shape[3] + 2)
        memory = self.scratch.setdefault(shape, np.zeros(shape))
        memory[:, :, 1:-1, 1:-1] = images
        return memory


@accepted("extractor", "grey images only")
class Grey(ToyBackbone):
    """Weighs the three channels into one."""

    def prepared(self, pixels: Any) -> Any:
        grey = np.tensordot(np.array([0.3, 0.59, 0.11]), super().prepared(pixels), axes=(0, 1))
        return np.repeat(grey[:, None], 3, axis=1)


@accepted("extractor", "native byte order only")
class NativeOnly(ToyBackbone):
    """Refuses the byte order of other machines."""

    def checked(self, pixels: Any) -> Any:
        if not pixels.dtype.isnative:
            raise TypeError("pixels have a foreign byte order")
        return super().checked(pixels)


@accepted("extractor", "a network in training mode that does not listen")
@dataclass(frozen=True, kw_only=True)
class Stubborn(ToyBackbone):
    """Has train() and training, and computes as in evaluation all the same."""

    state: dict[str, bool] = field(default_factory=dict)

    @property
    def training(self) -> bool:
        """Whether train() was called."""
        return self.state.get("training", False)

    def train(self, mode: bool = True) -> None:
        """Note the mode."""
        self.state["training"] = mode


@accepted("extractor", "patches of 14 pixels, other sizes refused", level="covariant")
@dataclass(frozen=True, kw_only=True)
class Patches(ToyBackbone):
    """Looks at patches of 14 x 14 pixels, as some transformers do; nothing is padded."""

    steps: tuple[int, ...] = (14,)
    widths: tuple[int, ...] = (5,)
    kept: tuple[int, ...] = (0,)

    def checked(self, pixels: Any) -> Any:
        if super().checked(pixels).shape[2] % 14 or pixels.shape[3] % 14:
            raise ValueError(f"images of {pixels.shape[2:]} pixels: multiples of 14 are needed")
        return pixels


@accepted("extractor", "one layer of every third pixel", level="covariant")
@dataclass(frozen=True, kw_only=True)
class Thirds(ToyBackbone):
    """Has a stride that divides none of the usual sizes."""

    steps: tuple[int, ...] = (3,)
    widths: tuple[int, ...] = (5,)
    kept: tuple[int, ...] = (0,)


@accepted("extractor", "squares of 12 pixels, others refused with a TypeError")
class SquaresOfTwelve(ToyBackbone):
    """Refuses 32 pixels, by an error of its own."""

    steps: tuple[int, ...] = (3, 2, 2)

    def checked(self, pixels: Any) -> Any:
        """Refuse all but multiples of 12 pixels."""
        found = super().checked(pixels)
        if found.shape[2] % 12 or found.shape[3] % 12:
            raise TypeError(f"images are {found.shape[2:]} pixels, but multiples of 12 are needed")
        return found
