"""PyOD's detectors: ``MemoryBankOD`` for rows of numbers, ``PatchCoreOD`` for images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pyod.models.base import BaseDetector
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from patchcore_plugin.detector import PatchCore
from patchcore_plugin.hosts.bank_scores import RowBank, row_parts
from patchcore_plugin.hosts.image_scores import in_array, leave_one_image_out, samples_of, settings_of
from patchcore_plugin.hosts.named_parts import require_share, seed_of

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import numpy.typing as npt

_HALF = 0.5
_FLOATS = (np.float64, np.float32)  # what is neither becomes the first; float32 is searched fastest


class _Detector(BaseDetector):  # type: ignore[misc]  # the host ships no types
    """What both share: how training scores become a threshold."""

    decision_scores_: npt.NDArray[np.float64]

    def _require_contamination(self) -> None:
        if isinstance(self.contamination, (int, float)):  # the host also takes objects of pythresh
            require_share(self.contamination, "contamination", _HALF)  # set_params goes past the host's own check

    def _take_training_scores(self, scores: npt.NDArray[np.float64]) -> None:
        self._set_n_classes(None)  # labels of one class would leave predict_proba without its second column
        self.decision_scores_ = scores
        self._process_decision_scores()


class MemoryBankOD(_Detector):
    """PatchCore's memory for rows of numbers: the distance to the nearest rows remembered is the score.

    ``decision_scores_`` compare each training row with the others only. By default all rows are remembered, as the
    host's own kNN does; ``sampler="pruned-greedy"`` keeps a tenth, or ``coreset_ratio``.

    Args:   as ``sklearn_estimator.MemoryBankDetector``; ``contamination``, ``n_neighbors`` and ``method`` are those of
            the host's ``KNN``.
    Raises: ValueError for a contamination outside (0, 0.5]; everything else at ``fit``: ConfigError,
            UnknownComponentError, UnknownOptionError, TooFewRowsError, which are ValueErrors too.
    """

    bank_: RowBank
    n_neighbors_: int

    def __init__(
        self,
        contamination: float = 0.1,
        n_neighbors: int = 5,
        method: str = "mean",
        *,
        sampler: str = "keep-all",
        sampler_options: Mapping[str, Any] | None = None,
        neighbors: str = "pruned-exact",
        neighbors_options: Mapping[str, Any] | None = None,
        coreset_ratio: float | None = None,
        random_state: Any = 0,
    ) -> None:
        super().__init__(contamination=contamination)
        self.n_neighbors = n_neighbors
        self.method = method
        self.sampler = sampler
        self.sampler_options = sampler_options
        self.neighbors = neighbors
        self.neighbors_options = neighbors_options
        self.coreset_ratio = coreset_ratio
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> MemoryBankOD:  # noqa: ARG002  # the host hands labels over
        """Remember rows (N, D); ``y`` is not looked at."""
        self._require_contamination()
        rows = np.asarray(check_array(X, dtype=_FLOATS, estimator=self, input_name="X"))
        parts = row_parts(self.get_params(deep=False), seed_of(self.random_state))
        bank = RowBank.of(rows, parts, k=self.n_neighbors, method=self.method, apart=True)
        scores = bank.scores_without_self(rows)
        validate_data(self, X, skip_check_array=True)  # notes the columns, so not before all else went well
        self.bank_, self.n_neighbors_ = bank, bank.k
        self._take_training_scores(scores)
        return self

    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the distances to the nearest rows remembered: float64 (Q,), higher is more abnormal."""
        check_is_fitted(self, "bank_")
        return self.bank_.scores(np.asarray(validate_data(self, X, dtype=_FLOATS, reset=False)))


class PatchCoreOD(_Detector):
    """PatchCore for images, with heat maps: X is a list of paths or arrays, a stack, or a folder.

    ``decision_scores_`` compare each training image with the patches of the others only.

    Args:   as ``sklearn_images.PatchCoreDetector``, without its ways to calibrate.
    Raises: ValueError for a contamination outside (0, 0.5]; everything else at ``fit``.
    """

    detector_: PatchCore

    def __init__(
        self,
        contamination: float = 0.1,
        *,
        preset: str = "default",
        settings: Mapping[str, Any] | str | os.PathLike[str] | None = None,
        image_size: int | tuple[int, int] | None = None,
        sampler: str | None = None,
        sampler_options: Mapping[str, Any] | None = None,
        neighbors: str | None = None,
        neighbors_options: Mapping[str, Any] | None = None,
        coreset_ratio: float | None = None,
        random_state: Any = 0,
    ) -> None:
        super().__init__(contamination=contamination)
        self.preset = preset
        self.settings = settings
        self.image_size = image_size
        self.sampler = sampler
        self.sampler_options = sampler_options
        self.neighbors = neighbors
        self.neighbors_options = neighbors_options
        self.coreset_ratio = coreset_ratio
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> PatchCoreOD:  # noqa: ARG002  # the host hands labels over
        """Remember images of good parts; ``y`` is not looked at.

        Cost: every image goes through the network twice.
        """
        self._require_contamination()
        settings = settings_of(self.get_params(deep=False), seed_of(self.random_state), {"holdout": 0.0})
        images = samples_of(X)
        detector = PatchCore(settings).fit(images)
        scores = leave_one_image_out(detector, images)
        self.detector_ = detector
        self._take_training_scores(scores)
        return self

    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the image scores: float64 (B,), higher is more abnormal."""
        check_is_fitted(self, "detector_")
        return self.detector_.score(samples_of(X)).image

    def anomaly_map(self, X: Any) -> tuple[npt.NDArray[np.float32], ...]:
        """Return one heat map an image, float32 (H, W) of its own size; higher is more anomalous."""
        check_is_fitted(self, "detector_")
        return self.detector_.score(samples_of(X)).maps

    def predict_proba(self, X: Any, method: str = "linear", return_confidence: bool = False) -> Any:
        """Return the probabilities of being normal and of being an outlier: (B, 2), with confidences (B,) if asked.

        The host's own method, which asks X for its shape: a list of paths has none.
        """
        return super().predict_proba(in_array(samples_of(X)), method=method, return_confidence=return_confidence)
