"""The compiled twins, held to the plain functions by certificates: equal row numbers are asked for only where exact."""

from __future__ import annotations

import os
import subprocess
import sys
from textwrap import dedent

import numpy as np
import pytest
from certificates import FLOAT32, FLOAT64, require_farthest_first, require_nearest
from hypothesis import given
from hypothesis import strategies as st
from row_families import FAMILIES, clusters, duplicates, identical, lattice, odd_layouts, row_sets, rows_of, shifted

from patchcore_reference import coreset, distances, neighbors, numba_kernels
from patchcore_reference.errors import EmptyInputError, NonFiniteError, ShapeError, TooFewRowsError, WidthMismatchError

LAYOUTS = ["read-only", "column order", "every second column", "reversed twice", "foreign byte order"]
DTYPES = ["float16", "float32", "float64", "uint8", "int16", "int64"]


@given(rows=row_sets())
def test_distances_are_those_of_the_plain_twin(rows):
    queries = rows[::2] + np.float32(0.5)
    expected = distances.euclidean_distances(queries, rows)
    np.testing.assert_allclose(numba_kernels.euclidean_distances(queries, rows), expected, rtol=1e-13, atol=0)


@given(rows=row_sets(), data=st.data())
def test_the_nearest_rows_are_found_and_their_distances_are_those_of_float64(rows, data):
    queries = rows[: data.draw(st.integers(1, len(rows)))] + np.float32(0.25)
    k = data.draw(st.integers(1, len(rows)))
    measured, found = numba_kernels.nearest_rows(queries, rows, k)
    require_nearest(queries, rows, measured, found, k, unit=FLOAT32)
    truth = np.take_along_axis(distances.euclidean_distances(queries, rows), found, axis=1)
    np.testing.assert_allclose(measured, truth, rtol=1e-13, atol=0)


@given(rows=row_sets(families=[lattice, identical]), data=st.data())
def test_on_whole_numbers_neighbours_are_the_same_to_the_last_tie(rows, data):
    rows = np.round(rows)
    k = data.draw(st.integers(1, len(rows)))
    measured, found = numba_kernels.nearest_rows(rows, rows, k)
    expected, plain = neighbors.nearest_rows(rows, rows, k)
    np.testing.assert_array_equal(measured, expected)
    np.testing.assert_array_equal(found, plain)


@pytest.mark.parametrize("queries", [1, 3, 31, 32, 33, 64, 127])
def test_no_query_and_no_bank_row_is_lost_at_the_edges_of_blocks(queries):
    bank, asked = rows_of(clusters, 701, 129, seed=1), rows_of(clusters, queries, 129, seed=2)
    measured, found = numba_kernels.nearest_rows(asked, bank, 400)
    require_nearest(asked, bank, measured, found, 400, unit=FLOAT32)


def test_a_query_is_answered_alone_as_it_is_in_company():
    bank, asked = rows_of(shifted, 300, 37, seed=1), rows_of(shifted, 9, 37, seed=2)
    together = numba_kernels.nearest_rows(asked, bank, 5)
    for number in range(9):
        alone = numba_kernels.nearest_rows(asked[number : number + 1], bank, 5)
        np.testing.assert_array_equal(alone[0][0], together[0][number])
        np.testing.assert_array_equal(alone[1][0], together[1][number])


def test_a_row_of_the_bank_finds_itself_at_distance_zero():
    bank = rows_of(shifted, 70, 23)
    measured, found = numba_kernels.nearest_rows(bank, bank)
    assert (measured == 0).all()
    np.testing.assert_array_equal(found[:, 0], np.arange(70))


@given(rows=row_sets(), data=st.data())
def test_each_choice_is_the_farthest_row(rows, data):
    count, first = data.draw(st.integers(1, len(rows))), data.draw(st.integers(0, len(rows) - 1))
    chosen = numba_kernels.greedy_rows(rows, count, first)
    assert chosen[0] == first
    assert len(chosen) == count
    require_farthest_first(rows, chosen, unit=FLOAT32)


@given(rows=row_sets(families=[lattice], max_rows=90), first=st.integers(0, 10**6))
def test_on_whole_numbers_the_coreset_is_the_same_to_the_last_tie(rows, first):
    first %= len(rows)
    plain = coreset.greedy_rows(rows, len(rows), first)
    np.testing.assert_array_equal(numba_kernels.greedy_rows(rows, len(rows), first), plain)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_more_rows_than_one_shell_holds_are_picked_farthest_first(family):
    rows = rows_of(family, 3000, 6)
    require_farthest_first(rows, numba_kernels.greedy_rows(rows, 150, 17), unit=FLOAT32)


@pytest.mark.parametrize("family", [lattice, duplicates, identical], ids=lambda family: family.__name__)
def test_all_rows_can_be_kept_in_the_plain_order_of_ties(family):
    rows = np.round(rows_of(family, 2500, 2))
    chosen = numba_kernels.greedy_rows(rows, 2500, 7)
    np.testing.assert_array_equal(chosen, coreset.greedy_rows(rows, 2500, 7))
    assert len(set(chosen.tolist())) == 2500


def test_a_smaller_number_gives_the_beginning_of_a_larger_one():
    rows = rows_of(clusters, 2000, 11)
    np.testing.assert_array_equal(numba_kernels.greedy_rows(rows, 400)[:90], numba_kernels.greedy_rows(rows, 90))


def test_rows_beyond_sixteen_bits_are_reached():
    rows = (np.arange(70_001.0) ** 1.5).astype(np.float32)[:, None]
    require_farthest_first(rows, numba_kernels.greedy_rows(rows, 40), unit=FLOAT32)
    measured, found = numba_kernels.nearest_rows(rows[[65_535, 65_536, 70_000]], rows)
    np.testing.assert_array_equal(found[:, 0], [65_535, 65_536, 70_000])
    assert (measured == 0).all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_layout_in_memory_does_not_matter(layout):
    rows = rows_of(clusters, 90, 13)
    held = odd_layouts(rows)[layout]
    before = held.copy()
    for twin, arguments in ((numba_kernels.nearest_rows, (4,)), (numba_kernels.euclidean_distances, ())):
        np.testing.assert_array_equal(twin(held, held, *arguments), twin(rows, rows, *arguments))
    np.testing.assert_array_equal(numba_kernels.greedy_rows(held, 30), numba_kernels.greedy_rows(rows, 30))
    np.testing.assert_array_equal(held, before)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type_of_real_number_gives_the_same_answer_on_whole_numbers(dtype):
    rows = np.abs(rows_of(lattice, 80, 9))
    held = rows.astype(dtype)
    np.testing.assert_array_equal(numba_kernels.greedy_rows(held, 40), coreset.greedy_rows(rows, 40))
    np.testing.assert_array_equal(numba_kernels.nearest_rows(held, rows, 7), neighbors.nearest_rows(rows, rows, 7))
    np.testing.assert_array_equal(numba_kernels.nearest_rows(rows, held, 7), neighbors.nearest_rows(rows, rows, 7))


def test_float64_is_searched_in_float64():
    rows = 1e8 + rows_of(clusters, 120, 9).astype(np.float64)
    require_farthest_first(rows, numba_kernels.greedy_rows(rows, 60), unit=FLOAT64)
    require_nearest(rows[::3], rows, *numba_kernels.nearest_rows(rows[::3], rows, 5), 5, unit=FLOAT64)


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e12, 1e30])
def test_scales_at_which_squares_leave_float32_change_no_choice(scale):
    rows = (rows_of(clusters, 100, 5).astype(np.float64) * scale).astype(np.float32)
    require_farthest_first(rows, numba_kernels.greedy_rows(rows, 50), unit=FLOAT32)
    require_nearest(rows[::4], rows, *numba_kernels.nearest_rows(rows[::4], rows, 6), 6, unit=FLOAT32)


def test_no_queries_get_no_answers():
    measured, found = numba_kernels.nearest_rows(np.empty((0, 2), np.float32), np.ones((3, 2), np.float32), k=2)
    assert measured.shape == found.shape == (0, 2)
    assert (measured.dtype, found.dtype) == (np.float64, np.int64)
    assert numba_kernels.euclidean_distances(np.empty((0, 2)), np.ones((3, 2))).shape == (0, 3)


@pytest.mark.parametrize("count", [1, 2, 300])
def test_progress_ends_with_the_whole(count):
    heard = []
    numba_kernels.greedy_rows(rows_of(clusters, 2000, 4), count, progress=lambda *step: heard.append(step))
    assert heard[-1] == (count, count)
    assert [done for done, _ in heard] == sorted({done for done, _ in heard})


def test_a_run_can_be_interrupted_and_another_one_starts_afresh():
    rows = rows_of(clusters, 2000, 4)

    def interrupt(done, count):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        numba_kernels.greedy_rows(rows, 100, progress=interrupt)
    assert not numba_kernels.one_at_a_time.locked()
    require_farthest_first(rows, numba_kernels.greedy_rows(rows, 100), unit=FLOAT32)


@pytest.mark.parametrize(
    ("queries", "bank", "k", "error"),
    [
        (np.ones((1, 2)), np.ones((3, 2)), 4, TooFewRowsError),
        (np.ones((1, 2)), np.ones((3, 2)), 0, TooFewRowsError),
        (np.ones((1, 2)), np.ones((3, 2)), True, ShapeError),
        (np.ones((1, 3)), np.ones((3, 2)), 1, WidthMismatchError),
        (np.ones(2), np.ones((3, 2)), 1, ShapeError),
        (np.full((1, 2), np.nan), np.ones((3, 2)), 1, NonFiniteError),
        (np.ones((1, 2)), np.full((3, 2), np.inf), 1, NonFiniteError),
        (np.ones((1, 2)), np.ones((0, 2)), 1, EmptyInputError),
        (np.ones((1, 2)), np.ones((3, 2), dtype=object), 1, ShapeError),
    ],
)
def test_both_twins_refuse_the_same_searches_in_the_same_words(queries, bank, k, error):
    with pytest.raises(error) as plain:
        neighbors.nearest_rows(queries, bank, k)
    with pytest.raises(error) as compiled:
        numba_kernels.nearest_rows(queries, bank, k)
    assert str(plain.value) == str(compiled.value)


@pytest.mark.parametrize(
    ("rows", "count", "first", "error"),
    [
        (np.ones((4, 2)), 5, 0, TooFewRowsError),
        (np.ones((4, 2)), True, 0, ShapeError),
        (np.ones((4, 2)), 2, 4, TooFewRowsError),
        (np.ones((4, 2)), 2, 0.5, ShapeError),
        (np.ones(4), 2, 0, ShapeError),
        (np.ones((0, 2)), 1, 0, EmptyInputError),
        (np.array([[1.0], [np.nan]]), 1, 0, NonFiniteError),
    ],
)
def test_both_twins_refuse_the_same_coresets_in_the_same_words(rows, count, first, error):
    with pytest.raises(error) as plain:
        coreset.greedy_rows(rows, count, first)
    with pytest.raises(error) as compiled:
        numba_kernels.greedy_rows(rows, count, first)
    assert str(plain.value) == str(compiled.value)


def run_with_four_threads(script):
    """In a process of its own: the number of threads is fixed when Numba starts, and a crash must be seen as one."""
    environment = {**os.environ, "NUMBA_NUM_THREADS": "4"}
    command = [sys.executable, "-c", dedent(script)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


def test_answers_do_not_depend_on_the_number_of_threads():
    done = run_with_four_threads("""
        import numba, numpy as np
        from patchcore_reference.numba_kernels import greedy_rows, nearest_rows
        rows = np.random.default_rng(0).standard_normal((5000, 19)).astype(np.float32)
        answers = []
        for threads in (1, 2, 4):
            numba.set_num_threads(threads)
            answers.append((greedy_rows(rows, 300), *nearest_rows(rows[:150], rows, 3)))
        for other in answers[1:]:
            assert all(np.array_equal(one, two) for one, two in zip(answers[0], other))
        print("same")
    """)
    assert (done.returncode, done.stdout) == (0, "same\n"), done.stderr


def test_several_python_threads_may_ask_at_once():
    done = run_with_four_threads("""
        import numpy as np
        from concurrent.futures import ThreadPoolExecutor
        from patchcore_reference.numba_kernels import greedy_rows, nearest_rows
        rows = np.random.default_rng(0).standard_normal((3000, 19)).astype(np.float32)
        tasks = [lambda: nearest_rows(rows[:200], rows, 3)[1], lambda: greedy_rows(rows, 100)] * 8
        alone = [task() for task in tasks]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda task: task(), tasks))
        assert all(np.array_equal(one, two) for one, two in zip(alone, together))
        print("same")
    """)
    assert (done.returncode, done.stdout) == (0, "same\n"), done.stderr
