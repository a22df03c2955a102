"""Whole detectors with one mistake each, as real authors make them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from patchcore_conformance.broken.registry import broken
from patchcore_conformance.model.aggregator import LocalMean
from patchcore_conformance.model.neighbors import Exact
from patchcore_conformance.model.pipeline import Scored, ToyPatchCore


@broken("pipeline", "batches normalised over their images", caught_by=("L01", "L05"))
class BatchNormalised(ToyPatchCore):
    def pixels(self, images: Any) -> Any:
        found = super().pixels(images)
        return (found - found.mean()) / found.std()


@broken("pipeline", "the last batch left out of a fit", caught_by=("L01",))
class LastBatchLost(ToyPatchCore):
    fitting = False

    def fit(self, images: Any) -> Any:
        self.fitting = True
        try:
            return super().fit(images)
        finally:
            self.fitting = False

    def batches(self, images: list[Any]) -> Any:
        found = super().batches(images)
        return found[:-1] if self.fitting and len(found) > 1 else found


@broken("pipeline", "only the first sixteen images", caught_by=("L01",))
class SixteenImages(ToyPatchCore):
    def fit(self, images: Any) -> Any:
        return super().fit(images[:16])


@broken("pipeline", "fitted in another colour order", caught_by=("L02",))
class OtherColours(ToyPatchCore):
    def fit(self, images: Any) -> Any:
        return super().fit([image[..., ::-1] for image in images])


@broken("pipeline", "rows of the bank brought to length one", caught_by=("L02",))
class UnitRows(ToyPatchCore):
    def remembered(self, rows: Any) -> Any:
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@broken("pipeline", "augmented while fitting", caught_by=("L02",))
class Augmented(ToyPatchCore):
    def fit(self, images: Any) -> Any:
        return super().fit([image[:, ::-1] for image in images])


@broken("pipeline", "mean over three rows", caught_by=("L02",))
class ThreeRows(ToyPatchCore):
    def distances(self, queries: Any) -> Any:
        k = min(3, len(self.bank))
        return Exact().build(self.bank).query(queries, k=k)[0].mean(axis=1)


@broken("pipeline", "one row always left out", caught_by=("L02",))
class OneRowLost(ToyPatchCore):
    def remembered(self, rows: Any) -> Any:
        return rows[:-1] if len(rows) > 1 else rows


@broken("pipeline", "brought to the bank's own spread", caught_by=("L03",))
class BankSpread(ToyPatchCore):
    def distances(self, queries: Any) -> Any:
        own = Exact().build(self.bank).query(self.bank, k=2)[0][:, 1]
        return super().distances(queries) / own.mean()


@broken("pipeline", "mean over the whole bank", caught_by=("L02", "L03"))
class WholeBank(ToyPatchCore):
    def distances(self, queries: Any) -> Any:
        return Exact().build(self.bank).query(queries, k=len(self.bank))[0].mean(axis=1)


@broken("pipeline", "times the number of rows", caught_by=("L03",))
class TimesRows(ToyPatchCore):
    def distances(self, queries: Any) -> Any:
        return super().distances(queries) * np.log(len(self.bank) + 1)


@broken("pipeline", "half precision in the file", caught_by=("L04",))
class HalfInTheFile(ToyPatchCore):
    @classmethod
    def load(cls, path: Any) -> Any:
        found = super().load(path)
        found.bank = found.bank.astype(np.float16).astype(np.float32)
        return found


@broken("pipeline", "settings forgotten in the file", caught_by=("L04",))
class SettingsForgotten(ToyPatchCore):
    @classmethod
    def load(cls, path: Any) -> Any:
        found = super().load(path)
        found.settings = dict(cls.defaults)
        return found


@broken("pipeline", "the file holds the rows alone", caught_by=("L04",))
class RowsAlone(ToyPatchCore):
    def save(self, path: Any) -> None:
        kept = {**self.settings, "aggregator.patch_size": 1}
        with open(path, "wb") as file:  # noqa: PTH123
            np.savez(file, bank=self.bank, settings=np.array(json.dumps(kept)))


@broken("pipeline", "nothing saved", caught_by=("L04",))
class NothingSaved(ToyPatchCore):
    def save(self, path: Any) -> None:
        """Forget it."""


@broken("pipeline", "sorted by score", caught_by=("L05",))
class Sorted(ToyPatchCore):
    def scored(self, distances: Any) -> Any:
        order = np.argsort(-distances.max(axis=(1, 2)))
        return super().scored(distances[order])


@broken("pipeline", "image scores brought to 0..1", caught_by=("L05",))
class ZeroToOne(ToyPatchCore):
    def scored(self, distances: Any) -> Any:
        found = super().scored(distances)
        return Scored(found.image / max(found.image.max(), 1e-12), found.patch)


@broken("pipeline", "the largest of the batch", caught_by=("L05",))
class LargestOfAll(ToyPatchCore):
    def scored(self, distances: Any) -> Any:
        return Scored(np.full(len(distances), distances.max()), distances)


@broken("pipeline", "images with one score too few", caught_by=("L05",))
class OneTooFew(ToyPatchCore):
    def scored(self, distances: Any) -> Any:
        found = super().scored(distances)
        return Scored(found.image[: max(1, len(found.image) - 1)], found.patch)


@broken("pipeline", "squared distances from one search", caught_by=("L06",))
class SquaredInOne(ToyPatchCore):
    def distances(self, queries: Any) -> Any:
        found = super().distances(queries)
        return found if self.settings["neighbors.name"] == "numpy-exact" else found**2


@broken("pipeline", "another padding with one search", caught_by=("L06",))
class OtherPadding(ToyPatchCore):
    def aggregator(self) -> Any:
        border = "zero" if self.settings["neighbors.name"] == "numpy-exact" else "valid"
        return LocalMean(patch_size=self.settings["aggregator.patch_size"], border=border)


@broken("pipeline", "another seed with each fit", caught_by=("L06",))
class OtherSeed(ToyPatchCore):
    fits = 0

    def seed(self) -> int:
        type(self).fits += 1
        return type(self).fits


@broken("pipeline", "images above their patches", caught_by=("L01", "L05"))
class AbovePatches(ToyPatchCore):
    def scored(self, distances: Any) -> Any:
        return Scored(distances.sum(axis=(1, 2)), distances)


@broken("pipeline", "a last image that makes a block of its own is lost", caught_by=("L05",))
class FoursOnly(ToyPatchCore):
    def batches(self, images: list[Any]) -> Any:
        return [images[start : start + 8] for start in range(0, max(1, len(images) - 1), 8)]
