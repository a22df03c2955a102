"""From raw scores of good images to p-values and a threshold, with nothing assumed about how scores are distributed.

Scores of good images that took no part in building the memory bank are the yardstick (split conformal prediction:
Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005). Raw scores are never changed by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import numpy as np
import numpy.typing as npt

from patchcore_plugin.errors import EmptyInputError
from patchcore_reference.checks import require_finite


@dataclass(frozen=True)
class Calibration:
    """Scores of held-out good images, sorted, and the rate of false alarms that was asked for."""

    good_scores: npt.NDArray[np.float64]
    false_alarm_rate: float = 0.05

    def __post_init__(self) -> None:
        scores = np.sort(np.asarray(self.good_scores, dtype=np.float64).ravel())
        if not len(scores):
            raise EmptyInputError("no held-out scores to calibrate with. Hold out at least one good image.")
        require_finite(scores, "held-out scores")
        scores.setflags(write=False)
        object.__setattr__(self, "good_scores", scores)

    def p_values(self, scores: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Say how unusual each score would be for a good image.

        Shapes: scores (B,) -> (B,) in [1 / (n + 1), 1], n held-out images.
        Order:  monotone: a higher score never has a higher p-value; beyond the highest held-out score all are equal.
        Law:    for a good image, exchangeable with the held-out ones, P(p <= a) <= a for every a.
        """
        at_least = len(self.good_scores) - np.searchsorted(self.good_scores, scores, side="left")
        return np.asarray((1.0 + at_least) / (len(self.good_scores) + 1.0))

    @property
    def _allowed(self) -> int:
        """How many held-out images may lie above the threshold for the rate that was asked for, plus one."""
        return floor(self.false_alarm_rate * (len(self.good_scores) + 1) + 1e-9)

    @property
    def threshold(self) -> float:
        """The raw score above which an image is labelled defective.

        The lowest one that keeps the false alarms within the rate asked for; where too few images were held out to
        promise that rate, the highest held-out score, with the weaker promise that ``promised_rate`` states.
        """
        return float(self.good_scores[-max(1, self._allowed)])

    @property
    def promised_rate(self) -> float:
        """The share of good images that is labelled defective at most, in the mean over draws of the held-out ones."""
        return max(1, self._allowed) / (len(self.good_scores) + 1)

    def in_words(self) -> str:
        """Say what the threshold is worth, in one sentence."""
        images, percent = len(self.good_scores), 100 * self.promised_rate
        sentence = (
            f"Threshold {self.threshold:.4g} from {images} held-out good images: "
            f"at most {percent:.1f} % of good parts raise a false alarm on average"
        )
        if self.promised_rate <= self.false_alarm_rate:
            return f"{sentence}."
        needed = ceil(1 / self.false_alarm_rate) - 1
        return f"{sentence}; {needed} held-out images would allow {self.false_alarm_rate:.1%}."
