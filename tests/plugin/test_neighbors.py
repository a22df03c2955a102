"""The exact searches: right neighbours, and an index that nobody can change from outside."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from certificates import FLOAT32, FLOAT64, require_nearest
from hypothesis import given
from hypothesis import strategies as st
from row_families import clusters, odd_layouts, row_sets, rows_of

from patchcore_plugin.contracts import NeighborIndex, NeighborSearch
from patchcore_plugin.errors import EmptyInputError, NonFiniteError, ShapeError, TooFewRowsError, WidthMismatchError
from patchcore_plugin.neighbors.faiss_flat import FaissFlat
from patchcore_plugin.neighbors.numba_exact import NumbaExact
from patchcore_plugin.neighbors.numpy_exact import NumpyExact
from patchcore_plugin.neighbors.pruned_exact import PrunedExact

SEARCHES = [NumpyExact, NumbaExact, PrunedExact, FaissFlat]
pytestmark = pytest.mark.parametrize("make", SEARCHES)


@given(rows=row_sets(), data=st.data())
def test_the_nearest_rows_are_found_whatever_the_rows(make, rows, data):
    k = data.draw(st.integers(1, len(rows)))
    queries = rows[::2] + np.float32(0.25)
    require_nearest(queries, rows, *make().build(rows).query(queries, k), k, unit=FLOAT32)


def test_both_keep_their_contracts_and_cannot_be_changed(make):
    search = make()
    index = search.build(np.ones((2, 2)))
    assert isinstance(search, NeighborSearch)
    assert isinstance(index, NeighborIndex)
    with pytest.raises(dataclasses.FrozenInstanceError):
        index.bank = np.zeros((2, 2))
    with pytest.raises(ValueError, match="read-only"):
        index.bank[0, 0] = 5


def test_the_index_owns_its_bank(make):
    bank = rows_of(clusters, 30, 4)
    queries = bank[:5] + np.float32(0.5)
    index = make().build(bank)
    before = index.query(queries, 3)
    bank[:] = 0
    np.testing.assert_array_equal(index.query(queries, 3), before)


def test_two_indexes_do_not_know_of_each_other_and_asking_changes_nothing(make):
    first, second = rows_of(clusters, 30, 4, seed=1), rows_of(clusters, 20, 4, seed=2)
    index = make().build(first)
    before = index.query(second, 2)
    make().build(second).query(first, 5)
    np.testing.assert_array_equal(index.query(second, 2), before)


def test_answers_do_not_change_when_later_answers_are_written_to(make):
    index, queries = make().build(rows_of(clusters, 30, 4)), rows_of(clusters, 3, 4, seed=1)
    distances, rows = index.query(queries)
    kept = distances.copy(), rows.copy()
    again, others = index.query(queries)
    again[:], others[:] = -1, -1
    np.testing.assert_array_equal((distances, rows), kept)


def test_a_bank_of_float64_is_searched_in_float64(make):
    bank = 1e9 + rows_of(clusters, 40, 3).astype(np.float64)
    require_nearest(bank, bank, *make().build(bank).query(bank, 4), 4, unit=FLOAT64)


def test_a_bank_of_float16_is_the_same_bank(make):
    bank = rows_of(clusters, 40, 3).astype(np.float16)
    queries = rows_of(clusters, 6, 3, seed=1)
    expected = make().build(bank.astype(np.float32)).query(queries, 4)
    np.testing.assert_array_equal(make().build(bank).query(queries, 4), expected)


@pytest.mark.parametrize(
    "layout", ["read-only", "column order", "every second column", "reversed twice", "foreign byte order"]
)
def test_the_layout_in_memory_does_not_matter(make, layout):
    bank = rows_of(clusters, 40, 5)
    held = odd_layouts(bank)[layout]
    np.testing.assert_array_equal(make().build(held).query(held, 3), make().build(bank).query(bank, 3))


def test_tensors_are_taken_as_they_are(make):
    bank = rows_of(clusters, 40, 5)
    index = make().build(torch.from_numpy(bank))
    np.testing.assert_array_equal(index.query(torch.from_numpy(bank[:4]), 2), make().build(bank).query(bank[:4], 2))


def test_no_queries_get_no_answers(make):
    distances, rows = make().build(np.ones((3, 2))).query(np.empty((0, 2)), 2)
    assert distances.shape == rows.shape == (0, 2)


@pytest.mark.parametrize(
    ("queries", "k", "error", "words"),
    [
        (np.ones((1, 2)), 4, TooFewRowsError, "k is 4, but there are 3"),
        (np.ones((1, 2)), True, ShapeError, "whole number"),
        (np.ones((1, 5)), 1, WidthMismatchError, "5 values but each memory-bank row has 2"),
        (np.ones(2), 1, ShapeError, "one row per query"),
        (np.full((1, 2), np.nan), 1, NonFiniteError, "queries"),
    ],
)
def test_questions_without_an_answer_are_refused(make, queries, k, error, words):
    index = make().build(np.ones((3, 2)))
    with pytest.raises(error, match=words):
        index.query(queries, k)


@pytest.mark.parametrize(
    ("bank", "error"),
    [(np.ones(3), ShapeError), (np.ones((0, 3)), EmptyInputError), (np.full((2, 2), np.inf), NonFiniteError)],
)
def test_a_bank_that_cannot_be_searched_is_refused(make, bank, error):
    with pytest.raises(error):
        make().build(bank)
