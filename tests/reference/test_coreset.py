"""Farthest-first rows: the certificate of each step, the bound on the radius, and what a fraction means."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from certificates import EXACT, FLOAT64, cover_radius, require_farthest_first
from hypothesis import given
from hypothesis import strategies as st
from row_families import duplicates, identical, lattice, row_sets

from patchcore_reference.coreset import coverage_radii, greedy_rows, rows_to_keep
from patchcore_reference.errors import NonFiniteError, ShapeError, TooFewRowsError


@given(rows=row_sets(), data=st.data())
def test_each_choice_is_the_farthest_row(rows, data):
    count, first = data.draw(st.integers(1, len(rows))), data.draw(st.integers(0, len(rows) - 1))
    chosen = greedy_rows(rows, count, first)
    assert chosen[0] == first
    assert len(chosen) == count
    require_farthest_first(rows, chosen, unit=FLOAT64)


@given(points=row_sets(families=[lattice, duplicates, identical], max_rows=7, max_width=4), data=st.data())
def test_the_cover_is_at_most_twice_the_best(points, data):
    """Gonzalez 1985: farthest-first covers within twice the optimum."""
    count, first = data.draw(st.integers(1, len(points))), data.draw(st.integers(0, len(points) - 1))
    best = min(cover_radius(points, choice) for choice in combinations(range(len(points)), count))
    assert cover_radius(points, greedy_rows(points, count, first)) <= 2 * best + 1e-9


@given(rows=row_sets(families=[lattice], max_rows=20, max_width=3))
def test_equally_far_rows_are_taken_from_the_lowest_on(rows):
    chosen = greedy_rows(rows, len(rows), 0)
    require_farthest_first(rows, chosen, unit=EXACT)
    for step in range(1, len(chosen)):
        reach = np.min([((rows - rows[c]) ** 2).sum(axis=1) for c in chosen[:step]], axis=0)
        reach[chosen[:step]] = -1
        assert chosen[step] == np.flatnonzero(reach == reach.max())[0]


def test_a_smaller_number_gives_the_beginning_of_a_larger_one():
    rows = np.random.default_rng(0).standard_normal((60, 5))
    np.testing.assert_array_equal(greedy_rows(rows, 60, 3)[:20], greedy_rows(rows, 20, 3))


def test_a_line_is_picked_from_its_ends_inwards():
    np.testing.assert_array_equal(greedy_rows(np.arange(9.0)[:, None], 5, 0), [0, 8, 4, 2, 6])


@given(rows=row_sets(max_rows=25, max_width=9))
def test_radii_are_the_radii_of_the_cover_and_never_grow(rows):
    chosen = greedy_rows(rows, len(rows), 0)
    radii = coverage_radii(rows, chosen)
    expected = [cover_radius(rows, chosen[: step + 1]) for step in range(len(chosen))]
    np.testing.assert_allclose(radii, expected, rtol=1e-12)
    assert (np.diff(radii) <= 0).all()
    assert radii[-1] == 0


def test_progress_is_told_about_every_percent_and_at_the_end():
    heard = []
    greedy_rows(np.random.default_rng(0).standard_normal((400, 2)), 300, progress=lambda *step: heard.append(step))
    assert heard[-1] == (300, 300)
    assert 90 <= len(heard) <= 110
    assert all(earlier < later for (earlier, _), (later, _) in pairwise(heard))


@pytest.mark.parametrize(
    ("total", "keep", "expected"), [(100, 0.29, 29), (100, 0.57, 57), (9, 0.1, 1), (3, 0.01, 1), (7, 1, 7)]
)
def test_a_fraction_is_rounded_and_keeps_at_least_one_row(total, keep, expected):
    assert rows_to_keep(total, keep) == expected


@pytest.mark.parametrize("keep", [0, -0.1, 1.01, float("nan"), True])
def test_a_fraction_outside_its_range_is_refused(keep):
    with pytest.raises(ShapeError, match="fraction above 0"):
        rows_to_keep(10, keep)


def test_a_fraction_of_nothing_is_refused():
    with pytest.raises(ShapeError, match="total"):
        rows_to_keep(0, 0.5)


@pytest.mark.parametrize(
    ("count", "first", "error", "words"),
    [
        (5, 0, TooFewRowsError, "count is 5, but there are 4"),
        (0, 0, TooFewRowsError, "count is 0"),
        (True, 0, ShapeError, "count"),
        (2, 4, TooFewRowsError, "first names row 4"),
        (2, -1, TooFewRowsError, "first names row -1"),
        (2, 0.0, ShapeError, "first"),
        (2, True, ShapeError, "first"),
    ],
)
def test_choices_that_are_impossible_are_refused(count, first, error, words):
    with pytest.raises(error, match=words):
        greedy_rows(np.ones((4, 2)), count, first)


def test_rows_that_hold_nan_are_refused():
    with pytest.raises(NonFiniteError, match="embeddings"):
        greedy_rows(np.array([[0.0], [np.nan]]), 1)


def test_radii_of_rows_that_do_not_exist_are_refused():
    with pytest.raises(TooFewRowsError, match="row 9"):
        coverage_radii(np.ones((4, 2)), np.array([0, 9]))
