"""The random projection keeps distances, and keeps its promise of being repeatable."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from patchcore_reference.errors import NonFiniteError, ShapeError
from patchcore_reference.projection import random_projection


def test_distances_are_about_kept():
    rows = np.random.default_rng(0).standard_normal((40, 300))
    ratios = pdist(random_projection(rows, 256, seed=1)) / pdist(rows)
    assert abs(np.mean(ratios**2) - 1) < 0.05
    assert 0.75 < ratios.min() <= ratios.max() < 1.25


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not():
    rows = np.random.default_rng(0).standard_normal((5, 7)).astype(np.float32)
    np.testing.assert_array_equal(random_projection(rows, 3, seed=4), random_projection(rows, 3, seed=4))
    assert not np.array_equal(random_projection(rows, 3, seed=4), random_projection(rows, 3, seed=5))


def test_it_is_linear_and_its_width_may_exceed_that_of_the_rows():
    rows = np.random.default_rng(0).integers(-9, 9, size=(2, 4))
    projected = random_projection(np.stack([rows[0], rows[1], rows[0] + rows[1]]), 11, seed=0)
    assert projected.shape == (3, 11)
    assert projected.dtype == np.float32
    np.testing.assert_allclose(projected[0] + projected[1], projected[2], rtol=1e-5, atol=1e-5)


def test_rows_beyond_one_block_are_projected_like_the_first():
    rows = np.tile(np.random.default_rng(0).standard_normal((1, 2)), (20_000, 1))
    projected = random_projection(rows, 2, seed=0)
    np.testing.assert_allclose(projected, np.tile(projected[:1], (20_000, 1)), rtol=1e-6)


@pytest.mark.parametrize("width", [0, -1, 2.5, True, None])
def test_a_width_that_is_none_is_refused(width):
    with pytest.raises(ShapeError, match="width"):
        random_projection(np.ones((2, 2)), width, seed=0)


def test_rows_that_hold_nan_are_refused():
    with pytest.raises(NonFiniteError, match=r"the first at \[1, 0\]"):
        random_projection(np.array([[1.0], [np.nan]]), 1, seed=0)
