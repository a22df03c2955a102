"""PatchCore with swappable parts as a model of anomalib: everything its Engine, command line and exporters ask for."""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003 - jsonargparse reads the constructor's types
from functools import partial
from pathlib import Path  # noqa: TC003 - the same
from typing import TYPE_CHECKING, Any

import torch
from anomalib import LearningType, PrecisionType
from anomalib.metrics import Evaluator  # noqa: TC002 - the same
from anomalib.models.components import AnomalibModule, MemoryBankMixin
from anomalib.pre_processing import PreProcessor
from anomalib.visualization import Visualizer  # noqa: TC002 - the same
from torch import nn
from torchvision.transforms.v2 import CenterCrop, Compose, Normalize, Resize  # type: ignore[import-untyped]

from patchcore_plugin.config import ImageSettings, load_settings
from patchcore_plugin.errors import ConfigError
from patchcore_plugin.hosts.anomalib_calibration import CalibratedPostProcessor
from patchcore_plugin.hosts.anomalib_network import PatchNetwork
from patchcore_plugin.hosts.anomalib_settings import plain, rule_of, settings_of

if TYPE_CHECKING:
    from anomalib.data import Batch
    from lightning.pytorch.utilities.types import STEP_OUTPUT


class PluginPatchcore(MemoryBankMixin, AnomalibModule):
    """PatchCore whose parts are chosen by name.

    The first six arguments are those of anomalib's ``Patchcore`` and mean the same; None leaves what the preset says.
    Everything is plain data, since anomalib keeps it in its checkpoints.

    backbone, layers        which network, and which of its layers, finest grid first.
    pre_trained             False, without ``weights``: random values, and nothing is fetched.
    coreset_sampling_ratio  the share of patches that is remembered.
    num_neighbors           b of Eq. 7; 1 takes the highest patch score as it is.
    precision               "float32", or "float16" for the network, where it can, and for the bank.
    preset                  "anomalib" computes what anomalib's ``Patchcore`` does; also "paper", "amazon", "default".
    extractor, aggregator, sampler, neighbors
                            a part's name, or a dict with its ``name`` and options, laid over the preset.
    scoring                 a dict of settings, such as ``{"sigma": 2}``.
    embedding               the same: ``{"whitening": 0.5}``.
    seed                    of whatever is drawn at random; anomalib's own model depends on the global seed instead.
    weights                 the path of a file, "package", "hub" or "random", as ``extractor.weights`` takes it.
    weights_sha256          what the file of weights must have, or its first 8 digits or more.
    calibration             how thresholds are found: "f1", "good", or a dict with one of these as ``name`` and
                            ``false_alarm_rate``, ``holdout``, ``seed``; see ``CalibratedPostProcessor``.

    Raises: ConfigError, UnknownOptionError, UnknownComponentError, MissingLibraryError, WeightsError: before anything
            is read but weights whose checksum is given.
    """

    model: PatchNetwork

    def __init__(
        self,
        backbone: str | None = None,
        layers: Sequence[str] | None = None,
        pre_trained: bool = True,
        coreset_sampling_ratio: float | None = None,
        num_neighbors: int | None = None,
        precision: str | PrecisionType = PrecisionType.FLOAT32,
        preset: str = "anomalib",
        extractor: str | dict[str, Any] | None = None,
        aggregator: str | dict[str, Any] | None = None,
        sampler: str | dict[str, Any] | None = None,
        neighbors: str | dict[str, Any] | None = None,
        scoring: dict[str, Any] | None = None,
        embedding: dict[str, Any] | None = None,
        seed: int | None = None,
        weights: str | Path | None = None,
        weights_sha256: str | None = None,
        calibration: str | dict[str, Any] = "f1",
        pre_processor: nn.Module | bool = True,
        post_processor: nn.Module | bool = True,
        evaluator: Evaluator | bool = True,
        visualizer: Visualizer | bool = True,
    ) -> None:
        # anomalib saves these very variables as they are when its own constructor runs.
        layers, weights, precision = plain(layers), plain(weights), plain(precision)
        scoring, embedding, calibration = plain(scoring), plain(embedding), plain(calibration)
        extractor, aggregator, sampler, neighbors = map(plain, (extractor, aggregator, sampler, neighbors))
        settings = settings_of(
            preset,
            parts={"extractor": extractor, "aggregator": aggregator, "sampler": sampler, "neighbors": neighbors},
            stock={
                "backbone": backbone, "layers": layers, "pre_trained": pre_trained, "precision": precision,
                "coreset_sampling_ratio": coreset_sampling_ratio, "num_neighbors": num_neighbors,
                "weights": weights, "weights_sha256": weights_sha256,
            },
            scoring=scoring, embedding=embedding, calibration=calibration, seed=seed,
        )  # fmt: skip
        super().__init__(
            pre_processor=_pre_processor(settings.images) if pre_processor is True else pre_processor,
            post_processor=CalibratedPostProcessor(rule_of(calibration), settings.calibration.false_alarm_rate)
            if post_processor is True
            else post_processor,
            evaluator=evaluator,
            visualizer=visualizer,
        )
        self.model = PatchNetwork(settings, weights_sha256)
        # Pipelines ask the model for a pre-processor of another size: mean and deviation are those of its preset.
        self.__dict__["configure_pre_processor"] = partial(type(self).configure_pre_processor, images=settings.images)

    @classmethod
    def configure_pre_processor(
        cls,
        image_size: tuple[int, int] | None = None,
        center_crop_size: tuple[int, int] | None = None,
        images: ImageSettings | None = None,
    ) -> PreProcessor:
        """Make what turns an image into pixels for the network; asked of the class, as the preset "anomalib" does it.

        Args:   image_size, center_crop_size: H x W to stretch to, and of the middle to keep.
        """
        images = images or load_settings(preset="anomalib").images
        if image_size is None and center_crop_size is None:
            return _pre_processor(images)
        size = {"size": tuple(image_size or images.size), "resize": "stretch", "crop": center_crop_size}
        return _pre_processor(load_settings({"images": {**images.model_dump(), **size}}).images)

    @staticmethod
    def configure_post_processor() -> CalibratedPostProcessor:
        """Make what finds thresholds, as it is without a ``calibration``."""
        return CalibratedPostProcessor()

    @staticmethod
    def configure_optimizers() -> None:
        """Nothing is trained."""

    @property
    def trainer_arguments(self) -> dict[str, Any]:
        """One pass over the images on one device; these go before what a user tells the Engine."""
        return {"gradient_clip_val": 0, "max_epochs": 1, "num_sanity_val_steps": 0, "devices": 1}

    @property
    def learning_type(self) -> LearningType:
        """Good images only."""
        return LearningType.ONE_CLASS

    def on_train_start(self) -> None:
        """Begin afresh: anomalib would leave a model that was fitted before as it is, and say nothing."""
        super().on_train_start()
        self.model.forget()
        self._is_fitted = torch.tensor([False], device=self.device)

    def training_step(self, batch: Batch[Any], *args: Any, **kwargs: Any) -> STEP_OUTPUT:
        """Keep the embeddings of a batch; the loss is a constant, which Lightning wants to see."""
        del args, kwargs
        self.model(batch.image)
        self.model.image_names.extend(getattr(batch, "image_path", None) or ())
        return torch.tensor(0.0, requires_grad=True, device=self.device)

    def validation_step(self, batch: Batch[Any], *args: Any, **kwargs: Any) -> STEP_OUTPUT:
        """Score a batch."""
        del args, kwargs
        scored: STEP_OUTPUT = batch.update(**self.model(batch.image)._asdict())
        return scored

    def fit(self) -> None:
        """Choose the memory bank from all training images: validation data will give thresholds."""
        self.model.remember(put_aside=False)

    def on_train_epoch_end(self) -> None:
        """Choose the memory bank if no validation did; then some training images, put aside, give thresholds."""
        if not self._is_fitted:
            judge = self.post_processor if isinstance(self.post_processor, CalibratedPostProcessor) else None
            good = self.model.remember(put_aside=judge is not None)
            if judge is not None and good is not None:
                judge.calibrate(good.image, good.peak)
            self._is_fitted = torch.tensor([True], device=self.device)
        super().on_train_epoch_end()

    def to_onnx(  # type: ignore[override] # as anomalib's own
        self,
        export_root: Path | str,
        model_file_name: str = "model",
        input_size: tuple[int, int] | None = None,
        **kwargs: Any,
    ) -> Path:
        """Export to ONNX, as anomalib does, with any number of images; OpenVINO files are made of that.

        Raises: ConfigError for parts that cannot be exported, naming those that can, and where nothing fixes the size
                of the images.
        """
        from patchcore_plugin.hosts.anomalib_traceable import TraceableScorer

        kwargs.setdefault("opset_version", 18)  # anomalib asks for 14, to which the exporter fails to convert
        self.model.traceable = TraceableScorer(self.model, self._seen(input_size))
        try:
            return super().to_onnx(export_root, model_file_name, input_size, **kwargs)
        finally:
            self.model.traceable = None

    def _seen(self, input_size: tuple[int, int] | None) -> tuple[int, int]:
        """H x W of what the network gets from images of a size."""
        if input_size is None and self.input_size is None:
            raise ConfigError(
                "the pre-processor leaves images as large as they are, so the network's input has no size. Name one: "
                "input_size=(256, 256)."
            )
        images = torch.zeros(1, 3, *(input_size or self.input_size or ()))
        seen = images if self.pre_processor is None else self.pre_processor.to("cpu")(images)
        return int(seen.shape[-2]), int(seen.shape[-1])


def _pre_processor(images: ImageSettings) -> PreProcessor:
    size = images.size if images.resize == "stretch" else images.size[:1]
    steps: list[nn.Module] = [Resize(list(size), antialias=True)]
    if images.crop is not None:
        steps.append(CenterCrop(list(images.crop)))
    return PreProcessor(transform=Compose([*steps, Normalize(mean=list(images.mean), std=list(images.std))]))
