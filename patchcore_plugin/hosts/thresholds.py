"""From scores of good rows or images to the score above which a host calls something an outlier."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from patchcore_plugin.calibration import Calibration
from patchcore_plugin.errors import ConfigError
from patchcore_plugin.spelling import did_you_mean, listed

if TYPE_CHECKING:
    import numpy.typing as npt

CALIBRATIONS = ("train", "loo", "holdout")


def require_calibration(calibration: object) -> None:
    """Refuse a way to calibrate that does not exist."""
    if calibration not in CALIBRATIONS:
        raise ConfigError(
            f"calibration is {calibration!r}, but one of {listed(CALIBRATIONS)} is needed."
            f"{did_you_mean(calibration, CALIBRATIONS)}"
        )


def threshold_of(scores: npt.NDArray[np.float64], contamination: float, calibration: str) -> float:
    """Return the raw score above which something is an outlier.

    Of the data that was fitted the share ``contamination`` lies above. Scores held out are known to be good: there it
    is the share of good data that may be flagged, which ``Calibration`` keeps on average.
    """
    if calibration == "holdout":
        return Calibration(scores, contamination).threshold
    return float(np.percentile(scores, 100 * (1 - contamination)))
