"""The law of the bounds: whatever products prove to be too far is too far."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from row_families import clusters, rectified, row_sets, rows_of, shifted

from patchcore_plugin.torch_bounds import fit_bounds, measure, squared_lengths
from patchcore_plugin.torch_products import less_products


def verdicts(rows, others, known):
    """For each pair: whether the row is proved to lie farther than ``known`` from the other."""
    bounds = fit_bounds(rows)
    short, asked = bounds.prepare(rows), bounds.prepare(others)
    limits = bounds.limits(known, squared_lengths(asked))
    return less_products(bounds.halves(squared_lengths(short)), asked, short) > limits[:, None]


def true_squares(rows, others):
    return (others.double()[:, None] - rows.double()).square().sum(dim=2)


@given(rows=row_sets(max_rows=40), power=st.sampled_from([-100, -30, 0, 30, 50]), place=st.integers(0, 39))
def test_no_row_within_the_limit_is_ever_ruled_out(rows, power, place):
    """The limit is the true square of one row, so that rounding by one bit the wrong way would be seen."""
    bank = torch.from_numpy(rows) * 2.0**power
    squares = true_squares(bank, bank)
    known = squares[:, place % len(rows)]
    far = verdicts(bank, bank, known)
    assert not (far & (squares <= known[:, None])).any()


@pytest.mark.parametrize("family", [clusters, rectified, shifted])
def test_most_far_rows_are_ruled_out(family):
    bank = torch.from_numpy(rows_of(family, 300, 64))
    squares = true_squares(bank, bank)
    known = squares.median(dim=1).values
    far = verdicts(bank, bank, known)
    assert int(far.sum()) > 0.9 * int((squares > known[:, None]).sum())


def test_queries_beyond_all_reason_are_not_ruled_out():
    bank = torch.from_numpy(rows_of(clusters, 20, 8))
    wild = bank[:4] * 1e30
    assert not verdicts(bank, wild, torch.ones(4, dtype=torch.float64)).any()


@pytest.mark.parametrize(("family", "centred"), [(shifted, True), (rectified, False), (clusters, False)])
def test_rows_are_centred_where_they_lie_far_off_and_shared_elsewhere(family, centred):
    bank = torch.from_numpy(rows_of(family, 50, 6))
    bounds = fit_bounds(bank)
    assert (bounds.centre is not None) == centred
    assert (bounds.prepare(bank) is bank) == (not centred)


@pytest.mark.parametrize("scale", [1e-38, 1e-20, 1e20, 3e37])
def test_prepared_rows_are_of_a_size_that_float32_can_square(scale):
    bank = torch.from_numpy(rows_of(rectified, 50, 6) / 3) * scale
    squares = squared_lengths(fit_bounds(bank).prepare(bank))
    assert 1e-3 < float(squares.max()) < 1e3


def test_pairs_are_measured_by_differences():
    bank = torch.from_numpy(rows_of(shifted, 50, 6))
    i, j = torch.tensor([3, 4, 4]), torch.tensor([0, 4, 7])
    np.testing.assert_allclose(measure(bank, i, bank, j), true_squares(bank, bank)[i, j], rtol=1e-14)
