"""Extractors with one mistake each in how they take the pixels that come in."""

from __future__ import annotations

from typing import Any

import numpy as np

from patchcore_conformance.broken.registry import broken
from patchcore_conformance.model.extractor import ToyBackbone


@broken("extractor", "outliers cut off in place", caught_by=("X02",))
class CutsInPlace(ToyBackbone):
    def checked(self, pixels: Any) -> Any:
        pixels = super().checked(pixels)
        return np.clip(pixels, -6, 6, out=pixels if pixels.flags.writeable else None)


@broken("extractor", "NaN looked for in the beginning only", caught_by=("X08",))
class BriefLook(ToyBackbone):
    def checked(self, pixels: Any) -> Any:
        super().checked(np.nan_to_num(pixels))
        if not np.isfinite(pixels[:8]).all():
            raise ValueError("pixels hold NaN or infinity")
        return pixels


@broken("extractor", "whole parts of 16 images, the rest left out", caught_by=("E02",))
class WholeParts(ToyBackbone):
    def answer(self, maps: list[Any]) -> Any:
        for one in maps:
            one[16 * (len(one) // 16) or len(one) :] = 0
        return super().answer(maps)


@broken("extractor", "strips of 256 rows, each by itself", caught_by=("E06",), level="covariant")
class Strips(ToyBackbone):
    def extract(self, pixels: Any) -> Any:
        images = self.checked(np.asarray(pixels))
        strips = [super(Strips, self).extract(images[:, :, top : top + 256]) for top in range(0, images.shape[2], 256)]
        return tuple(np.concatenate(parts, axis=2) for parts in zip(*strips, strict=True))


@broken("extractor", "the last answer kept, known by some of its pixels", caught_by=("X05",))
class KnownBySome(ToyBackbone):
    def extract(self, pixels: Any) -> Any:
        some = np.asarray(pixels)[..., ::8, ::8].tobytes()
        if self.__dict__.get("_known", (None,))[0] != some:
            self.__dict__["_known"] = some, super().extract(pixels)
        return tuple(one.copy() for one in self.__dict__["_known"][1])


@broken("extractor", "white cut off", caught_by=("E10",))
class WhiteCutOff(ToyBackbone):
    def prepared(self, pixels: Any) -> Any:
        return np.clip(super().prepared(pixels), -2.5, 2.5)


@broken("extractor", "layers in the order that they are asked for", caught_by=("E01",))
class OrderAsked:
    def __init__(self, layers: Any = ("stage1", "stage2")) -> None:
        unknown = set(layers) - {"stage1", "stage2"}
        if unknown or not layers:
            raise ValueError(f"there are no layers {sorted(unknown)}")
        self.layers = tuple(layers)
        self.channels = tuple({"stage1": 6, "stage2": 8}[name] for name in layers)

    def extract(self, pixels: Any) -> Any:
        maps = dict(zip(("stage1", "stage2"), ToyBackbone().extract(pixels), strict=True))
        return tuple(maps[name] for name in self.layers)


@broken("extractor", "maps without a row for images that are too small", caught_by=("E01",))
class EmptyMaps(ToyBackbone):
    def answer(self, maps: list[Any]) -> Any:
        small = min(maps[-1].shape[2:]) < 2
        return super().answer([one[:, :, :0, :0] for one in maps] if small else maps)


@broken("extractor", "sums looked at for what is finite, in float16 too", caught_by=("X09",))
class FiniteSums(ToyBackbone):
    def checked(self, pixels: Any) -> Any:
        with np.errstate(all="ignore"):
            if not np.isfinite(super().checked(pixels).sum()):
                raise ValueError("pixels hold NaN or infinity")
        return pixels
