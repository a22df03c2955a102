"""Areas under the curves that a falling threshold draws: the arithmetic of the figures, for images and pixels alike.

Everywhere here ``found`` and ``alarms`` (T,) count the bad and the good that score at least as much as each of T
thresholds, from the highest down, so both rise and end with the number of all. Equal scores share one threshold.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def roc_area(found: Floats, alarms: Floats) -> float:
    """Give the share of pairs of one bad and one good in which the bad one scores more; equal scores count half."""
    new_alarms, before = np.diff(alarms, prepend=0.0), np.r_[0.0, found[:-1]]
    return float(np.sum(new_alarms * (before + found)) / (2 * found[-1] * alarms[-1]))


def precision_area(found: Floats, alarms: Floats) -> float:
    """Give the mean of the precision at each threshold, weighted by the rise in recall (no interpolation)."""
    return float(np.sum(np.diff(found, prepend=0.0) * found / (found + alarms)) / found[-1])


def overlap_area(overlap: Floats, alarms: Floats, limit: float) -> float:
    """Give the mean height of the curve of overlap over false alarm rate, from no false alarm to ``limit``.

    Between two thresholds the curve is a straight line, so that it has a height at the limit itself too.

    Shapes: overlap (T,), in 0..1, at the thresholds of ``alarms``.
    Units:  limit is a share of the good, above 0 and up to 1.
    """
    rate, height = np.r_[0.0, alarms / alarms[-1]], np.r_[0.0, overlap]
    inside = rate <= limit
    x, y = np.r_[rate[inside], limit], np.r_[height[inside], np.interp(limit, rate, height)]
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1])) / (2 * limit))
