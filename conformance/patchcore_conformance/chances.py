"""What chance may do to a share: exact binomial bounds, by which statistical laws decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable

ERROR = 1e-4  # how often a bound may be wrong


def binomial_upper(hits: float, total: int, error: float = ERROR) -> float:
    """Largest share of which so few hits among ``total`` are still as likely as ``error`` (Clopper and Pearson)."""
    if hits >= total:
        return 1.0
    return _where(lambda share: _at_most(int(np.ceil(hits)), total, share) > error)


def binomial_lower(hits: float, total: int, error: float = ERROR) -> float:
    """Smallest share of which so many hits among ``total`` are still as likely as ``error``."""
    return 1.0 - binomial_upper(total - hits, total, error)


def _where(likely: Callable[[float], bool]) -> float:
    """Find the largest share that is likely, by halving: likelihood falls with the share."""
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if likely(middle) else (low, middle)
    return high


def _at_most(hits: int, total: int, share: float) -> float:
    """Probability of at most so many hits."""
    count = np.arange(hits + 1)
    ways = _log_factorial(total)[total] - _log_factorial(total)[count] - _log_factorial(total)[total - count]
    return float(np.exp(ways + count * np.log(share) + (total - count) * np.log1p(-share)).sum())


def _log_factorial(total: int) -> npt.NDArray[np.float64]:
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, total + 1)))])
