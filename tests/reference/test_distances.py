"""Plain Euclidean distances, held to SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from row_families import odd_layouts, row_sets, rows_of, shifted
from scipy.spatial.distance import cdist

from patchcore_reference.distances import euclidean_distances
from patchcore_reference.errors import EmptyInputError, NonFiniteError, ShapeError, WidthMismatchError


@given(rows=row_sets())
def test_distances_are_those_of_scipy(rows):
    queries, bank = rows[::3], rows
    expected = cdist(queries.astype(np.float64), bank.astype(np.float64))
    np.testing.assert_allclose(euclidean_distances(queries, bank), expected, rtol=1e-13, atol=0)


def test_a_large_common_offset_costs_no_digits():
    rows = rows_of(shifted, 30, 5)
    distances = euclidean_distances(rows, rows)
    assert (np.diag(distances) == 0).all()
    np.testing.assert_allclose(distances, cdist(rows.astype(float), rows.astype(float)), rtol=1e-13)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_squares_that_float32_could_not_hold_are_measured(scale):
    bank = np.array([[0.0], [3 * scale]], dtype=np.float32)
    np.testing.assert_allclose(euclidean_distances(bank, bank)[0, 1], 3 * scale, rtol=1e-6)


@pytest.mark.parametrize(
    "layout", ["read-only", "column order", "every second column", "reversed twice", "foreign byte order"]
)
def test_the_layout_in_memory_does_not_matter(layout):
    rows = np.random.default_rng(0).standard_normal((7, 5)).astype(np.float32)
    held = odd_layouts(rows)[layout]
    np.testing.assert_array_equal(euclidean_distances(held, held), euclidean_distances(rows, rows))


def test_banks_of_many_blocks_are_measured_to_the_last_row():
    bank = np.arange(70_001.0, dtype=np.float32)[:, None]
    np.testing.assert_array_equal(euclidean_distances(np.zeros((1, 1)), bank)[0], bank[:, 0])


def test_unsigned_whole_numbers_do_not_wrap_around():
    assert euclidean_distances(np.array([[3]], np.uint8), np.array([[7]], np.uint8))[0, 0] == 4


def test_no_queries_get_no_distances():
    assert euclidean_distances(np.empty((0, 2)), np.ones((3, 2))).shape == (0, 3)


@pytest.mark.parametrize(
    ("queries", "bank", "error", "words"),
    [
        (np.ones((1, 2)), np.ones((4, 3)), WidthMismatchError, "2 values but each memory-bank row has 3"),
        (np.ones(3), np.ones((4, 3)), ShapeError, "one row per query"),
        (np.ones((1, 3)), np.ones(3), ShapeError, "bank"),
        (np.ones((1, 3)), np.ones((0, 3)), EmptyInputError, "bank is empty"),
        (np.array([[np.nan]]), np.ones((1, 1)), NonFiniteError, "queries"),
        (np.ones((1, 1)), np.array([[np.inf]]), NonFiniteError, "bank"),
        (np.array([[True]]), np.ones((1, 1)), ShapeError, "bool"),
    ],
)
def test_rows_that_cannot_be_compared_are_refused(queries, bank, error, words):
    with pytest.raises(error, match=words):
        euclidean_distances(queries, bank)
