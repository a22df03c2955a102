"""Embeddings of real photographs for benchmarks: three networks joined, 1,312 values a patch.

EfficientNet-Lite 0, 1 and 2, blocks 2 to 5 of each, images of 224 x 224 pixels, means of 3 x 3 cells, all on the
28 x 28 grid; computed once, then read from a temporary file. By default the photographs are the solar cells of
elpv-dataset, which anybody can install; ``--images FOLDER`` takes any others, ``--images 'FOLDER/*.jpg'`` only some.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from patchcore_plugin.aggregators.local_mean import LocalMean
from patchcore_plugin.extractors.numba_cnn import NumbaCnn
from patchcore_plugin.images import find_images, iterate

if TYPE_CHECKING:
    import argparse

IMAGE_COUNT = 209  # 209 x 784 patches: N = 163,856
NETWORKS = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
LAYERS = ("blocks.2", "blocks.3", "blocks.4", "blocks.5")


@dataclass(frozen=True)
class Preparing:
    """Plain resizing and the normalisation these networks were trained with."""

    size: tuple[int, int] = (224, 224)
    resize: str = "stretch"
    crop: None = None
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    white_level: None = None


def features_of(arguments, count=IMAGE_COUNT, networks=NETWORKS, layers=LAYERS):
    """Embeddings (N, D) of the photographs that a benchmark's command line asks for."""
    return joined_features(chosen_images(arguments.images, count), networks, layers)


def add_options(parser: argparse.ArgumentParser) -> None:
    told = "folder of photographs instead of elpv's solar cells; 'FOLDER/*.jpg' leaves out others, such as masks beside"
    parser.add_argument("--images", type=Path, help=told)


def chosen_images(folder: Path | None, count: int) -> list[Path]:
    """``count`` images spread evenly over a folder, or the first good solar cells; repeated if there are too few."""
    images = _images_in(folder) if folder else _good_cells()
    places = np.arange(count) * len(images) // count if folder else np.arange(count) % len(images)
    return [images[place] for place in places]


def joined_features(
    images: list[Path], networks: tuple[str, ...] = NETWORKS, layers: tuple[str, ...] = LAYERS
) -> np.ndarray:
    """Patch embeddings float32 (N, D) of the images, in their order."""
    stored = Path(tempfile.gettempdir()) / f"patchcore-features-{_fingerprint(images, networks, layers)}.npy"
    if not stored.exists():
        extractors = [NumbaCnn(backbone=name, layers=layers) for name in networks]
        parts = [_embed(batch.pixels, extractors) for batch in iterate(images, Preparing(), batch_size=16)]
        with tempfile.NamedTemporaryFile(dir=stored.parent, suffix=".npy", delete=False) as file:
            np.save(file, np.concatenate(parts))
        Path(file.name).replace(stored)
    return np.load(stored)


def describe(embeddings: np.ndarray, folder: Path | None) -> str:
    told = "/".join(folder.parts[-2:]) if folder else "elpv-dataset (good monocrystalline cells)"
    where = f"photographs of {told}"
    return f"N = {len(embeddings):,} embeddings, D = {embeddings.shape[1]:,}, from {where}"


def _embed(pixels, extractors):
    grids = [LocalMean().aggregate(extractor.extract(pixels)) for extractor in extractors]
    return np.concatenate(grids, axis=3).reshape(-1, sum(grid.shape[3] for grid in grids))


def _fingerprint(images, networks, layers) -> str:
    listed = [*networks, *layers, *(f"{image.resolve()} {image.stat().st_size}" for image in images)]
    return hashlib.sha256("\n".join(listed).encode()).hexdigest()[:16]


def _images_in(folder: Path) -> list[Path]:
    """All images of a folder and those below it, or only those whose names fit a pattern at the end."""
    pattern = folder.name if "*" in folder.name else "*"
    found = find_images(folder.parent if "*" in folder.name else folder)
    return [image for image in found if fnmatch(image.name, pattern)]


def _good_cells() -> list[Path]:
    folder = Path(find_spec("elpv_dataset").origin).parent / "data"
    lines = (line.split() for line in (folder / "labels.csv").read_text().splitlines())
    return [folder / name for name, defect, kind in lines if kind == "mono" and float(defect) == 0]
