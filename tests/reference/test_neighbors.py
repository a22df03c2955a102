"""Plain nearest rows, held to scikit-learn and to the tie rule."""

from __future__ import annotations

import numpy as np
import pytest
from certificates import EXACT, FLOAT64, require_nearest
from hypothesis import given
from hypothesis import strategies as st
from row_families import lattice, row_sets
from sklearn.neighbors import NearestNeighbors

from patchcore_reference.errors import NonFiniteError, ShapeError, TooFewRowsError, WidthMismatchError
from patchcore_reference.neighbors import nearest_rows


@given(rows=row_sets(), data=st.data())
def test_the_nearest_rows_are_found_whatever_the_rows(rows, data):
    bank, queries = rows, rows[: data.draw(st.integers(1, len(rows)))] + np.float32(0.25)
    k = data.draw(st.integers(1, len(bank)))
    require_nearest(queries, bank, *nearest_rows(queries, bank, k), k, unit=FLOAT64)


@given(rows=row_sets(families=[lattice], max_width=5))
def test_equal_distances_are_answered_by_the_lower_row(rows):
    distances, found = nearest_rows(rows, rows, len(rows))
    require_nearest(rows, rows, distances, found, len(rows), unit=EXACT)
    same = np.diff(distances, axis=1) == 0
    assert (np.diff(found, axis=1)[same] > 0).all()


def test_distances_are_those_of_scikit_learn():
    random = np.random.default_rng(0)
    bank, queries = random.standard_normal((150, 33)), random.standard_normal((130, 33))
    expected, rows = NearestNeighbors(n_neighbors=9, algorithm="brute").fit(bank).kneighbors(queries)
    distances, found = nearest_rows(queries, bank, 9)
    np.testing.assert_allclose(distances, expected, rtol=1e-7)
    np.testing.assert_array_equal(found, rows)


def test_a_row_of_the_bank_finds_itself_at_distance_zero():
    bank = 1000 + np.random.default_rng(0).standard_normal((20, 7)).astype(np.float32)
    distances, rows = nearest_rows(bank, bank)
    assert (distances == 0).all()
    np.testing.assert_array_equal(rows[:, 0], np.arange(20))


def test_no_queries_get_no_answers():
    distances, rows = nearest_rows(np.empty((0, 2)), np.ones((3, 2)), k=2)
    assert distances.shape == rows.shape == (0, 2)
    assert (distances.dtype, rows.dtype) == (np.float64, np.int64)


@pytest.mark.parametrize(
    ("queries", "k", "error", "words"),
    [
        (np.ones((1, 2)), 4, TooFewRowsError, "k is 4, but there are 3 row"),
        (np.ones((1, 2)), 0, TooFewRowsError, "k is 0"),
        (np.ones((1, 2)), True, ShapeError, "whole number"),
        (np.ones((1, 2)), 1.0, ShapeError, "whole number"),
        (np.ones((1, 3)), 1, WidthMismatchError, "3 values"),
        (np.full((1, 2), np.nan), 1, NonFiniteError, "queries"),
    ],
)
def test_questions_without_an_answer_are_refused(queries, k, error, words):
    with pytest.raises(error, match=words):
        nearest_rows(queries, np.ones((3, 2)), k)
