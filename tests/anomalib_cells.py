"""Solar cells as anomalib wants its data, a small model of ours, and what anomalib warns of whatever one does."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from PIL import Image
from solar_cells import cells

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # anomalib imports modules that it and timm have deprecated
    from anomalib.data import Folder
    from anomalib.engine import Engine
    from anomalib.models import Patchcore
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel

    from patchcore_plugin.hosts.anomalib_model import PluginPatchcore

__all__ = [
    "SIDE",
    "Engine",
    "Patchcore",
    "PatchcoreModel",
    "PluginPatchcore",
    "engine",
    "folder",
    "model",
    "picture_folder",
]

SIDE = 96
HOST_WARNINGS = (
    "ignore:`LightningModule.configure_optimizers` returned `None`",  # as anomalib's own: nothing is trained
    "ignore:`isinstance:FutureWarning",  # Lightning with a younger torch
    "ignore:.*LeafSpec",  # the same
    "ignore:'pin_memory' argument is set",  # anomalib sets it where there is no GPU too
    "ignore:The ``compute`` method of metric",  # anomalib asks for pixel metrics where there are no masks
    "ignore:The dirpath has changed",  # a checkpoint of one run, read by another
    "ignore:You defined a `validation_step` but have no",  # that is what is tested
    "ignore:The .*dataloader.* does not have many workers",  # tests load in their own process on purpose
)


def picture_folder(root, good=10, bad=4):
    """Lay photographs out as anomalib's ``Folder`` reads them: good/, bad/, and masks/ with made-up squares."""
    for name, paths in (("good", cells(0.0, good)), ("bad", cells(1.0, bad))):
        (root / name).mkdir(parents=True)
        for path in paths:
            (root / name / path.name).symlink_to(path)
    (root / "masks").mkdir()
    square = np.zeros((300, 300), np.uint8)
    square[100:200, 100:200] = 255
    for path in cells(1.0, bad):
        Image.fromarray(square).save(root / "masks" / path.name)
    return root


def folder(root, **options):
    """Make anomalib's data module of a picture folder; half of what is not trained on validates, half tests."""
    usual = {
        "normal_dir": "good",
        "abnormal_dir": "bad",
        "train_batch_size": 4,
        "eval_batch_size": 4,
        "num_workers": 0,
        "seed": 1,
    }
    return Folder("cells", root=root, **{**usual, **options})


def model(**options):
    """Make a small model: EfficientNet-Lite0 by timm with the weights of its package, 96 pixels, preset anomalib."""
    usual = {"backbone": "efficientnet_lite0", "layers": ["blocks.2", "blocks.4"], "weights": "package"}
    look = PluginPatchcore.configure_pre_processor((SIDE, SIDE))
    return PluginPatchcore(**{**usual, "pre_processor": look, "visualizer": False, **options})


def engine(root):
    """Make an Engine as a user would; a fresh one for each run, since it keeps its trainer."""
    return Engine(default_root_dir=root, accelerator="cpu", logger=False, enable_progress_bar=False)


def photographs(probability, count):
    """Photographs as anomalib reads them, before its pre-processor: float32 (B, 3, H, W) in [0, 1]."""
    pictures = [np.asarray(Image.open(path).convert("RGB"), np.float32) / 255 for path in cells(probability, count)]
    return torch.from_numpy(np.stack(pictures).transpose(0, 3, 1, 2).copy())
