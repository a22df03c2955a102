"""Scores counted in bins, so that any number of them needs the same memory.

A bin holds the floats that agree in their first 22 bits: sign, exponent and 13 bits of the fraction. So bins are as
wide as 0.012 % of the score, large or small, without knowing beforehand between which values the scores will lie.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_BITS = 22
BINS = 1 << _BITS


def bins_of(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.uint32]:
    """Number the bin of each score; a higher score never has a lower number, and 0 and -0 have the same.

    Shapes: any -> the same; numbers from 0 to BINS - 1. What NaN gets means nothing.
    """
    bits = np.ascontiguousarray(scores + np.float32(0)).view(np.uint32)  # -0.0 becomes 0.0
    # The bits of a float, read as a whole number, rise with it; those of negative floats fall and are turned over.
    rising = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    return np.asarray(rising >> np.uint32(32 - _BITS))
