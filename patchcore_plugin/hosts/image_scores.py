"""Images as a host's samples, and a detector made from a host's parameters."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_plugin.config import ImageSettings, Settings, load_settings
from patchcore_plugin.config_files import read_config
from patchcore_plugin.errors import ConfigError, ShapeError
from patchcore_plugin.fitting import BATCH
from patchcore_plugin.hosts.named_parts import sampler_options
from patchcore_plugin.hosts.other_rows import OtherRows
from patchcore_plugin.images import iterate

if TYPE_CHECKING:
    import numpy.typing as npt

    from patchcore_plugin.detector import PatchCore

_ONE_COLUMN = 2  # axes of what a table with one column hands over


def samples_of(X: Any) -> list[Any]:
    """Split what a host calls X into images, one a sample, none of them read yet.

    X is a sequence of paths, arrays and Pillow images, an array or a column of paths, a stack (B, H, W) or
    (B, H, W, 1 or 3), or a folder.

    Raises: ShapeError where the number of images would not be the number of samples, as for one image alone; what
            ``images.iterate`` raises for no image at all.
    """
    source = X.to_numpy() if hasattr(X, "iloc") else X
    if isinstance(source, np.ndarray) and source.dtype.kind in "OUST":
        source = list(source.ravel() if source.ndim == _ONE_COLUMN else source)
    items = list(iterate(source, ImageSettings(), batch_size=BATCH).items)
    if isinstance(X, (str, os.PathLike)) or not hasattr(X, "__len__") or len(items) == len(X):
        return items
    raise ShapeError(
        f"X has {len(X)} samples but holds {len(items)} image(s). Give one image a sample: a list of paths or arrays, "
        "or a stack whose first axis counts images (for one image: X[None]); a folder only on its own."
    )


def in_array(items: list[Any]) -> npt.NDArray[np.object_]:
    """Put images into an array of objects, for hosts that ask for ``X.shape[0]``."""
    boxes = np.empty(len(items), dtype=object)
    for number, item in enumerate(items):
        boxes[number] = item
    return boxes


def settings_of(asked: Mapping[str, Any], seed: int, calibration: Mapping[str, Any]) -> Settings:
    """Make settings of an estimator's parameters: the preset, over it ``settings``, over both the other parameters.

    Raises: as ``load_settings``; ConfigError where ``coreset_ratio`` does not go with the sampler, or ``settings`` with
            what the estimator decides by itself.
    """
    given = asked["settings"] or {}
    layer = dict(given if isinstance(given, Mapping) else read_config(Path(given)))
    below = load_settings(layer, preset=asked["preset"])
    if taken := sorted(set(calibration) & set(layer.get("calibration") or {})):
        raise ConfigError(
            f"settings has calibration.{taken[0]}, but this estimator decides it by its own parameters. Take it out."
        )
    for section, ours in _sections(asked, calibration).items():
        layer[section] = {**(layer.get(section) or {}), **ours}
    name = asked["sampler"] or below.sampler.name
    options = {option: value for option, value in layer["sampler"].items() if option != "name"}
    layer["sampler"] = {"name": name, **sampler_options(name, options, asked["coreset_ratio"], seed)}
    layer["calibration"].setdefault("seed", seed)
    return load_settings(layer, preset=asked["preset"])


def _sections(asked: Mapping[str, Any], calibration: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    search = {} if asked["neighbors"] is None else {"name": asked["neighbors"]}
    return {
        "images": {} if asked["image_size"] is None else {"size": asked["image_size"]},
        "sampler": dict(asked["sampler_options"] or {}),
        "neighbors": {**search, **(asked["neighbors_options"] or {})},
        "calibration": dict(calibration),
    }


def leave_one_image_out(detector: PatchCore, images: list[Any]) -> npt.NDArray[np.float64]:
    """Score the images that a detector was fitted on, each against the bank rows of the others.

    Shapes: all images fitted, in their order, none held out -> (B,).
    Raises: TooFewRowsError where no row of another image is left, as for a single image.
    Cost:   as fitting's first half: every image goes through the network once more.
    """
    scorer, bank = detector.scorer, detector.bank
    scores: list[float] = []
    for batch in iterate(images, detector.settings.images, batch_size=BATCH):
        patches = detector.parts.embed(batch.pixels)
        for i, number in enumerate(batch.indexes.tolist()):
            others = replace(scorer, index=OtherRows(scorer.index, bank.origins[:, 0] == number))
            scores.extend(others.score(patches[i : i + 1], batch.names[i : i + 1], batch.sizes[i : i + 1]).image)
    return np.array(scores, dtype=np.float64)
