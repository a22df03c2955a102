"""How well raw scores separate bad from good, by the usual figures; equal scores are one step, never an order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.errors import EmptyInputError, InputError, ShapeError
from patchcore_reference.checks import require_finite, require_real

if TYPE_CHECKING:
    from collections.abc import Iterable

Floats = npt.NDArray[np.float64]

_KEY_BITS = 22  # of the 32 of a float: sign, exponent and 13 bits of the fraction, so bins are 0.012 % wide


def image_auroc(labels: Any, scores: Any) -> float:
    """Area under the ROC curve: how often a bad image scores above a good one, equal scores counting half.

    Shapes: labels (B,) bool or 0 and 1, true for bad; scores (B,), raw, higher is worse -> 0..1, 0.5 by chance.
    Raises: InputError when there are only good or only bad images; NonFiniteError, ShapeError, EmptyInputError.
    """
    fpr, tpr, _ = roc_curve(labels, scores)
    return float(np.sum(np.diff(fpr) * (tpr[1:] + tpr[:-1])) / 2)


def roc_curve(labels: Any, scores: Any) -> tuple[Floats, Floats, Floats]:
    """Give the share of good images that raise an alarm and of bad images found, for every useful threshold.

    Shapes: labels, scores (B,) -> false alarm rate, rate found, thresholds, each (T + 1,), T different scores.
    Units:  an image raises an alarm when score >= threshold.
    Order:  thresholds from infinity (no alarm) down to the lowest score (all alarm), so both rates rise.
    Raises: as ``image_auroc``.
    """
    thresholds, found, alarms = _counts(labels, scores)
    fpr, tpr = alarms / alarms[-1], found / found[-1]
    return np.r_[0.0, fpr], np.r_[0.0, tpr], np.r_[np.inf, thresholds]


def average_precision(labels: Any, scores: Any) -> float:
    """Mean of the precision at each threshold, weighted by the rise in recall (no interpolation).

    Shapes: labels, scores (B,) -> 0..1; by chance the share of bad images.
    Raises: as ``image_auroc``.
    """
    _, found, alarms = _counts(labels, scores)
    return float(np.sum(np.diff(found / found[-1], prepend=0.0) * found / (found + alarms)))


def best_f1(labels: Any, scores: Any) -> tuple[float, float]:
    """Find the threshold with the highest F1, the harmonic mean of precision and recall.

    It is chosen with the labels in sight, so it flatters: a bound on what a threshold can do, not a promise.

    Shapes: labels, scores (B,) -> F1 in 0..1, threshold.
    Units:  the threshold is one of the scores; an image raises an alarm when score >= threshold.
    Order:  of equally good thresholds the highest, which raises the fewest alarms.
    Raises: as ``image_auroc``.
    """
    thresholds, found, alarms = _counts(labels, scores)
    f1 = 2 * found / (found + alarms + found[-1])
    best = int(np.argmax(f1))
    return float(f1[best]), float(thresholds[best])


def pixel_auroc(masks: Iterable[Any], maps: Iterable[Any]) -> float:
    """Area under the ROC curve over all pixels of all images, in one pass and bounded memory.

    Pixels are counted in bins as wide as 0.012 % of the score; pixels of one bin count as equal. Pixels that are NaN in
    a map were never seen by the network and take no part.

    Shapes: masks bool or 0 and 1 (H, W), true for defect; maps float (H, W), one each per image; sizes may differ.
    Raises: ShapeError when a mask and its map differ in size or number; InputError for only good or only bad pixels.
    Cost:   under 250 MB and a sort of one image at a time, however many images there are.
    """
    bad, good = (np.zeros(1 << _KEY_BITS, dtype=np.int64) for _ in range(2))
    for number, (mask, heat) in enumerate(_pairs(masks, maps)):
        labels, values = _checked_labels(mask, f"mask {number}"), as_numpy(heat, f"map {number}")
        if labels.shape != values.shape:
            raise ShapeError(
                f"mask {number} has shape {labels.shape} but its map {values.shape}. "
                "Resize the mask, nearest neighbour."
            )
        keys, seen = _bins(values), ~np.isnan(values)
        for counts, chosen in ((bad, labels & seen), (good, ~labels & seen)):
            which, how_many = np.unique(keys[chosen], return_counts=True)
            counts[which] += how_many
    _require_both(int(bad.sum()), int(good.sum()), "pixels")
    below = np.cumsum(good) - good
    return float(np.sum(bad * (below + good / 2.0)) / (float(bad.sum()) * float(good.sum())))


def _pairs(masks: Iterable[Any], maps: Iterable[Any]) -> Iterable[tuple[Any, Any]]:
    try:
        yield from zip(masks, maps, strict=True)
    except ValueError as problem:
        if "zip()" not in str(problem):
            raise
        raise ShapeError("there are more masks than maps or the other way round. Give one mask for each map.") from None


def _bins(values: npt.NDArray[Any]) -> npt.NDArray[np.uint32]:
    """Number floats so that order is kept: the bits of a float rise with it, once those of negatives are flipped."""
    floats = np.ascontiguousarray(values, dtype=np.float32) + np.float32(0)  # -0.0 becomes 0.0
    bits = floats.view(np.uint32)
    rising = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    return np.asarray(rising >> np.uint32(32 - _KEY_BITS))


def _counts(labels: Any, scores: Any) -> tuple[Floats, Floats, Floats]:
    """Give each different score, from high to low, with the bad and the good images that score at least that much."""
    bad, values = _checked_labels(labels, "labels").ravel(), as_numpy(scores, "scores")
    if values.shape != (len(bad),):
        raise ShapeError(
            f"there are {len(bad)} labels but scores of shape {values.shape}. Give one score for each label."
        )
    require_real(values, "scores")
    require_finite(values, "scores")
    _require_both(int(bad.sum()), int((~bad).sum()), "images")
    order = np.argsort(-values.astype(np.float64), kind="stable")
    ordered, bad = values[order].astype(np.float64), bad[order]
    last_of_each = np.r_[np.flatnonzero(np.diff(ordered)), len(ordered) - 1]
    found = np.cumsum(bad, dtype=np.float64)[last_of_each]
    return ordered[last_of_each], found, last_of_each + 1.0 - found


def _checked_labels(labels: Any, name: str) -> npt.NDArray[np.bool_]:
    array = as_numpy(labels, name)
    if array.size == 0:
        raise EmptyInputError(f"{name}: there are none. Give at least one good and one bad.")
    if array.dtype != np.bool_ and (array.dtype.kind not in "iuf" or not np.isin(array, (0, 1)).all()):
        raise InputError(
            f"{name} must be true or 1 for bad and false or 0 for good, but other values came. Convert them."
        )
    return array.astype(np.bool_)


def _require_both(bad: int, good: int, what: str) -> None:
    if not bad or not good:
        raise InputError(
            f"{bad} bad and {good} good {what} came, but this figure compares the two and needs at least one of each. "
            f"Add {what} of the missing kind, or look at the scores alone."
        )
