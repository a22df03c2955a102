"""The judge itself: it must let right answers pass and reject wrong ones."""

from __future__ import annotations

import numpy as np
import pytest
from certificates import EXACT, FLOAT32, Rejected, require_farthest_first, require_nearest
from row_families import clusters, lattice, rows_of
from scipy.spatial.distance import cdist

LINE = np.array([[0.0], [1.0], [5.0], [9.0]])


def brute_force(queries, bank, k):
    measured = cdist(queries, bank)
    rows = np.argsort(measured, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(measured, rows, axis=1), rows


def test_a_farthest_first_order_is_accepted():
    require_farthest_first(LINE, np.array([0, 3, 2, 1]), unit=EXACT)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([0, 2, 3, 1], "choice 1"),
        ([0, 3, 1, 2], "choice 2"),
        ([0, 3, 3], "twice"),
        ([0, 4], "outside"),
        ([0, -1], "outside"),
    ],
)
def test_a_wrong_order_is_rejected(rows, reason):
    with pytest.raises(Rejected, match=reason):
        require_farthest_first(LINE, np.array(rows), unit=EXACT)


def test_random_rows_are_no_coreset_even_with_the_slack_of_float32():
    points = rows_of(clusters, 200, 8)
    with pytest.raises(Rejected, match="choice"):
        require_farthest_first(points, np.arange(20), unit=FLOAT32)


def test_row_numbers_that_are_no_int64_are_rejected():
    with pytest.raises(Rejected, match="uint16"):
        require_farthest_first(LINE, np.array([0, 3], dtype=np.uint16), unit=EXACT)


def test_brute_force_neighbours_are_accepted_and_ties_may_be_swapped():
    bank = np.repeat(rows_of(lattice, 10, 3), 2, axis=0)
    distances, rows = brute_force(bank[:4], bank, 2)
    require_nearest(bank[:4], bank, distances, rows, 2, unit=EXACT)
    require_nearest(bank[:4], bank, distances, rows[:, ::-1], 2, unit=EXACT)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda d, r: (d**2, r), "belong"),
        (lambda d, r: (d[:, ::-1], r[:, ::-1]), "sorted"),
        (lambda d, r: (d[:, 1:], r[:, 1:]), "missed"),
        (lambda d, r: (d, np.roll(r, 1, axis=1)), "belong"),
        (lambda d, r: (d, np.repeat(r[:, :1], r.shape[1], axis=1)), "twice"),
        (lambda d, r: (d * (1 + 1e-4), r), "belong"),
        (lambda d, r: (d, r.astype(np.float64)), "int64"),
    ],
)
def test_wrong_neighbours_are_rejected(spoil, reason):
    queries, bank = rows_of(clusters, 6, 5, seed=1), rows_of(clusters, 50, 5, seed=2)
    distances, rows = spoil(*brute_force(queries, bank, 4))
    with pytest.raises(Rejected, match=reason):
        require_nearest(queries, bank, distances, rows, distances.shape[1], unit=FLOAT32)


def test_an_answer_of_the_wrong_size_is_rejected():
    distances, rows = brute_force(LINE, LINE, 2)
    with pytest.raises(Rejected, match="shapes"):
        require_nearest(LINE, LINE, distances, rows, 3, unit=EXACT)
