"""How well raw scores separate bad from good, by the usual figures; equal scores are one step, never an order.

The figures of images stand here, those of pixels in ``pixel_figures``, how far to trust them in ``intervals``; all can
be imported from here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from patchcore_plugin.areas import Floats, precision_area, roc_area
from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.errors import ShapeError
from patchcore_plugin.intervals import bootstrap_interval
from patchcore_plugin.label_checks import checked_labels, require_both
from patchcore_plugin.pixel_figures import PixelFigures, aupro, pixel_auroc, pixel_average_precision
from patchcore_reference.checks import require_finite, require_real

__all__ = [
    "PixelFigures",
    "aupro",
    "average_precision",
    "best_f1",
    "bootstrap_interval",
    "image_auroc",
    "pixel_auroc",
    "pixel_average_precision",
    "roc_curve",
]


def image_auroc(labels: Any, scores: Any) -> float:
    """Area under the ROC curve: how often a bad image scores above a good one, equal scores counting half.

    Shapes: labels (B,) bool or 0 and 1, true for bad; scores (B,), raw, higher is worse -> 0..1, 0.5 by chance.
    Raises: InputError when there are only good or only bad images; NonFiniteError, ShapeError, EmptyInputError.
    """
    _, found, alarms = _counts(labels, scores)
    return roc_area(found, alarms)


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
    return precision_area(found, alarms)


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


def _counts(labels: Any, scores: Any) -> tuple[Floats, Floats, Floats]:
    """Give each different score, from high to low, with the bad and the good images that score at least that much."""
    bad, values = checked_labels(labels, "labels").ravel(), as_numpy(scores, "scores")
    if values.shape != (len(bad),):
        raise ShapeError(
            f"there are {len(bad)} labels but scores of shape {values.shape}. Give one score for each label."
        )
    require_real(values, "scores")
    require_finite(values, "scores")
    require_both(int(bad.sum()), int((~bad).sum()), "images")
    order = np.argsort(-values.astype(np.float64), kind="stable")
    ordered, bad = values[order].astype(np.float64), bad[order]
    last_of_each = np.r_[np.flatnonzero(np.diff(ordered)), len(ordered) - 1]
    found = np.cumsum(bad, dtype=np.float64)[last_of_each]
    return ordered[last_of_each], found, last_of_each + 1.0 - found
