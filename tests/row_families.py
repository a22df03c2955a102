"""Sets of rows on which wrong implementations are seen: each family is there because something fails on it."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st


def lattice(random, rows, width):
    """Small whole numbers: float32 is exact and equal distances are everywhere."""
    return random.integers(-3, 4, size=(rows, width)).astype(np.float32)


def clusters(random, rows, width):
    """A few dense groups and rare outliers: random choices and skipped updates are far off here."""
    centres = 50 * random.standard_normal((4, width))
    points = centres[random.integers(4, size=rows)] + 0.01 * random.standard_normal((rows, width))
    points[:: max(1, rows // 3)] *= 7
    return points.astype(np.float32)


def shifted(random, rows, width):
    """A large mean common to all: |q|^2 - 2 q.b + |b|^2 loses the nearest row."""
    return (1000 + random.standard_normal((rows, width))).astype(np.float32)


def duplicates(random, rows, width):
    """Few different rows, each many times."""
    return random.standard_normal((max(1, rows // 5), width)).astype(np.float32)[
        random.integers(max(1, rows // 5), size=rows)
    ]


def identical(random, rows, width):
    """One row, again and again: distinct row numbers must still come out."""
    return np.repeat(random.standard_normal((1, width)).astype(np.float32), rows, axis=0)


def rectified(random, rows, width):
    """What follows a ReLU: zeros and positive values."""
    return np.maximum(random.standard_normal((rows, width)), 0).astype(np.float32)


FAMILIES = (lattice, clusters, shifted, duplicates, identical, rectified)


def rows_of(family, rows, width, seed=0):
    """Make rows of one family; the same arguments give the same rows."""
    return family(np.random.default_rng(seed), rows, width)


@st.composite
def row_sets(draw, families=FAMILIES, max_rows=60, max_width=70):
    """Rows of any family, number and width; odd widths meet the remainders of vector registers."""
    family, seed = draw(st.sampled_from(families)), draw(st.integers(0, 2**32 - 1))
    return rows_of(family, draw(st.integers(1, max_rows)), draw(st.integers(1, max_width)), seed)


def odd_layouts(array):
    """The same values, laid out in memory in every way that a caller may hold them."""
    wide = np.repeat(array, 2, axis=1)
    frozen = array.copy()
    frozen.flags.writeable = False
    return {
        "read-only": frozen,
        "column order": np.asfortranarray(array),
        "every second column": wide[:, ::2],
        "reversed twice": array[::-1].copy()[::-1],
        "foreign byte order": array.astype(array.dtype.newbyteorder(">")),
    }
