"""The matrix evens out variances as far as its strength says."""

from __future__ import annotations

import numpy as np
import pytest

from patchcore_reference.errors import EmptyInputError, NonFiniteError, ShapeError
from patchcore_reference.whitening import whitening_matrix


@pytest.fixture
def rows():
    """Rows that vary by 1, 10 and 100 along three skewed directions, far from the origin."""
    random = np.random.default_rng(0)
    turn = np.linalg.qr(random.standard_normal((3, 3)))[0]
    return 50 + random.standard_normal((5_000, 3)) * np.sqrt([1, 10, 100]) @ turn


def variances(rows):
    return np.linalg.eigvalsh(np.cov(rows.T))


def test_at_full_strength_and_hardly_any_shrinkage_all_directions_vary_alike(rows):
    found = variances(rows @ whitening_matrix(rows, 1, shrinkage=1e-9))
    assert found.max() / found.min() == pytest.approx(1, rel=1e-4)


def test_at_half_strength_the_variances_become_their_square_roots(rows):
    found = variances(rows @ whitening_matrix(rows, 0.5, shrinkage=1e-9))
    np.testing.assert_allclose(found / found[0], np.sqrt(variances(rows) / variances(rows)[0]), rtol=1e-4)


def test_at_strength_0_rows_stay_as_they_are(rows):
    np.testing.assert_allclose(whitening_matrix(rows, 0), np.eye(3), atol=1e-6)


def test_shrinkage_keeps_directions_small_that_hardly_vary(rows):
    mild, strong = (variances(rows @ whitening_matrix(rows, 1, shrinkage)) for shrinkage in (0.01, 1.0))
    assert strong.min() / strong.max() < mild.min() / mild.max()


def test_neither_the_scale_nor_the_place_of_rows_changes_the_matrix(rows):
    expected = whitening_matrix(rows, 0.5)
    np.testing.assert_allclose(whitening_matrix(1_000 * rows - 7, 0.5), expected, rtol=1e-4, atol=1e-6)


def test_the_matrix_is_symmetric_so_no_sign_of_an_axis_decides(rows):
    matrix = whitening_matrix(rows, 0.7)
    np.testing.assert_array_equal(matrix, matrix.T)


def test_equal_rows_are_left_alone():
    np.testing.assert_array_equal(whitening_matrix(np.full((4, 3), 5.0), 1), np.eye(3))


def test_fewer_rows_than_values_are_enough():
    rows = np.random.default_rng(0).standard_normal((4, 10)).astype(np.float32)
    assert np.isfinite(rows @ whitening_matrix(rows, 1)).all()


@pytest.mark.parametrize("strength", [-0.1, 1.1, True, np.nan])
def test_a_strength_that_cannot_be_is_refused(rows, strength):
    with pytest.raises(ShapeError, match=r"from 0 .* to 1"):
        whitening_matrix(rows, strength)


@pytest.mark.parametrize("shrinkage", [0, -1, np.inf, True])
def test_a_shrinkage_that_cannot_be_is_refused(rows, shrinkage):
    with pytest.raises(ShapeError, match="above 0"):
        whitening_matrix(rows, 0.5, shrinkage)


def test_rows_that_are_none_are_refused():
    with pytest.raises(EmptyInputError):
        whitening_matrix(np.empty((0, 3)), 1)
    with pytest.raises(NonFiniteError):
        whitening_matrix(np.array([[1.0, np.nan]]), 1)
