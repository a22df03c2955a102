"""Image scores with one mistake each, as real authors make them."""

from __future__ import annotations

from typing import Any

import numpy as np

from patchcore_conformance.broken.registry import broken
from patchcore_conformance.model.scores import Reweighted


@broken("scores", "squared distances", caught_by=("A01", "A02"))
class Squared(Reweighted):
    def distances(self, points: Any, bank: Any) -> Any:
        return np.square(super().distances(points, bank))


@broken("scores", "sums of absolute differences", caught_by=("A01",))
class CityBlock(Reweighted):
    def distances(self, points: Any, bank: Any) -> Any:
        return np.abs(points[:, None, :] - bank[None, :, :]).sum(axis=2)


@broken("scores", "cosines", caught_by=("A01",))
class Cosine(Reweighted):
    def read(self, array: Any) -> Any:
        array = super().read(array)
        return array / np.maximum(np.linalg.norm(array, axis=-1, keepdims=True), 1e-12)


@broken("scores", "never weighed", caught_by=("A01", "A06", "A08"))
class Unweighed(Reweighted):
    def weight(self, star: Any, support: Any) -> Any:  # noqa: ARG002 - that is the mistake
        return 1.0


@broken("scores", "mean of all patches", caught_by=("A01",))
class MeanPatch(Reweighted):
    def score(self, patches: Any, bank: Any, neighbors: int) -> Any:  # noqa: ARG002 - that is the mistake
        return self.distances(patches, bank).min(axis=1).mean()


@broken("scores", "the nearest patch", caught_by=("A01", "A04"))
class NearestPatch(Reweighted):
    def worst(self, nearest: Any) -> int:
        return int(np.argmin(nearest))


@broken("scores", "exp overflows in float32", caught_by=("A02",))
class Overflows(Reweighted):
    def weight(self, star: Any, support: Any) -> Any:
        if len(support) == 1:
            return 1.0
        with np.errstate(all="ignore"):
            return 1 - np.exp(np.float32(star)) / np.exp(support.astype(np.float32)).sum()


@broken("scores", "exp clipped at 80", caught_by=("A02",))
class Clipped(Reweighted):
    def weight(self, star: Any, support: Any) -> Any:
        if len(support) == 1:
            return 1.0
        return 1 - np.exp(np.minimum(star, 80)) / np.exp(np.minimum(support, 60)).sum()


@broken("scores", "the weight's sign turned", caught_by=("A01", "A02"))
class Turned(Reweighted):
    def weight(self, star: Any, support: Any) -> Any:
        return 2 - super().weight(star, support)


@broken("scores", "softmax without the one minus", caught_by=("A01", "A02"))
class NotOneMinus(Reweighted):
    def weight(self, star: Any, support: Any) -> Any:
        return 1 - super().weight(star, support) if len(support) > 1 else 1.0


@broken("scores", "a constant under the root", caught_by=("A03",), arith="E0")
class Floor(Reweighted):
    def distances(self, points: Any, bank: Any) -> Any:
        return np.sqrt(np.square(points[:, None, :] - bank[None, :, :]).sum(axis=2) + 1e-6)


@broken("scores", "the weight alone", caught_by=("A01", "A03"))
class WeightAlone(Reweighted):
    def score(self, patches: Any, bank: Any, neighbors: int) -> Any:
        found = super().score(patches, bank, neighbors)
        star = self.distances(patches, bank).min(axis=1).max()
        return found / star if star else 1.0


@broken("scores", "the batch's farthest patch", caught_by=("A01", "A04"))
class BatchMaximum(Reweighted):
    def scores(self, images: Any, bank: Any, neighbors: int) -> Any:
        found = super().scores(images, bank, neighbors)
        return np.full(len(found), np.max(found))


@broken("scores", "patch numbers read in the first image", caught_by=("A04",))
class FirstImagesPatch(Reweighted):
    def scores(self, images: Any, bank: Any, neighbors: int) -> Any:
        patches = [self.worst(self.distances(patches, bank).min(axis=1)) for patches in images]
        return [self.score(images[0][[patch]], bank, neighbors) for patch in patches]


@broken("scores", "one patch number for the whole batch", caught_by=("A04",))
class OnePatchForAll(Reweighted):
    def scores(self, images: Any, bank: Any, neighbors: int) -> Any:
        patch = self.worst(self.distances(images[0], bank).min(axis=1))
        return [self.score(patches[[patch]], bank, neighbors) for patches in images]


@broken("scores", "scaled by the batch", caught_by=("A04",))
class BatchNormalised(Reweighted):
    def scores(self, images: Any, bank: Any, neighbors: int) -> Any:
        found = np.array(super().scores(images, bank, neighbors))
        return found / found.max() if len(found) > 1 and found.max() > 0 else found


@broken("scores", "rows beside m* in the bank", caught_by=("A05", "A06"))
class BesideInTheBank(Reweighted):
    def around(self, patch: Any, row: int, bank: Any, count: int) -> Any:  # noqa: ARG002 - that is the mistake
        return (row + np.arange(count)) % len(bank)


@broken("scores", "the first rows of the bank", caught_by=("A01", "A05"))
class FirstRows(Reweighted):
    def around(self, patch: Any, row: int, bank: Any, count: int) -> Any:  # noqa: ARG002 - that is the mistake
        return np.arange(count)


@broken("scores", "the last patch never looked at", caught_by=("A01", "A05"))
class LastPatchLost(Reweighted):
    def worst(self, nearest: Any) -> int:
        return int(np.argmax(nearest[:-1])) if len(nearest) > 1 else 0


@broken("scores", "neighbours of the patch", caught_by=("A06",))
class NeighboursOfThePatch(Reweighted):
    def around(self, patch: Any, row: int, bank: Any, count: int) -> Any:  # noqa: ARG002 - that is the mistake
        return np.argsort(self.distances(patch[None], bank)[0], kind="stable")[:count]


@broken("scores", "distances from m*", caught_by=("A01", "A06"))
class FromTheRow(Reweighted):
    def support(self, patch: Any, row: int, bank: Any, around: Any) -> Any:  # noqa: ARG002 - that is the mistake
        return self.distances(bank[row : row + 1], bank[around])[0]


@broken("scores", "not cut to the bank", caught_by=("A07",))
class NotCut(Reweighted):
    def how_many(self, neighbors: int, total: int) -> int:
        if neighbors > total:
            raise IndexError(f"index {neighbors} is out of range")
        return neighbors


@broken("scores", "b beyond the bank leaves scores unweighed", caught_by=("A07",))
class GivesUp(Reweighted):
    def how_many(self, neighbors: int, total: int) -> int:
        return 1 if neighbors > total else neighbors


@broken("scores", "zero for b = 1", caught_by=("A07",))
class ZeroForOne(Reweighted):
    def weight(self, star: Any, support: Any) -> Any:
        return 0.0 if len(support) == 1 else super().weight(star, support)


@broken("scores", "b + 1 rows", caught_by=("A01", "A08"))
class OneMore(Reweighted):
    def how_many(self, neighbors: int, total: int) -> int:
        return min(neighbors + 1, total) if neighbors > 1 else 1


@broken("scores", "m* left out", caught_by=("A01", "A08"))
class WithoutItself(Reweighted):
    def around(self, patch: Any, row: int, bank: Any, count: int) -> Any:
        found = super().around(patch, row, bank, min(count + 1, len(bank)))
        return found[1:] if len(found) > 1 and count > 1 else found[:1]


@broken("scores", "the bank of the first call", caught_by=("A09",))
class Stale(Reweighted):
    def __post_init__(self) -> None:
        object.__setattr__(self, "kept", {})

    def read(self, array: Any) -> Any:
        if array.ndim == 3:
            return super().read(array)
        kept: dict[int, Any] = self.kept  # type: ignore[attr-defined]
        return kept.setdefault(array.shape[1], super().read(array))


@broken("scores", "a bank looked up by its shape", caught_by=("A09",))
class StaleByShape(Stale):
    def read(self, array: Any) -> Any:
        if array.ndim == 3:
            return Reweighted.read(self, array)
        kept: dict[Any, Any] = self.kept  # type: ignore[attr-defined]
        return kept.setdefault(array.shape, Reweighted.read(self, array))


@broken("scores", "half precision, unsaid", caught_by=("A01",))
class Half(Reweighted):
    def read(self, array: Any) -> Any:
        return array.astype(np.float16).astype(np.float64)


@broken("scores", "row numbers in 16 bits", caught_by=("A01",))
class Wraps(Reweighted):
    def nearest(self, distances: Any) -> int:
        return int(np.argmin(distances).astype(np.uint16))


@broken("scores", "patch numbers in 8 bits", caught_by=("A01",))
class WrapsPatches(Reweighted):
    def worst(self, nearest: Any) -> int:
        return int(np.argmax(nearest).astype(np.uint8))


@broken("scores", "one number for a batch of one", caught_by=("A01", "A04"))
class Squeezed(Reweighted):
    def answer(self, scores: Any) -> Any:
        return np.squeeze(super().answer(scores))


@broken("scores", "whole parts of 32 images, the rest zero", caught_by=("A04",))
class WholeParts(Reweighted):
    def answer(self, scores: Any) -> Any:
        found = np.array(scores)
        found[32 * (len(found) // 32) or len(found) :] = 0
        return super().answer(found)


@broken("scores", "one shift under the exp for all images", caught_by=("A04",))
class OneShift(Reweighted):
    def scores(self, images: Any, bank: Any, neighbors: int) -> Any:
        object.__setattr__(self, "shift", max(float(self.distances(patches, bank).max()) for patches in images))
        return super().scores(images, bank, neighbors)

    def weight(self, star: Any, support: Any) -> Any:
        shift: float = self.shift  # type: ignore[attr-defined]
        return 1 if len(support) == 1 else 1 - np.exp(star - shift) / max(np.exp(support - shift).sum(), 1e-300)


@broken("scores", "more than nine rows taken around the patch", caught_by=("A06",))
class NeighboursOfThePatchIfMany(Reweighted):
    def around(self, patch: Any, row: int, bank: Any, count: int) -> Any:
        if count <= 9:
            return super().around(patch, row, bank, count)
        near = np.argsort(self.distances(patch[None], bank)[0], kind="stable")
        return near[:count]


@broken("scores", "not weighed where exp overflows", caught_by=("A08",))
class UnweighedIfFar(Reweighted):
    def weight(self, star: Any, support: Any) -> Any:
        return 1.0 if support.max() > 700 else super().weight(star, support)


@broken("scores", "rows equal to m* left out of its neighbourhood", caught_by=("A01",))
class EqualRowsOut(Reweighted):
    def around(self, patch: Any, row: int, bank: Any, count: int) -> Any:  # noqa: ARG002 - as in the model
        far = self.distances(bank[row : row + 1], bank)[0]
        order = np.argsort(far, kind="stable")
        return order[(far[order] > 0) | (order == row)][:count]


@broken("scores", "expanded in float32 without centring, claimed centred", caught_by=("A01",), arith="E1-centred")
class NotCentred(Reweighted):
    def distances(self, points: Any, bank: Any) -> Any:
        points, bank = points.astype(np.float32), bank.astype(np.float32)
        squares = np.square(points).sum(axis=1)[:, None] - 2 * points @ bank.T + np.square(bank).sum(axis=1)
        return np.sqrt(np.maximum(squares, 0))


@broken("scores", "a farther patch only counts where it is a thousandth farther", caught_by=("A01",))
class AThousandthFarther(Reweighted):
    def worst(self, nearest: Any) -> int:
        best = 0
        for place, distance in enumerate(nearest):
            if distance > 1.001 * nearest[best]:
                best = place
        return best
