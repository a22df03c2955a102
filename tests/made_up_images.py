"""Images that tests make up, and the plainest settings to prepare them with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Plain:
    """Settings that leave values in 0..1."""

    size: tuple[int, int] = (8, 8)
    resize: str = "stretch"
    crop: tuple[int, int] | None = None
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    white_level: float | None = None


def ramp(height, width, dtype=np.uint8, top=255):
    return np.linspace(0, top, height * width).reshape(height, width).astype(dtype)


def colours(height=6, width=4):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def gratings(count, seed=0):
    """Pictures of one kind: stripes that differ by a shift and some noise."""
    random, x = np.random.default_rng(seed), np.arange(64)
    shifts = random.uniform(0, 8, count)
    return [(127 + 80 * np.sin((x + s) / 3) + random.normal(0, 4, (64, 64))).astype(np.uint8) for s in shifts]


def save(array, path, **options):
    Image.fromarray(array).save(path, **options)
    return path
