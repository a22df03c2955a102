"""Rows on which wrong parts are seen: each family is there because something fails on it, and proves that it is strong.

The same arguments give the same float32 rows, (N, D), on every machine. A family that would let anything pass cannot be
built: random rows cover high-dimensional Gaussian data as well as the best ones do, so it may not judge coverage.
"""

from __future__ import annotations

import zlib
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from patchcore_conformance.certificates import cover_radius
from patchcore_conformance.model.sampler import farthest_first
from patchcore_conformance.violation import KitError

if TYPE_CHECKING:
    from collections.abc import Callable

Rows = npt.NDArray[np.float32]


def family(strength: Callable[[Rows], object] | None = None) -> Callable[[Callable[..., Any]], Callable[..., Rows]]:
    """Make a function of (random, rows, width) a family: seeded, float32, kept, and shown to be strong once built."""

    def wrap(make: Callable[..., Any]) -> Callable[..., Rows]:
        @lru_cache(maxsize=128)
        def kept(total: int, width: int, seed: int) -> Rows:
            random = np.random.default_rng([seed, total, width, zlib.crc32(make.__name__.encode())])
            rows = np.ascontiguousarray(make(random, total, width), dtype=np.float32)
            if rows.shape != (total, width) or (strength is not None and not strength(rows)):
                raise KitError(
                    f"the probe {make.__name__}({total}, {width}, seed={seed}) is too weak to show anything."
                )
            rows.flags.writeable = False
            return rows

        @wraps(make)
        def build(total: int, width: int, seed: int = 0) -> Rows:
            return kept(total, width, seed).copy()

        return build

    return wrap


def has_ties(rows: Rows) -> bool:
    """Whole numbers, and from the first row equal distances (told for narrow rows, thirty and more)."""
    squares = np.square(rows.astype(np.float64) - rows[0]).sum(axis=1)
    tied = len(rows) < 30 or rows.shape[1] > 6 or len(np.unique(squares)) < len(rows)
    return tied and bool((rows == np.rint(rows)).all())


def needs_choosing(rows: Rows) -> bool:
    """Rows by chance cover at least twice as badly as farthest-first (told for a hundred rows and more)."""
    if len(rows) < 100:
        return True
    count = max(8, len(rows) // 10)
    drawn = np.random.default_rng(0).permutation(len(rows))[:count]
    return cover_radius(rows, drawn) >= 2 * cover_radius(rows, farthest_first(rows, count))


def spans_many_scales(rows: Rows) -> bool:
    """The largest row is at least 1e15 times the smallest (told for twenty rows and more)."""
    sizes = np.abs(rows.astype(np.float64)).max(axis=1)
    return len(rows) < 20 or sizes.max() >= 1e15 * sizes.min()


def all_different(rows: Rows) -> bool:
    """No row twice; of very many numbers some may be."""
    return len(np.unique(rows, axis=0)) >= len(rows) * (0.99 if rows.shape[1] == 1 else 1)


@family(has_ties)
def lattice(random: np.random.Generator, total: int, width: int) -> Any:
    """Small whole numbers: every arithmetic is exact, and equal distances are everywhere."""
    return random.integers(-3, 4, size=(total, width))


@family()
def near_ties(random: np.random.Generator, total: int, width: int) -> Any:
    """A lattice moved by the last bits of float32: float64 can tell its distances apart, float32 cannot."""
    grid = random.integers(-3, 4, size=(total, width))
    return grid + random.integers(-2, 3, size=(total, width)) * 2.0**-22


@family(all_different)
def fine_ties(random: np.random.Generator, total: int, width: int) -> Any:
    """A lattice moved a little, from a hundredth to a millionth: rivals differ by everything that rounding may be."""
    grid = random.integers(-3, 4, size=(total, width))
    return grid + random.standard_normal((total, width)) * 10.0 ** random.uniform(-6, -2, size=(total, 1))


@family(lambda rows: len(np.unique(rows, axis=0)) <= max(1, len(rows) // 5))
def duplicates(random: np.random.Generator, total: int, width: int) -> Any:
    """Few different rows, each many times."""
    few = max(1, total // 5)
    return random.standard_normal((few, width))[random.integers(few, size=total)]


@family()
def identical(random: np.random.Generator, total: int, width: int) -> Any:
    """One row, again and again."""
    return np.repeat(random.standard_normal((1, width)), total, axis=0)


@family(needs_choosing)
def clusters(random: np.random.Generator, total: int, width: int) -> Any:
    """A few dense groups and rare outliers far off, the last row among them."""
    centres = 20 * random.standard_normal((4, width))
    rows = centres[random.integers(4, size=total)] + 0.05 * random.standard_normal((total, width))
    far = np.unique(np.linspace(0, total - 1, num=max(1, total // 60)).astype(int))[::-1]
    rows[far] = 60 * random.standard_normal((len(far), width)) + 10
    return rows


@family(all_different)
def manifold(random: np.random.Generator, total: int, width: int) -> Any:
    """A bent surface of two dimensions in many: distances along it differ finely."""
    along = random.uniform(-2, 2, size=(total, 2))
    bent = np.concatenate([along, np.sin(2 * along), np.cos(along), along**2], axis=1)
    return bent @ random.standard_normal((bent.shape[1], width)) / 2


@family(lambda rows: rows.min() == 0 or rows.size < 20)
def rectified(random: np.random.Generator, total: int, width: int) -> Any:
    """What follows a ReLU: zeros, and positive values of very different channels."""
    return np.maximum(random.standard_normal((total, width)), 0) * random.lognormal(size=width)


@family(all_different)
def gaussian(random: np.random.Generator, total: int, width: int) -> Any:
    """No structure: few values a row leave many near rivals, which only right arithmetic tells apart."""
    return random.standard_normal((total, width))


@family(lambda rows: np.abs(rows.mean(axis=0)).min() > 100)
def shifted(random: np.random.Generator, total: int, width: int) -> Any:
    """A mean of a thousand spreads: |x|^2 - 2xy + |y|^2 cancels all that tells rows apart."""
    return random.choice([-1000, 1000, 900], size=width) + random.standard_normal((total, width))


@family()
def far_pair(random: np.random.Generator, total: int, width: int) -> Any:
    """Two groups at -1000 and +1000: taking off the mean does not help, only differences do."""
    return np.where(np.arange(total)[:, None] % 2, 1000.0, -1000.0) + random.standard_normal((total, width))


@family(spans_many_scales)
def many_scales(random: np.random.Generator, total: int, width: int) -> Any:
    """Rows of every size from 1e-12 to 1e12."""
    return random.standard_normal((total, width)) * 10.0 ** random.uniform(-12, 12, size=(total, 1))


@family()
def one_ray(random: np.random.Generator, total: int, width: int) -> Any:
    """All rows in about one direction: they differ by their length only, which cosines and normalising lose."""
    lengths = np.where(
        np.arange(total) % 29 == 28, random.uniform(20, 60, size=total), random.uniform(1, 1.5, size=total)
    )
    return lengths[:, None] * np.ones(width) + 0.01 * random.standard_normal((total, width))


@family()
def last_columns(random: np.random.Generator, total: int, width: int) -> Any:
    """Only the last column tells outliers: a part that drops what fills no whole vector register is blind to them."""
    rows = 0.1 * random.standard_normal((total, width))
    rows[28::29, -1] += 10 * np.arange(1, len(rows[28::29]) + 1)
    return rows


@family()
def spikes_in_haze(random: np.random.Generator, total: int, width: int) -> Any:
    """Outliers along single axes amid rows that are spread over all: sums of absolute values prefer the haze."""
    rows = random.choice([-1.0, 1.0], size=(total, width)) / np.sqrt(width)
    spiky = np.arange(total) % 19 == 18
    rows[spiky] = 0
    rows[spiky, np.arange(spiky.sum()) % width] = 3 * np.where(np.arange(spiky.sum()) // width % 2, -1, 1)
    return rows


@family()
def haze_in_spikes(random: np.random.Generator, total: int, width: int) -> Any:
    """Outliers spread over all axes amid rows along single ones: the largest difference prefers the spikes."""
    rows = np.zeros((total, width))
    rows[np.arange(total), np.arange(total) % width] = np.where(np.arange(total) // width % 2, -1, 1)
    rows += 0.01 * random.standard_normal((total, width))
    hazy = np.arange(total) % 19 == 18
    rows[hazy] = 3 * random.choice([-1.0, 1.0], size=(hazy.sum(), width)) / np.sqrt(width)
    return rows


@family()
def outlying_ends(random: np.random.Generator, total: int, width: int) -> Any:
    """The first and the last row lie far off: a loop that starts at 1, or ends a block early, never meets them."""
    rows = random.integers(-3, 4, size=(total, width)).astype(np.float64)
    rows[0], rows[-1] = -40, 50
    return rows


@family()
def gapped(random: np.random.Generator, total: int, width: int) -> Any:
    """Many near rows and few far ones, all whole numbers, at the places where blocks and small integers end."""
    rows = random.integers(0, 8, size=(total, width)).astype(np.float64)
    ends = (0, 255, 256, 1023, 1024, 4095, 4096, 32767, 32768, 65534, 65535, 65536, 65537, total - 2, total - 1)
    places = sorted({place for place in ends if place < total})
    rows[places, 0] = 200 * random.permutation(np.arange(1, len(places) + 1))
    return rows
