"""faiss-flat: faiss proposes, differences decide; and nothing of faiss that others might use is changed."""

from __future__ import annotations

import copy
import pickle
import threading

import faiss
import numpy as np
import pytest
from certificates import FLOAT32, Rejected, require_nearest
from row_families import clusters, identical, rows_of, shifted

from patchcore_plugin.neighbors.faiss_flat import FaissFlat
from patchcore_plugin.neighbors.numpy_exact import NumpyExact

WIDTH = 70
SMALL, BIG = 3, 2000  # queries: beyond 128,000 values, faiss turns from differences to products


def far_from_zero(rows, seed):
    return rows_of(shifted, rows, WIDTH, seed)


@pytest.mark.parametrize("count", [SMALL, BIG])
@pytest.mark.parametrize("k", [1, 7])
def test_a_large_offset_costs_no_digits_in_small_and_in_big_batches(count, k):
    bank, queries = far_from_zero(300, 0), far_from_zero(count, 1)
    require_nearest(queries, bank, *FaissFlat().build(bank).query(queries, k), k, unit=FLOAT32)


def test_faiss_alone_loses_the_nearest_rows_there():
    bank, queries = far_from_zero(300, 0), far_from_zero(BIG, 1)
    alone = faiss.IndexFlatL2(WIDTH)
    alone.add(bank)
    squares, rows = alone.search(queries, 7)
    with pytest.raises(Rejected):
        require_nearest(queries, bank, np.sqrt(np.maximum(squares, 0)), rows, 7, unit=FLOAT32)


@pytest.mark.parametrize("count", [SMALL, BIG])
@pytest.mark.parametrize("distance", [1e3, 1e12, 1e30])
def test_queries_far_outside_the_bank_are_answered(count, distance):
    bank = rows_of(clusters, 400, WIDTH)
    queries = (bank[np.arange(count) % 400] + distance).astype(np.float32)
    require_nearest(queries, bank, *FaissFlat().build(bank).query(queries, 3), 3, unit=FLOAT32)


def test_with_more_equal_rows_than_are_looked_at_the_lowest_are_answered():
    distances, rows = FaissFlat().build(rows_of(identical, 900, 5)).query(np.zeros((4, 5)), 3)
    assert rows.tolist() == [[0, 1, 2]] * 4
    assert len(np.unique(distances)) == 1


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e12, 1e30])
def test_very_small_and_very_large_values_are_told_apart(scale):
    bank = (rows_of(clusters, 300, 20) * scale).astype(np.float32)
    queries = bank[::3] * np.float32(1.01)
    require_nearest(queries, bank, *FaissFlat().build(bank).query(queries, 5), 5, unit=FLOAT32)


def test_answers_are_those_of_the_plain_search_and_do_not_depend_on_company():
    bank, queries = rows_of(clusters, 500, 33), rows_of(clusters, 80, 33, seed=1)
    index = FaissFlat().build(bank)
    distances, rows = index.query(queries, 6)
    np.testing.assert_array_equal(rows, NumpyExact().build(bank).query(queries, 6)[1])
    for number in range(0, 80, 9):
        alone = index.query(queries[number : number + 1], 6)
        np.testing.assert_array_equal(alone, (distances[number : number + 1], rows[number : number + 1]))


def test_an_index_can_be_copied_and_pickled():
    bank, queries = rows_of(clusters, 100, 8), rows_of(clusters, 9, 8, seed=1)
    index = FaissFlat().build(bank)
    for other in (copy.deepcopy(index), pickle.loads(pickle.dumps(index))):  # noqa: S301 - our own bytes
        np.testing.assert_array_equal(other.query(queries, 4), index.query(queries, 4))


def test_threads_may_ask_one_index_at_the_same_time():
    index, queries = FaissFlat().build(rows_of(clusters, 400, 40)), rows_of(clusters, 200, 40, seed=1)
    expected, answers = index.query(queries, 2), []
    threads = [threading.Thread(target=lambda: answers.append(index.query(queries, 2))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    for answer in answers:
        np.testing.assert_array_equal(answer, expected)
