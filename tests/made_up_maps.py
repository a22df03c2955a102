"""Masks with defects of all sorts, and heat maps that find them more or less, as a test set for pixel figures."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

SAME_SIZE = ((120, 160),) * 5
SIZES = ((120, 160), (61, 43), (40, 200), (96, 96), (33, 34))  # the first is good


def mask_of(rng, height, width):
    """Several defects: blobs of all sizes, a scratch of pixels that touch at their corners only, one single pixel."""
    mask = gaussian_filter(rng.normal(size=(height, width)), 3) > 0.13
    y, x = int(rng.integers(0, height - 12)), int(rng.integers(0, width - 12))
    mask[y : y + 12, x : x + 12] = np.eye(12, dtype=bool)
    mask[1, 1] = True
    return mask


def heat_of(rng, mask):
    """Smooth float32 scores, as large as PatchCore's, that are higher where there is a defect, not everywhere."""
    noise = gaussian_filter(rng.normal(size=mask.shape), 4) * 30
    return (8 + noise + 4 * gaussian_filter(mask * rng.random(), 2)).astype(np.float32)


def in_few_steps(heat):
    """The same with few different values, so that most pixels are equal to many others."""
    return np.round(heat)


def in_squares(heat):
    """The same with each 8 x 8 pixels alike, as a grid of patches drawn without smoothing."""
    height, width = heat.shape
    return heat[np.ix_(np.arange(height) // 8 * 8, np.arange(width) // 8 * 8)]


def with_zeros(heat):
    """The same with all that is below the usual cut off, so that the curve begins with one huge step from the end."""
    return np.maximum(heat - 8, 0)


def below_zero(heat):
    """The same on both sides of zero."""
    return heat - 8


FAMILIES = (np.array, in_few_steps, in_squares, with_zeros, below_zero)


def made_up_test_set(sizes=SIZES, seed=0, family=np.array):
    """Masks and maps of the given sizes; the first image is good."""
    rng = np.random.default_rng(seed)
    masks = [np.zeros(sizes[0], bool), *(mask_of(rng, *size) for size in sizes[1:])]
    return masks, [family(heat_of(rng, mask)) for mask in masks]


def flat(arrays):
    """All pixels of all images in one row."""
    return np.concatenate([array.ravel() for array in arrays])
