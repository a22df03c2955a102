"""What hosts are fitted on and asked about, in the forms that hosts take: rows, photographs, or a network's pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable

FORMS = ("rows", "images", "pixels")
STRANGE = (1, 2, 5)  # places of strange samples among those asked about: neither first nor last, nor sorted
_ASKED, _GOOD, _COPIES = 7, 9, 3
_ROWS_A_SAMPLE = 8  # a row is a small sample: as many more of them are fitted
_HEIGHT, _WIDTH, _CELL = 32, 48, 8
_COLUMNS = 6

Array = npt.NDArray[Any]


def good(form: str, seed: int = 0) -> Array:
    """Make good samples, no two alike; another seed gives others, of another look.

    Shapes: rows float32 (N, D); images uint8 (B, H, W, 3); pixels float32 in 0..1, (B, 3, H, W).
    """
    count = _GOOD * _ROWS_A_SAMPLE if form == "rows" else _GOOD
    return _samples(form, np.random.default_rng([seed, 1]), count, look=seed)


def repeated(form: str) -> Array:
    """Make good samples, a quarter of which are there several times: ties, and scores above 0 beside them."""
    samples = good(form)
    often, once = samples[: len(samples) // 4], samples[len(samples) // 4 :]
    return np.concatenate([often] * _COPIES + [once])


def new(form: str) -> Array:
    """Make samples to ask about, good ones and, at the places ``STRANGE``, strange ones."""
    rng = np.random.default_rng(3)
    found = _samples(form, rng, _ASKED)
    for place in STRANGE:
        found[place] = _estranged(form, found[place], rng)
    return found


def spoilt(form: str, samples: Array, value: float) -> Array:
    """Put a value that is no finite number into one sample; photographs become floats in 0..1 for it."""
    found = samples / np.float32(255) if form == "images" else samples.copy()
    found = found.astype(np.float32)
    found[(len(found) // 2, *(size // 2 for size in found.shape[1:]))] = value
    return found


def every_second(samples: Array) -> Array:
    """Return the values as a view of a larger array that lies otherwise in memory, and cannot be written to."""
    wide = np.full((2 * len(samples), *samples.shape[1:]), 77, samples.dtype, order="F")
    wide[::2] = samples
    wide.flags.writeable = False
    return wide[::2]


def _samples(form: str, rng: np.random.Generator, count: int, look: int = 0) -> Array:
    if form == "rows":
        return (rng.standard_normal((count, _COLUMNS)) + 3 * look).astype(np.float32)
    rough = rng.integers(60, 200, (count, _HEIGHT // _CELL, _WIDTH // _CELL, 3)) // (1 + look)
    coarse = rough.repeat(_CELL, axis=1).repeat(_CELL, axis=2)
    images = np.clip(coarse + rng.integers(-9, 10, coarse.shape), 0, 255).astype(np.uint8)
    return _as_pixels(images) if form == "pixels" else images


_ESTRANGED: dict[str, Callable[[Array, np.random.Generator], Array]] = {
    "rows": lambda row, rng: row + np.float32(20) * rng.choice(np.array([-1, 1], np.float32), row.shape),
    "images": lambda image, rng: rng.integers(0, 2, image.shape).astype(np.uint8) * np.uint8(255),
    "pixels": lambda image, rng: rng.integers(0, 2, image.shape).astype(np.float32),
}


def _estranged(form: str, sample: Array, rng: np.random.Generator) -> Array:
    return _ESTRANGED[form](sample, rng)


def _as_pixels(images: Array) -> Array:
    return np.ascontiguousarray((images / np.float32(255)).transpose(0, 3, 1, 2))
