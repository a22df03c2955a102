"""Whole detectors that lean on the process, on another detector, on older files, or on what photographs usually are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from patchcore_conformance.broken.registry import broken
from patchcore_conformance.model.aggregator import LocalMean
from patchcore_conformance.model.neighbors import Exact
from patchcore_conformance.model.pipeline import Scored, ToyPatchCore


@broken("pipeline", "one bank for all detectors", caught_by=("L18",))
class OneBank(ToyPatchCore):
    latest: Any = None

    def remembered(self, rows: Any) -> Any:
        type(self).latest = rows
        return rows

    def distances(self, queries: Any) -> Any:
        return Exact().build(type(self).latest).query(queries)[0][:, 0]


@broken("pipeline", "photographs embedded when the first score is asked for", caught_by=("L18",))
class EmbedsLater(ToyPatchCore):
    waiting: Any = None

    def fit(self, images: Any) -> Any:
        super().fit(images)
        self.waiting = list(images)
        return self

    def score(self, images: Any) -> Any:
        if self.waiting is not None:
            photographs, self.waiting = self.waiting, None
            super().fit(photographs)
        return super().score(images)


_BY_PATH: dict[str, Any] = {}


@broken("pipeline", "models kept by their path", caught_by=("L04",))
class KeptByPath(ToyPatchCore):
    def save(self, path: Any) -> None:
        super().save(path)
        _BY_PATH[str(path)] = self

    @classmethod
    def load(cls, path: Any) -> Any:
        return _BY_PATH[str(path)]


@broken("pipeline", "an older file is left as it is", caught_by=("L04",))
class LeavesOldFiles(ToyPatchCore):
    def save(self, path: Any) -> None:
        if not Path(path).exists():
            super().save(path)


@broken("pipeline", "saving halves the digits", caught_by=("L04",))
class SavingHalves(ToyPatchCore):
    def save(self, path: Any) -> None:
        self.bank = self.bank.astype(np.float16).astype(np.float32)
        super().save(path)


@broken("pipeline", "a seed made of a word's hash", caught_by=("L19",))
class SeedOfAWord(ToyPatchCore):
    def seed(self) -> int:
        return hash("coreset") % 100_000


@broken("pipeline", "patch_size is read and not used", caught_by=("L20",))
class PatchSizeUnused(ToyPatchCore):
    def aggregator(self) -> Any:
        return LocalMean(patch_size=3)


@broken("pipeline", "settings that are not known do nothing", caught_by=("L20",))
class TakesAnything(ToyPatchCore):
    def __init__(self, overrides: Any = ()) -> None:
        super().__init__([word for word in overrides if word.partition("=")[0] in self.defaults])


@broken("pipeline", "squares of the image's score alone", caught_by=("L20",))
class SquaresImages(ToyPatchCore):
    # The model reads numbers, but for settings whose name ends in "name".
    defaults = {**ToyPatchCore.defaults, "scoring.distance_name": "euclidean"}  # noqa: RUF012

    def __init__(self, overrides: Any = ()) -> None:
        super().__init__([word.replace("scoring.distance=", "scoring.distance_name=") for word in overrides])

    def scored(self, distances: Any) -> Any:
        found = super().scored(distances)
        squares = np.minimum(np.square(found.image), found.image)
        return Scored(squares, found.patch) if self.settings["scoring.distance_name"] == "squared" else found


@broken("pipeline", "more neighbors asked for, the nearest used", caught_by=("L20",))
class NeighborsUnused(ToyPatchCore):
    defaults = {**ToyPatchCore.defaults, "scoring.neighbors": 1}  # noqa: RUF012


@broken("pipeline", "a bank of at most two thousand rows", caught_by=("L02",))
class CutBank(ToyPatchCore):
    def remembered(self, rows: Any) -> Any:
        most = 2000
        return rows[:: -(-len(rows) // most)] if len(rows) > most else rows


@broken("pipeline", "a ceiling for distances", caught_by=("L14",))
class Ceiling(ToyPatchCore):
    def distances(self, queries: Any) -> Any:
        return np.minimum(super().distances(queries), 0.5)


@broken("pipeline", "the third largest patch", caught_by=("L14",))
class ThirdLargest(ToyPatchCore):
    def scored(self, distances: Any) -> Any:
        return Scored(np.sort(distances.reshape(len(distances), -1), axis=1)[:, -3], distances)


@broken("pipeline", "the first photograph's size is the only one remembered", caught_by=("L15",))
class FirstSizeOnly(ToyPatchCore):
    def of_one_size(self, pictures: list[Any]) -> list[Any]:
        return [
            picture[np.arange(64)[:, None] % len(picture), np.arange(64) % picture.shape[1]] for picture in pictures
        ]

    def fit(self, images: Any) -> Any:
        pictures = list(images)
        return super().fit([one for one in pictures if np.shape(one) == np.shape(pictures[0])])


@broken("pipeline", "each photograph divided by its spread", caught_by=("L21",))
class DividesBySpread(ToyPatchCore):
    def score(self, images: Any) -> Any:
        found = super().score(images)
        with np.errstate(divide="ignore", invalid="ignore"):
            spreads = np.array([np.std(image) for image in images])
            return Scored(found.image / spreads, found.patch / spreads[:, None, None])


@broken("pipeline", "a mean taken off in eight bits", caught_by=("L22",))
class MeanInEightBits(ToyPatchCore):
    def pixels(self, images: Any) -> Any:
        return super().pixels(images - np.array([124, 116, 104], dtype=np.uint8))
