"""Thresholds for anomalib that are there whatever the validation data hold, and what they make of scores.

anomalib finds its thresholds on validation data that contain anomalies. Without any data they are not a number, and raw
distances are then compared with 0.5; with good images alone they are the highest good score, and everything beyond is
cut off at 1. Here good images give the threshold of ``patchcore_plugin.calibration`` where anomalies are missing, or
where that is asked for.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import torch
from anomalib.post_processing import PostProcessor

from patchcore_plugin.calibration import Calibration
from patchcore_plugin.errors import ConfigError

if TYPE_CHECKING:
    from anomalib.data import Batch
    from lightning.pytorch import LightningModule, Trainer

logger = logging.getLogger(__name__)
RULES = ("f1", "good")
_ABOVE = 1 + 1e-6  # float32 has to tell the threshold from the good score that it lies above


class CalibratedPostProcessor(PostProcessor):
    """anomalib's post-processor with thresholds of good images.

    rule              "f1": as anomalib, the threshold with the best F1 on validation data, where these hold anomalies;
                      of good images otherwise. "good": of good images in any case.
    false_alarm_rate  the share of good images that may lie above the threshold; for masks, the share of good images
                      on which any pixel may.

    A score that lies on the threshold counts as anomalous: "f1" chooses the score of an anomaly, which anomalib then
    overlooks. Under thresholds of good images a score s becomes s / (s + threshold): 0.5 on the threshold, strictly
    rising, never cut off.
    """

    _image_from_good: torch.Tensor
    _pixel_from_good: torch.Tensor

    def __init__(self, rule: str = "f1", false_alarm_rate: float = 0.05, **anomalib: Any) -> None:
        super().__init__(**anomalib)
        if rule not in RULES:
            raise ConfigError(f"rule is {rule!r}, but one of {', '.join(map(repr, RULES))} is needed.")
        self.rule, self.false_alarm_rate = rule, false_alarm_rate
        self.register_buffer("_image_from_good", torch.tensor(data=False))
        self.register_buffer("_pixel_from_good", torch.tensor(data=False))
        self._begin()

    @property
    def _checkpoint_config_keys(self) -> tuple[str, ...]:
        return (*super()._checkpoint_config_keys, "rule", "false_alarm_rate")

    def _begin(self) -> None:
        self._good_scores: list[torch.Tensor] = []
        self._good_peaks: list[torch.Tensor] = []
        self._anomalies = self._anomalous_pixels = False

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget what an earlier run left, one that was broken off perhaps."""
        super().on_validation_epoch_start(trainer, pl_module)
        self._begin()

    def on_validation_batch_end(  # type: ignore[override] # as anomalib's own, whose batches are what Lightning hands on
        self, trainer: Trainer, pl_module: LightningModule, outputs: Batch[Any], *args: Any, **kwargs: Any
    ) -> None:
        """Note raw scores of good images, and whether there are any others. Images without a label count as good."""
        super().on_validation_batch_end(trainer, pl_module, outputs, *args, **kwargs)
        scores, maps = outputs.pred_score, outputs.anomaly_map
        scored = maps if scores is None else scores
        if scored is None:
            return
        bad = torch.zeros(len(scored), dtype=torch.bool) if outputs.gt_label is None else outputs.gt_label.bool()
        self._anomalies |= bool(bad.any())
        self._anomalous_pixels |= outputs.gt_mask is not None and bool(outputs.gt_mask.any())
        if scores is not None:
            self._good_scores.append(scores[~bad.to(scores.device)])
        if maps is not None:
            self._good_peaks.append(maps.flatten(1).amax(dim=1)[~bad.to(maps.device)])

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find the thresholds: anomalib's where there are anomalies to find them with, else those of good images."""
        if not self._anomalies:  # the metrics would choose the highest good score, and complain
            self._image_threshold_metric.reset()
        if not self._anomalous_pixels:
            self._pixel_threshold_metric.reset()
        super().on_validation_epoch_end(trainer, pl_module)
        by_f1 = self.rule == "f1"
        self._of_good(
            None if by_f1 and self._anomalies else self._good_scores,
            None if by_f1 and self._anomalous_pixels else self._good_peaks,
        )
        self._begin()

    def calibrate(self, scores: torch.Tensor, peaks: torch.Tensor) -> None:
        """Set the thresholds by good images that came from elsewhere: raw scores (n,), highest map values (n,)."""
        if self.enable_normalization:
            for low, high, values in (
                (self.image_min, self.image_max, scores),
                (self.pixel_min, self.pixel_max, peaks),
            ):
                low.copy_(values.min())
                high.copy_(values.max())
        self._of_good([scores], [peaks])

    def _of_good(self, scores: list[torch.Tensor] | None, peaks: list[torch.Tensor] | None) -> None:
        if not self.enable_thresholding:
            return
        for name, threshold, flag, values in (
            ("image", self._image_threshold, self._image_from_good, scores),
            ("pixel", self._pixel_threshold, self._pixel_from_good, peaks),
        ):
            found = torch.cat(values or [threshold.new_empty(0)]).double().cpu().numpy()
            flag.fill_(len(found) > 0)
            if len(found):
                calibration = Calibration(found, self.false_alarm_rate)
                threshold.fill_(max(calibration.threshold * _ABOVE, torch.finfo(torch.float32).tiny))
                logger.info("The %s threshold comes from good images. %s", name, calibration.in_words())
            elif values is not None:
                logger.warning(
                    "No good image to find the %s threshold with: it is what anomalib makes of the rest.", name
                )

    def _normalize(  # type: ignore[override] # a method here: it has to know which threshold it is given
        self,
        preds: torch.Tensor | None,
        norm_min: torch.Tensor,
        norm_max: torch.Tensor,
        threshold: torch.Tensor,
    ) -> torch.Tensor | None:
        """Bring raw scores to [0, 1], with the threshold at 0.5."""
        theirs = PostProcessor._normalize(preds, norm_min, norm_max, threshold)
        if preds is None or theirs is None:
            return None
        from_good = self._image_from_good if norm_min is self.image_min else self._pixel_from_good
        return torch.where(from_good, preds / (preds + threshold), theirs)

    @staticmethod
    def _apply_threshold(preds: torch.Tensor | None, threshold: torch.Tensor) -> torch.Tensor | None:
        """Label what reaches the threshold."""
        return None if preds is None else preds >= threshold
