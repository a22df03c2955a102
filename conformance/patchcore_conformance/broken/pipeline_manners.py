"""Whole detectors that mistake what came before, what came in, or where it stood."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from patchcore_conformance.broken.registry import broken
from patchcore_conformance.model.pipeline import Scored, ToyPatchCore


@broken("pipeline", "a second fit adds to the first", caught_by=("L07",))
class Appends(ToyPatchCore):
    def fit(self, images: Any) -> Any:
        before = self.bank
        super().fit(images)
        self.bank = self.bank if before is None else np.concatenate([before, self.bank])
        return self


@broken("pipeline", "fitted once and for all", caught_by=("L07",))
class FittedOnce(ToyPatchCore):
    def fit(self, images: Any) -> Any:
        return super().fit(images) if self.bank is None else self


@broken("pipeline", "a start by global chance", caught_by=("L07",))
class GlobalStart(ToyPatchCore):
    def seed(self) -> int:
        return int(np.random.randint(1000))  # noqa: NPY002 - the mistake


@broken("pipeline", "photographs darkened in place", caught_by=("L08",))
class Darkened(ToyPatchCore):
    def checked(self, images: Any) -> Any:
        found = super().checked(images)
        for picture in found:
            picture -= picture.min()
        return found


@broken("pipeline", "photographs read in storage order", caught_by=("L08",))
class StorageOrder(ToyPatchCore):
    def checked(self, images: Any) -> Any:
        return [picture.ravel(order="K").reshape(picture.shape) for picture in super().checked(images)]


@broken("pipeline", "one buffer for all answers", caught_by=("L08",))
class OneBuffer(ToyPatchCore):
    def scored(self, distances: Any) -> Any:
        buffer = self.__dict__.setdefault("buffers", {}).setdefault(distances.shape, np.empty_like(distances))
        buffer[...] = distances
        return super().scored(buffer)


@broken("pipeline", "scores of 0 before a fit", caught_by=("L09",))
class ScoresNothing(ToyPatchCore):
    def score(self, images: Any) -> Any:
        if self.bank is None:
            return Scored(np.zeros(len(images)), np.zeros((len(images), 16, 16)))
        return super().score(images)


@broken("pipeline", "NaN becomes black", caught_by=("L09",))
class TakesNaN(ToyPatchCore):
    def checked(self, images: Any) -> Any:
        pictures = [np.asarray(image) for image in images]
        floats = [picture.dtype.kind == "f" for picture in pictures]
        return super().checked(
            [
                (255 * np.nan_to_num(one)).astype(np.uint8) if real else one
                for one, real in zip(pictures, floats, strict=True)
            ]
        )


@broken("pipeline", "the bank dropped before photographs are looked at", caught_by=("L09",))
class DropsFirst(ToyPatchCore):
    def fit(self, images: Any) -> Any:
        self.bank = None
        return super().fit(images)


@broken("pipeline", "seeds the process", caught_by=("L10",))
class SeedsTheProcess(ToyPatchCore):
    def fit(self, images: Any) -> Any:
        np.random.seed(0)  # noqa: NPY002 - the mistake
        return super().fit(images)


@broken("pipeline", "switches arithmetic warnings off", caught_by=("L10",))
class SilencesNumPy(ToyPatchCore):
    def score(self, images: Any) -> Any:
        np.seterr(all="ignore")
        return super().score(images)


@broken("pipeline", "settings lost in a copy", caught_by=("L11",), serialisable=True)
class ForgetfulCopy(ToyPatchCore):
    def __getstate__(self) -> Any:
        return {"settings": {**self.settings, "aggregator.patch_size": 1}, "bank": self.bank}


@broken("pipeline", "photographs kept in the detector while it scores", caught_by=("L12",), thread_safe=True)
class SharedScratch(ToyPatchCore):
    def embed(self, images: Any) -> Any:
        self.images = images
        time.sleep(0.002)
        return super().embed(self.images)


@broken("pipeline", "maps lie on their side", caught_by=("L13",))
class OnTheirSide(ToyPatchCore):
    def scored(self, distances: Any) -> Any:
        return super().scored(np.ascontiguousarray(distances.swapaxes(1, 2)))


@broken("pipeline", "maps mirrored", caught_by=("L13",))
class Mirrored(ToyPatchCore):
    def scored(self, distances: Any) -> Any:
        return super().scored(distances[:, :, ::-1])


@broken("pipeline", "the mean of all patches", caught_by=("L14",))
class MeanOfAll(ToyPatchCore):
    def scored(self, distances: Any) -> Any:
        return Scored(distances.mean(axis=(1, 2)), distances)


@broken("pipeline", "the median of all patches", caught_by=("L14",))
class MedianOfAll(ToyPatchCore):
    def scored(self, distances: Any) -> Any:
        return Scored(np.median(distances, axis=(1, 2)), distances)


@broken("pipeline", "all photographs repeated to the size of the first", caught_by=("L15",))
class SizeOfTheFirst(ToyPatchCore):
    def of_one_size(self, pictures: list[Any]) -> list[Any]:
        height, width = pictures[0].shape[:2]
        return [np.resize(picture, (height, width, 3)) for picture in pictures]


_KEPT: dict[str, Any] = {}


@broken("pipeline", "the file names a bank that the process keeps", caught_by=("L04",))
class KeptByTheProcess(ToyPatchCore):
    def fit(self, images: Any) -> Any:
        super().fit(images)
        _KEPT["bank"] = self.bank
        return self

    @classmethod
    def load(cls, path: Any) -> Any:
        found = super().load(path)
        found.bank = _KEPT["bank"]
        return found


@broken("pipeline", "the last word of a section replaces the others", caught_by=("L16",))
class LastWord(ToyPatchCore):
    def __init__(self, overrides: Any = ()) -> None:
        sections = {word.partition(".")[0]: word for word in overrides}
        super().__init__(list(sections.values()))


class _HoldsOut(ToyPatchCore):
    defaults = {**ToyPatchCore.defaults, "calibration.holdout": 0}  # noqa: RUF012 - copied before anything changes

    def fit(self, images: Any) -> Any:
        kept = round(len(images) * (1 - self.settings["calibration.holdout"]))
        return super().fit(self.remember(list(images), kept))

    def remember(self, images: list[Any], kept: int) -> list[Any]:
        return images[:kept]


@broken("pipeline", "held out, and remembered all the same", caught_by=("L17",))
class RemembersAll(_HoldsOut):
    def remember(self, images: list[Any], kept: int) -> list[Any]:  # noqa: ARG002 - the mistake
        return images


@broken("pipeline", "floats scaled in place", caught_by=("L08",))
class ScalesFloats(ToyPatchCore):
    def checked(self, images: Any) -> Any:
        if isinstance(images, np.ndarray) and images.dtype.kind == "f":
            images *= 255
            images = images.astype(np.uint8)
        return super().checked(images)


@broken("pipeline", "answers looked up by the array", caught_by=("L08",))
class LooksUpTheArray(ToyPatchCore):
    def score(self, images: Any) -> Any:
        known = self.__dict__.setdefault("known", {})
        if isinstance(images, np.ndarray) and known.get("array") is images:
            return known["scores"]
        known.update(array=images, scores=super().score(images))
        return known["scores"]
