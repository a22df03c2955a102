"""Short vectors: their distances never exceed the true ones, whatever the rows, the axes, and the rounding."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from row_families import FAMILIES, clusters, rows_of

from patchcore_plugin.errors import EmptyInputError, NonFiniteError, ShapeError
from patchcore_plugin.lower_bound import distances_above, expansion_error, fit_lower_bound, without_turning

_EXACT = 1e-12  # the judge's own rounding, in float64


def far_off(random, rows, width):
    """A thousand standard deviations away from zero."""
    return (1000 + random.standard_normal((rows, width))).astype(np.float32)


def flat(random, rows, width):
    """Rank 2: all further axes are noise of the eigenvectors, and tails are nothing but rounding."""
    return (random.standard_normal((rows, 2)) @ random.standard_normal((2, width))).astype(np.float32)


def twin_columns(random, rows, width):
    """Every column many times."""
    return np.repeat(random.standard_normal((rows, 1)), width, axis=1).astype(np.float32)


def one_outlier(random, rows, width):
    """One row so far away that its squares dwarf all others."""
    points = random.standard_normal((rows, width)).astype(np.float32)
    points[0] *= 1e15
    return points


HARD = (*FAMILIES, far_off, flat, twin_columns, one_outlier)


def true_distances(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=2))


def expanded(a, b):
    """Squared distances of short vectors, the fast and careless way."""
    norms = [np.einsum("ij,ij->i", short, short) for short in (a, b)]
    return norms[0][:, None] - 2 * (a @ b.T) + norms[1]


def differences(a, b):
    return ((a[:, None] - b[None]) ** 2).sum(axis=2, dtype=np.float32)


def bounds(law, rows, squares=expanded, width=None):
    """What the short vectors of rows prove about each pair."""
    short = law.shorten(rows)
    slack = law.slack(short)
    short = law.fold(short, width or law.width)
    lengths = np.sqrt(np.einsum("ij,ij->i", short, short))
    return law.least_distances(
        squares(short, short), (lengths[:, None], lengths[None]), slack[:, None] + slack.astype(np.float64)
    )


@st.composite
def hard_rows(draw, max_rows=40, max_width=200):
    family, seed = draw(st.sampled_from(HARD)), draw(st.integers(0, 2**32 - 1))
    rows = rows_of(family, draw(st.integers(1, max_rows)), draw(st.integers(1, max_width)), seed)
    scale = draw(st.sampled_from([1.0, 1e-9, 1e-15, 1e9, 3.7]))
    return (rows * np.float32(scale)).astype(draw(st.sampled_from([np.float32, np.float64])))


@given(
    rows=hard_rows(),
    width=st.integers(1, 80),
    folded=st.integers(2, 80),
    squares=st.sampled_from([expanded, differences]),
)
def test_no_bound_exceeds_the_true_distance(rows, width, folded, squares):
    law, truth = fit_lower_bound(rows, width), true_distances(rows, rows)
    assert (bounds(law, rows, squares) <= truth * (1 + _EXACT)).all()
    assert (bounds(law, rows, squares, folded) <= truth * (1 + _EXACT)).all()


@given(rows=hard_rows(), width=st.integers(2, 40), squares=st.sampled_from([expanded, differences]))
def test_axes_of_other_rows_are_as_valid(rows, width, squares):
    others = rows_of(clusters, 30, rows.shape[1], seed=7)
    assert (bounds(fit_lower_bound(others, width), rows, squares) <= true_distances(rows, rows) * (1 + _EXACT)).all()


@given(rows=hard_rows(max_width=60))
def test_centred_rows_are_short_vectors_too(rows):
    law = without_turning(fit_lower_bound(rows, 4))
    assert law.width == rows.shape[1] + 1
    assert (bounds(law, rows) <= true_distances(rows, rows) * (1 + _EXACT)).all()


@given(rows=hard_rows(), width=st.integers(2, 60))
def test_a_square_that_reaches_the_limit_proves_the_distance(rows, width):
    law = fit_lower_bound(rows, width)
    short = law.shorten(rows)
    slack, lengths = law.slack(short).astype(np.float64), np.sqrt(np.einsum("ij,ij->i", short, short))
    both = (lengths[:, None], lengths[None])
    asked = np.median(true_distances(rows, rows)) * law.scale
    proven = expanded(short, short) >= distances_above(asked, slack[:, None] + slack, both, law.width)
    assert (true_distances(rows, rows)[proven] * law.scale >= asked * (1 - _EXACT)).all()


def nearly_equal_rows():
    """Pairs of rows that differ by one rounding in one value."""
    rows = np.random.default_rng(0).standard_normal((200, 5)).astype(np.float32)
    rows[1::2] = rows[::2]
    rows[1::2, 2] = np.nextafter(rows[::2, 2], np.float32(9))
    return rows


def test_without_slack_the_law_is_broken():
    """The tests above can fail."""
    rows = nearly_equal_rows()
    law = fit_lower_bound(rows, 6)
    short = law.shorten(rows).astype(np.float64)
    truth, squares = true_distances(rows, rows), true_distances(short, short) ** 2
    assert (law.least_distances(squares, (0.0, 0.0), 0.0) > truth * (1 + _EXACT)).any()
    slack = law.slack(law.shorten(rows)).astype(np.float64)
    assert (law.least_distances(squares, (0.0, 0.0), slack[:, None] + slack) <= truth * (1 + _EXACT)).all()


def test_without_the_error_of_expansion_the_law_is_broken():
    rows = nearly_equal_rows()
    law = fit_lower_bound(rows, 6)
    short = law.shorten(rows)
    slack = law.slack(short).astype(np.float64)
    careless = law.least_distances(expanded(short, short), (0.0, 0.0), slack[:, None] + slack)
    assert (careless > true_distances(rows, rows) * (1 + _EXACT)).any()


def test_the_bound_is_close_where_axes_describe_the_rows():
    random = np.random.default_rng(0)
    rows = (random.standard_normal((300, 400)) * np.geomspace(1, 1e-3, 400) + 50).astype(np.float32)
    law = fit_lower_bound(rows[:200], 65)
    truth = true_distances(rows, rows)
    far = truth > np.median(truth) / 2
    assert np.median(bounds(law, rows)[far] / truth[far]) > 0.93
    assert (law.slack(law.shorten(rows)) < 0.01 * np.median(truth) * law.scale).all()


@pytest.mark.parametrize(("rows", "width"), [(20, 300), (70, 300), (299, 300), (600, 300), (40, 50)])
def test_axes_are_those_along_which_the_sample_spreads_most(rows, width):
    random = np.random.default_rng(0)
    sample = (random.standard_normal((rows, width)) * np.geomspace(1, 1e-3, width)).astype(np.float32)
    law = fit_lower_bound(sample, 13)
    left = (law.shorten(sample)[:, -1].astype(np.float64) ** 2).sum() / law.scale**2
    values = np.linalg.svd(sample - sample.mean(axis=0), compute_uv=False)
    assert left <= 1.02 * (values[12:] ** 2).sum()
    assert law.skew < 1e-5


def test_one_value_is_the_distance_to_the_centre():
    rows = rows_of(clusters, 60, 9)
    law = fit_lower_bound(rows, 1)
    lengths = np.linalg.norm(rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64), axis=1)
    assert law.width == 1
    np.testing.assert_allclose(law.shorten(rows)[:, 0], lengths * law.scale, rtol=1e-5)


@pytest.mark.parametrize("width", [6, 7, 70])
def test_as_many_axes_as_values_give_the_distance_itself(width):
    rows = np.random.default_rng(0).standard_normal((50, 5)).astype(np.float32)
    law = fit_lower_bound(rows, width)
    assert law.width == 6
    np.testing.assert_allclose(bounds(law, rows, differences), true_distances(rows, rows), atol=1e-3)


def test_short_vectors_do_not_depend_on_their_neighbours_beyond_rounding():
    rows = rows_of(clusters, 5000, 20)
    law = fit_lower_bound(rows[:500], 8)
    whole = law.shorten(rows)
    parts = np.concatenate([law.shorten(part) for part in np.array_split(rows, 7)])
    assert (np.abs(whole - parts).max(axis=1) <= 2 * law.slack(whole)).all()


def test_values_beyond_all_others_are_cut_off_not_lost():
    rows = rows_of(clusters, 40, 10)
    law = fit_lower_bound(rows, 5)
    wild = rows.copy()
    wild[3, 4], wild[7] = 3e38, -3e38
    assert np.isfinite(law.shorten(wild)).all()
    assert (bounds(law, wild) <= true_distances(wild, wild) * (1 + _EXACT)).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(value):
    rows = rows_of(clusters, 3000, 10)
    law = fit_lower_bound(rows, 5)
    rows[2500, 3] = value
    with pytest.raises(NonFiniteError):
        law.shorten(rows)
    with pytest.raises(NonFiniteError):
        fit_lower_bound(rows, 5)


@pytest.mark.parametrize(
    ("sample", "width", "error"),
    [(np.ones((4, 3)), 0, ShapeError), (np.ones((0, 3)), 4, EmptyInputError), (np.ones(3), 4, ShapeError)],
)
def test_samples_and_widths_that_mean_nothing_are_refused(sample, width, error):
    with pytest.raises(error):
        fit_lower_bound(sample, width)


def test_rows_stay_as_they_are():
    rows = rows_of(clusters, 100, 10)
    rows.flags.writeable = False
    before = rows.copy()
    law = fit_lower_bound(rows, 5)
    law.fold(law.shorten(rows), 3)
    np.testing.assert_array_equal(rows, before)


def test_a_bound_cannot_be_changed_afterwards():
    with pytest.raises(dataclasses.FrozenInstanceError):
        fit_lower_bound(np.ones((4, 3)), 2).scale = 2.0


def test_longer_vectors_are_expanded_with_larger_errors():
    assert expansion_error(10, 2.0, 1.0) > expansion_error(10, 1.0, 1.0) > 0
    assert expansion_error(20, 1.0, 1.0) > expansion_error(10, 1.0, 1.0)
