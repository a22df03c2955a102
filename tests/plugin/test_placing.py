"""Rows placed around zero: float32 then keeps what tells them apart."""

from __future__ import annotations

import numpy as np
import pytest
from row_families import identical, rows_of, shifted

from patchcore_plugin.neighbors.placing import Placing


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1.0, 1e30, 1e300])
def test_a_bank_of_any_scale_is_placed_within_one(scale):
    bank = rows_of(shifted, 5000, 3).astype(np.float64) * scale
    placed = Placing.of(bank).place(bank)
    assert 0.5 < np.abs(placed).max() <= 1
    assert placed.dtype == np.float32
    np.testing.assert_allclose(placed.mean(axis=0), 0, atol=1e-5)


def test_differences_survive_a_large_offset():
    bank = 1e6 + np.arange(10.0)[:, None]
    placing = Placing.of(bank)
    np.testing.assert_allclose(np.diff(placing.place(bank)[:, 0]) / placing.factor, 1, rtol=1e-6)


def test_rows_that_are_all_equal_lie_at_zero():
    bank = rows_of(identical, 4, 3).astype(np.float64)
    np.testing.assert_allclose(Placing.of(bank).place(bank), 0, atol=1.0)


@pytest.mark.parametrize("far", [1e20, 1e300])
def test_queries_too_far_for_float32_are_cut_and_keep_their_side(far):
    placed = Placing.of(np.array([[0.0], [1.0]])).place(np.array([[far], [-far]]))
    assert np.isfinite(placed**2).all()
    assert placed[0] > 0 > placed[1]
