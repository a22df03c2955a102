"""The random projection keeps distances, and keeps its promise of being repeatable."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from patchcore_reference.errors import NonFiniteError, ShapeError
from patchcore_reference.projection import (
    johnson_lindenstrauss_width,
    random_projection,
    sparse_projection,
    untrained_projection,
)

ALL = pytest.mark.parametrize("project", [random_projection, sparse_projection, untrained_projection])


@pytest.mark.parametrize(
    ("project", "factor"),
    [(random_projection, 1.0), (sparse_projection, 1.0), (untrained_projection, np.sqrt(256 / (3 * 300)))],
)
def test_distances_are_about_kept(project, factor):
    rows = np.random.default_rng(0).standard_normal((40, 300))
    ratios = pdist(project(rows, 256, seed=1)) / pdist(rows) / factor
    assert abs(np.mean(ratios**2) - 1) < 0.05
    assert 0.75 < ratios.min() <= ratios.max() < 1.25


@ALL
def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(project):
    rows = np.random.default_rng(0).standard_normal((5, 7)).astype(np.float32)
    np.testing.assert_array_equal(project(rows, 3, seed=4), project(rows, 3, seed=4))
    assert not np.array_equal(project(rows, 3, seed=4), project(rows, 3, seed=5))


def test_a_sparse_matrix_holds_the_values_of_very_sparse_projections_as_often_as_it_should():
    matrix = sparse_projection(np.eye(400), 300, seed=0)
    np.testing.assert_allclose(np.unique(matrix), np.array([-1, 0, 1]) * 400**0.25 / np.sqrt(300), rtol=1e-6)
    for sign in (-1, 1):
        assert np.mean(np.sign(matrix) == sign) == pytest.approx(1 / (2 * np.sqrt(400)), rel=0.05)
    assert np.mean(sparse_projection(np.eye(1), 100, seed=0) == 0) == 0  # of one value none can be left out


def test_an_untrained_layer_has_even_weights_up_to_its_bound():
    matrix = untrained_projection(np.eye(64), 500, seed=0)
    assert 0.1249 < matrix.max() <= 0.125
    assert -0.125 <= matrix.min() < -0.1249
    assert np.std(matrix) == pytest.approx(0.125 / np.sqrt(3), rel=0.02)


@pytest.mark.parametrize(("rows", "eps"), [(1, 0.9), (2, 0.5), (163_856, 0.9), (1000, 0.1), (10**6, 0.01)])
def test_the_width_is_that_of_the_lemma_as_scikit_learn_computes_it(rows, eps):
    from sklearn.random_projection import johnson_lindenstrauss_min_dim

    assert johnson_lindenstrauss_width(rows, eps) == max(1, johnson_lindenstrauss_min_dim(rows, eps=eps))


@pytest.mark.parametrize(("rows", "eps"), [(0, 0.9), (10, 0), (10, 1), (10, True), (2.5, 0.9)])
def test_a_width_for_nothing_is_refused(rows, eps):
    with pytest.raises(ShapeError):
        johnson_lindenstrauss_width(rows, eps)


def test_it_is_linear_and_its_width_may_exceed_that_of_the_rows():
    rows = np.random.default_rng(0).integers(-9, 9, size=(2, 4))
    projected = random_projection(np.stack([rows[0], rows[1], rows[0] + rows[1]]), 11, seed=0)
    assert projected.shape == (3, 11)
    assert projected.dtype == np.float32
    np.testing.assert_allclose(projected[0] + projected[1], projected[2], rtol=1e-5, atol=1e-5)


@ALL
def test_rows_beyond_one_block_are_projected_like_the_first(project):
    rows = np.tile(np.random.default_rng(0).standard_normal((1, 2)), (20_000, 1))
    projected = project(rows, 2, seed=0)
    np.testing.assert_allclose(projected, np.tile(projected[:1], (20_000, 1)), rtol=1e-6)


@ALL
@pytest.mark.parametrize("width", [0, -1, 2.5, True, None])
def test_a_width_that_is_none_is_refused(project, width):
    with pytest.raises(ShapeError, match="width"):
        project(np.ones((2, 2)), width, seed=0)


@ALL
def test_rows_that_hold_nan_are_refused(project):
    with pytest.raises(NonFiniteError, match=r"the first at \[1, 0\]"):
        project(np.array([[1.0], [np.nan]]), 1, seed=0)
