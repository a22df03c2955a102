"""A bank and queries for it: like its rows, between them, close to them, and off all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Table = npt.NDArray[np.float32]


def _random(*seeds: int) -> np.random.Generator:
    return np.random.default_rng([17, *seeds])


def split(family: Any, total: int, queries: int, width: int, seed: int = 0) -> tuple[Table, Table]:
    """Draw rows and queries of one family: (total, width), (queries, width)."""
    rows = family(total + queries, width, seed)
    order = _random(total, queries, width, seed).permutation(len(rows))
    return rows[order[:total]], rows[order[total:]]


def between(family: Any, total: int, queries: int, width: int, seed: int = 0) -> tuple[Table, Table]:
    """Ask half way between two rows: in no cell's middle, and in no group."""
    bank, random = family(total, width, seed), _random(total, queries, seed)
    one, other = random.integers(total, size=(2, queries))
    return bank, (bank[one] + bank[other]) / 2


def close(family: Any, total: int, queries: int, width: int, seed: int = 0) -> tuple[Table, Table]:
    """Ask close to rows, by a hundredth to a thousandth of the spread."""
    bank, random = family(total, width, seed), _random(total, queries, seed)
    moved = random.standard_normal((queries, width)) * 10 ** random.uniform(-3, -2, size=(queries, 1))
    return bank, (bank[random.integers(total, size=queries)] + bank.std() * moved).astype(np.float32)


def off(family: Any, total: int, queries: int, width: int, seed: int = 0) -> tuple[Table, Table]:
    """Ask off all rows: a row plus the difference of two others, as defects may lie."""
    bank, random = family(total, width, seed), _random(total, queries, seed)
    one, other, third = random.integers(total, size=(3, queries))
    return bank, bank[one] + bank[other] - bank[third]


def far_ray(total: int, queries: int, width: int, seed: int = 0) -> tuple[Table, Table]:
    """Place rows and queries on one ray far from zero: a difference of lengths is their distance, but for rounding."""
    random = _random(total, queries, width, seed)
    direction = random.uniform(0.5, 1.5, size=width)
    lengths = 1000 + random.uniform(0, 1, size=(total + queries, 1))
    rows = (lengths * direction).astype(np.float32)
    return rows[:total], rows[total:]
