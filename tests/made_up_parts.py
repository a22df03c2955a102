"""Parts that tests make up: all alike, and nothing about them looks the same in a mirror."""

from __future__ import annotations

import numpy as np

SIDE = 64
TURNED = {
    "horizontal": lambda image: image[:, ::-1],
    "vertical": lambda image: image[::-1],
    "both": lambda image: image[::-1, ::-1],
}


def parts(count, seed=0):
    """Photographs (64, 64) of good parts: a bright wedge in one corner, coarse stripes in another."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    wedge = np.where((y > 36) & (x < 30) & (y - 36 > x), 150, 0)
    stripes = np.where((y < 24) & (x < 40), 60 * np.sin(x), 0)
    return [
        np.clip(60 + wedge + stripes + random.normal(0, 3, (SIDE, SIDE)), 0, 255).astype(np.uint8) for _ in range(count)
    ]


def textures(count, seed=0):
    """Photographs (64, 64) whose every patch is like no other, in a mirror or not."""
    return list(np.random.default_rng(seed).integers(0, 256, (count, SIDE, SIDE), dtype=np.uint8))
