"""Whole detectors that are right in unusual ways: other settings, other answers, other files."""

from __future__ import annotations

import pickle
from collections import namedtuple
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance.accepted.registry import accepted
from patchcore_conformance.model.neighbors import Single
from patchcore_conformance.model.pipeline import ToyPatchCore

if TYPE_CHECKING:
    from collections.abc import Iterable

_Pair = namedtuple("_Pair", "patch image")


def _brought_to(side: int, picture: Any) -> Any:
    """Resize to a square by the nearest pixel."""
    rows, columns = (np.arange(side) * length // side for length in picture.shape[:2])
    return picture[rows[:, None], columns]


@accepted("pipeline", "the model itself")
class Plain(ToyPatchCore):
    """Nothing unusual."""


@accepted("pipeline", "two searches, one in float32")
class TwoSearches(ToyPatchCore):
    """Measures in float32 where numba-exact is asked for; answers float32."""

    def distances(self, queries: Any) -> Any:
        if self.settings["neighbors.name"] == "numpy-exact":
            return super().distances(queries)
        return Single().build(self.bank).query(queries)[0][:, 0]


@accepted("pipeline", "fit answers nothing, scores are a tuple with names")
class Terse(ToyPatchCore):
    """Answers in other forms."""

    def fit(self, images: Any) -> Any:
        super().fit(images)

    def scored(self, distances: Any) -> Any:
        return _Pair(np.asfortranarray(distances, dtype=np.float32), distances.max(axis=(1, 2)).astype(np.float32))


@accepted("pipeline", "no setting but the share of patches")
class OneSetting(ToyPatchCore):
    """Knows no names of parts."""

    defaults = {"sampler.keep": 0.3, "sampler.seed": 7, "aggregator.patch_size": 3}  # noqa: RUF012

    def require_parts(self) -> None:
        """There is one of each."""


@accepted("pipeline", "no settings at all")
class NoSettings(ToyPatchCore):
    """Is what it is."""

    def __init__(self, overrides: Iterable[str] = ()) -> None:
        if list(overrides):
            raise ValueError("there are no settings")
        super().__init__()


@accepted("pipeline", "squared distances throughout")
class Squared(ToyPatchCore):
    """Scores by squares, as the official code does."""

    def scored(self, distances: Any) -> Any:
        return super().scored(np.square(distances))


@accepted("pipeline", "saved as a pickle, loaded by an object")
class Pickled(ToyPatchCore):
    """Loads by a method of an instance."""

    def save(self, path: Any) -> None:
        with open(path, "wb") as file:  # noqa: PTH123
            pickle.dump((self.settings, self.bank), file)

    def load(self, path: Any) -> Any:  # type: ignore[override]  # a detector that is made first, as some are
        with open(path, "rb") as file:  # noqa: PTH123
            self.settings, self.bank = pickle.load(file)  # noqa: S301 - our own file
        return self


@accepted("pipeline", "photographs of any size, each by itself", serialisable=True, thread_safe=True)
class EachBySelf(ToyPatchCore):
    """Brings each photograph to 64 x 64 pixels, without asking the others."""

    def of_one_size(self, pictures: list[Any]) -> list[Any]:
        return [_brought_to(64, picture) for picture in pictures]


@accepted("pipeline", "unfitted, it raises a RuntimeError; scores are read-only")
class Locked(ToyPatchCore):
    """Refuses in another way."""

    def score(self, images: Any) -> Any:
        if self.bank is None:
            raise RuntimeError("not fitted")
        return super().score(images)

    def scored(self, distances: Any) -> Any:
        found = super().scored(distances)
        found.patch.flags.writeable = False
        return found


@accepted("pipeline", "floats from 0 to 1, and every second photograph held out")
class HoldsOut(ToyPatchCore):
    """Takes floats too, and holds out where it is asked to."""

    defaults = {**ToyPatchCore.defaults, "calibration.holdout": 0}  # noqa: RUF012 - copied before anything changes

    def checked(self, images: Any) -> Any:
        pictures = [np.asarray(image) for image in images]
        if any(picture.dtype.kind == "f" and not np.isfinite(picture).all() for picture in pictures):
            raise ValueError("a photograph holds NaN or infinity")
        floats = [(255 * one).round().astype(np.uint8) if one.dtype.kind == "f" else one for one in pictures]
        return super().checked(floats)

    def fit(self, images: Any) -> Any:
        pictures = list(images)
        return super().fit(pictures[::2] if self.settings["calibration.holdout"] else pictures)


@accepted("pipeline", "photographs held out, and a share of patches that nobody chooses")
class HoldsOutOfAFewPatches(HoldsOut):
    """Keeps every fifth patch: what was fitted need not score 0."""

    defaults = {"calibration.holdout": 0, "aggregator.patch_size": 3, "images.size": 64}  # noqa: RUF012

    def require_parts(self) -> None:
        """There is one of each."""

    def chosen(self, rows: Any) -> Any:
        return np.arange(0, len(rows), 5)

    def checked(self, images: Any) -> Any:
        return [_brought_to(self.settings["images.size"], picture) for picture in super().checked(images)]
