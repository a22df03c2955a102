"""Distances by differences: one number for a pair of rows, whoever asks and beside whatever other pairs."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from patchcore_plugin.samplers.numba_pair_distances import A_ROWS, B_ROWS, square_between, squares_between


@njit
def one_by_one(a, b, squares):
    for i in range(len(a)):
        for j in range(len(b)):
            squares[i, j] = square_between(a, i, b, j)


@njit
def all_at_once(a, rows, b, others, squares):
    squares_between(a, rows, b, others, squares)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_distance_has_the_same_bits_alone_and_in_company_at_every_width(kind):
    random = np.random.default_rng(0)
    for width in (*range(1, 140), 1311, 1312, 1313):
        a, b = (random.standard_normal((rows, width)).astype(kind) for rows in (A_ROWS, B_ROWS))
        alone, together = np.empty((A_ROWS, B_ROWS), kind), np.empty((A_ROWS, B_ROWS), kind)
        swapped = np.empty((B_ROWS, A_ROWS), kind)
        one_by_one(a, b, alone)
        one_by_one(b, a, swapped)
        all_at_once(a, np.arange(A_ROWS), b, np.arange(B_ROWS), together)
        np.testing.assert_array_equal(alone, together)
        np.testing.assert_array_equal(alone, swapped.T)
        exact = ((a[:, None].astype(np.float64) - b) ** 2).sum(axis=2)
        np.testing.assert_allclose(alone, exact, rtol=(width / 16 + 40) * np.finfo(kind).eps)


def test_rows_may_be_taken_from_anywhere():
    a = np.random.default_rng(0).standard_normal((30, 19)).astype(np.float32)
    rows, others = np.arange(A_ROWS)[::-1] * 9 + 3, np.arange(B_ROWS)[::-1] * 7 + 2
    found = np.empty((A_ROWS, B_ROWS), np.float32)
    all_at_once(a, rows, a, others, found)
    np.testing.assert_allclose(found, ((a[rows][:, None] - a[others]) ** 2).sum(axis=2), rtol=1e-5)
