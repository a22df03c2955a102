"""scikit-learn's outlier detectors: what both share, and the one for rows of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from patchcore_plugin.config import CalibrationSettings
from patchcore_plugin.errors import TooFewRowsError
from patchcore_plugin.fit_sizes import numbers_held_out
from patchcore_plugin.hosts.bank_scores import RowBank, row_parts
from patchcore_plugin.hosts.named_parts import require_share, seed_of
from patchcore_plugin.hosts.thresholds import require_calibration, threshold_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

_HALF = 0.5  # a larger share of outliers would be the rule, not the exception
_FLOATS = (np.float64, np.float32)  # what is neither becomes the first; float32 is searched fastest


class Detector(OutlierMixin, BaseEstimator):  # type: ignore[misc]  # the host ships no types
    """The host's signs: ``score_samples`` is higher for what is more normal, ``predict`` says 1, or -1 for outliers."""

    contamination: float
    calibration: str
    holdout: float
    offset_: float

    def score_samples(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the distances to what is remembered, negated: float64 (Q,)."""
        raise NotImplementedError

    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:
        """Return ``score_samples(X) - offset_``: float64 (Q,), below 0 for outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> npt.NDArray[np.int64]:
        """Return 1 for what looks normal and -1 for outliers: int64 (Q,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def _require_calibration(self) -> None:
        require_calibration(self.calibration)
        require_share(self.contamination, "contamination", _HALF)
        if self.calibration == "holdout":
            require_share(self.holdout, "holdout", 1 - np.finfo(float).eps)


class MemoryBankDetector(Detector):
    """PatchCore's memory for rows of numbers: a coreset of them, and the distance to its nearest rows as a score.

    Args:
        sampler, sampler_options:     the part that chooses rows, by name, and its own options.
        neighbors, neighbors_options: the search, by name, and its own options.
        coreset_ratio: share of rows kept; None: a tenth where the sampler keeps a share and its options say nothing.
        n_neighbors:   a row scores by its distances to that many nearest rows of the bank (all, if it has fewer).
        method:        "mean", "largest" or "median" of these.
        contamination: share of outliers, above 0 and at most 0.5: where ``offset_`` lies.
        calibration:   whose scores that share is taken of: "train" (the rows fitted, those in the bank included),
                       "loo" (the same, each compared with other rows only) or "holdout" (good rows that are put aside).
        holdout:       share of rows put aside for that.
        random_state:  an int, a RandomState, or None for another choice each time.

    Raises: everything at ``fit``, nothing in the constructor, as the host asks: ConfigError, UnknownComponentError and
            UnknownOptionError for parameters, TooFewRowsError; all are ValueErrors.
    """

    bank_: RowBank
    n_neighbors_: int

    def __init__(
        self,
        *,
        sampler: str = "pruned-greedy",
        sampler_options: Mapping[str, Any] | None = None,
        neighbors: str = "pruned-exact",
        neighbors_options: Mapping[str, Any] | None = None,
        coreset_ratio: float | None = None,
        n_neighbors: int = 5,
        method: str = "mean",
        contamination: float = 0.1,
        calibration: str = "train",
        holdout: float = 0.2,
        random_state: Any = 0,
    ) -> None:
        self.sampler = sampler
        self.sampler_options = sampler_options
        self.neighbors = neighbors
        self.neighbors_options = neighbors_options
        self.coreset_ratio = coreset_ratio
        self.n_neighbors = n_neighbors
        self.method = method
        self.contamination = contamination
        self.calibration = calibration
        self.holdout = holdout
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> MemoryBankDetector:  # noqa: ARG002  # the host hands labels over
        """Remember rows (N, D); ``y`` is not looked at."""
        rows = check_array(X, dtype=_FLOATS, estimator=self, input_name="X")
        self._require_calibration()
        bank, scores = self._learn(np.asarray(rows))
        validate_data(self, X, skip_check_array=True)  # notes the columns, so not before all else went well
        self.bank_, self.n_neighbors_ = bank, bank.k
        self.offset_ = -threshold_of(scores, self.contamination, self.calibration)
        return self

    def score_samples(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the distances to the nearest rows remembered, negated: float64 (Q,)."""
        check_is_fitted(self)
        return -self.bank_.scores(np.asarray(validate_data(self, X, dtype=_FLOATS, reset=False)))

    def _learn(self, rows: npt.NDArray[Any]) -> tuple[RowBank, npt.NDArray[np.float64]]:
        """Fill a bank, and score the rows that are to calibrate it."""
        seed = seed_of(self.random_state)
        aside = self._aside(len(rows), seed)
        kept = np.delete(rows, aside, axis=0) if len(aside) else rows
        parts = row_parts(self.get_params(deep=False), seed)
        apart = self.calibration == "loo"
        bank = RowBank.of(kept, parts, k=self.n_neighbors, method=self.method, apart=apart)
        if apart:
            return bank, bank.scores_without_self(rows)
        return bank, bank.scores(rows[aside] if len(aside) else rows)

    def _aside(self, total: int, seed: int) -> npt.NDArray[np.int64]:
        if self.calibration != "holdout":
            return np.empty(0, dtype=np.int64)
        aside = numbers_held_out(total, CalibrationSettings(holdout=self.holdout, seed=seed))
        if not len(aside):
            raise TooFewRowsError(
                f"holdout is {self.holdout}, which leaves no row to calibrate with (n_samples = {total}). "
                'Fit on more rows, raise it, or use calibration="loo".'
            )
        return aside
