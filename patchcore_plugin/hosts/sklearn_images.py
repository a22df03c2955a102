"""scikit-learn's outlier detector for images, with heat maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.utils.validation import check_is_fitted

from patchcore_plugin.detector import PatchCore
from patchcore_plugin.errors import TooFewRowsError
from patchcore_plugin.hosts.image_scores import leave_one_image_out, samples_of, settings_of
from patchcore_plugin.hosts.named_parts import seed_of
from patchcore_plugin.hosts.sklearn_estimator import Detector
from patchcore_plugin.hosts.thresholds import threshold_of

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt


class PatchCoreDetector(Detector):
    """PatchCore as an outlier detector whose samples are images: paths, arrays, a stack, or a folder.

    Args:
        preset, settings: a preset's name; a dict of sections, or a file of them, laid over it (docs/settings.md).
        image_size:       what images are resized to, one number or (height, width); None: as the preset has it.
        sampler, sampler_options, neighbors, neighbors_options, coreset_ratio: parts by name, as in
                          ``MemoryBankDetector``; None: as the preset has them.
        contamination:    share of images above the threshold, above 0 and at most 0.5.
        calibration:      whose scores that share is taken of: "loo" (each image fitted, against the patches of the
                          others), "train" (against all, its own ones among them: far too low for new images) or
                          "holdout" (good images put aside; the share is then that of false alarms).
        holdout:          share of images put aside for that.
        random_state:     an int, a RandomState, or None for another choice each time.

    Raises: everything at ``fit``, nothing in the constructor, as the host asks.
    """

    detector_: PatchCore

    def __init__(
        self,
        *,
        preset: str = "default",
        settings: Mapping[str, Any] | str | os.PathLike[str] | None = None,
        image_size: int | tuple[int, int] | None = None,
        sampler: str | None = None,
        sampler_options: Mapping[str, Any] | None = None,
        neighbors: str | None = None,
        neighbors_options: Mapping[str, Any] | None = None,
        coreset_ratio: float | None = None,
        contamination: float = 0.1,
        calibration: str = "loo",
        holdout: float = 0.2,
        random_state: Any = 0,
    ) -> None:
        self.preset = preset
        self.settings = settings
        self.image_size = image_size
        self.sampler = sampler
        self.sampler_options = sampler_options
        self.neighbors = neighbors
        self.neighbors_options = neighbors_options
        self.coreset_ratio = coreset_ratio
        self.contamination = contamination
        self.calibration = calibration
        self.holdout = holdout
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> PatchCoreDetector:  # noqa: ARG002  # the host hands labels over
        """Remember images of good parts; ``y`` is not looked at.

        Cost: ``calibration="loo"`` and ``"train"`` send every image through the network twice.
        """
        self._require_calibration()
        share = self.holdout if self.calibration == "holdout" else 0.0
        calibration = {"holdout": share, "false_alarm_rate": self.contamination}
        settings = settings_of(self.get_params(deep=False), seed_of(self.random_state), calibration)
        images = samples_of(X)
        detector = PatchCore(settings).fit(images)
        offset = -threshold_of(self._scores(detector, images), self.contamination, self.calibration)
        self.detector_, self.offset_ = detector, offset
        return self

    def score_samples(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the image scores, negated: float64 (B,)."""
        check_is_fitted(self)
        return -self.detector_.score(samples_of(X)).image

    def anomaly_map(self, X: Any) -> tuple[npt.NDArray[np.float32], ...]:
        """Return one heat map an image, float32 (H, W) of its own size; higher is more anomalous."""
        check_is_fitted(self)
        return self.detector_.score(samples_of(X)).maps

    def _scores(self, detector: PatchCore, images: list[Any]) -> npt.NDArray[np.float64]:
        if self.calibration == "loo":
            return leave_one_image_out(detector, images)
        if self.calibration == "train":
            return detector.score(images).image
        held_out = detector.bank.held_out_scores
        if not len(held_out):
            raise TooFewRowsError(
                f"holdout is {self.holdout}, which leaves no image to calibrate with (n_samples = {len(images)}). "
                'Fit on more images, raise it, or use calibration="loo".'
            )
        return held_out

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False  # so the host's checks, which fit tables of numbers, leave it alone
        tags.no_validation = True
        return tags
