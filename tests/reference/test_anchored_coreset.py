"""The official code's approximate greedy scheme, plain and compiled, against the scheme written out in torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from certificates import FLOAT32, FLOAT64, Rejected, require_anchored, require_farthest_first
from hypothesis import given
from hypothesis import strategies as st
from row_families import clusters, identical, odd_layouts, row_sets, rows_of

from patchcore_reference import anchored_coreset, numba_anchored
from patchcore_reference.anchored_coreset import mean_distances
from patchcore_reference.errors import EmptyInputError, NonFiniteError, ShapeError, TooFewRowsError
from patchcore_reference.projection import untrained_projection

TWINS = [(anchored_coreset.anchored_rows, FLOAT64), (numba_anchored.anchored_rows, FLOAT32)]
BOTH = pytest.mark.parametrize(("pick", "unit"), TWINS, ids=["plain", "compiled"])


def official_rows(features, count, anchors):
    """The official scheme step by step, in float64: one column per chosen row, the smallest of each line counts."""
    features = torch.from_numpy(features).double()
    columns = torch.cdist(features, features[anchors], compute_mode="donot_use_mm_for_euclid_dist").mean(1, True)
    rows = []
    for _ in range(count):
        rows.append(int(torch.argmax(columns.min(1).values)))
        columns = torch.cat([columns, torch.linalg.norm(features - features[rows[-1]], dim=1)[:, None]], 1)
    return rows


@BOTH
@given(rows=row_sets(), data=st.data())
def test_each_choice_has_the_largest_clamped_distance(pick, unit, rows, data):
    count = data.draw(st.integers(1, len(rows)))
    anchors = np.array(data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=10, unique=True)))
    require_anchored(rows, pick(rows, count, anchors), anchors, unit=unit)


@BOTH
def test_rows_are_those_of_the_official_scheme(pick, unit):
    rows = untrained_projection(rows_of(clusters, 400, 40), 16, seed=2)
    anchors = np.random.default_rng(5).choice(400, 10, replace=False)
    np.testing.assert_array_equal(pick(rows, 120, anchors), official_rows(rows, 120, anchors))


@BOTH
def test_it_is_not_farthest_first_and_the_certificate_of_that_would_notice(pick, unit):
    rows = rows_of(clusters, 300, 6)
    chosen = pick(rows, 200, np.arange(10))
    with pytest.raises(Rejected):
        require_farthest_first(rows, chosen[::-1], unit=unit)
    with pytest.raises(Rejected):
        require_anchored(rows, chosen[::-1], np.arange(10), unit=unit)


def test_far_rows_count_no_farther_than_their_mean_distance_to_the_anchors():
    rows = np.array([[0.0], [1.0], [100.0], [104.0]])
    assert anchored_coreset.anchored_rows(rows, 4, np.array([2, 3])).tolist() == [0, 2, 3, 1]  # 102, 2, 2 and 1


@BOTH
def test_equal_rows_are_chosen_once_each_and_from_the_lowest_on(pick, unit):
    assert pick(rows_of(identical, 20, 3), 20, np.array([4])).tolist() == list(range(20))


@BOTH
def test_a_smaller_number_gives_the_beginning_and_progress_is_told_to_the_end(pick, unit):
    rows, heard = rows_of(clusters, 80, 5), []
    all_of_them = pick(rows, 60, np.arange(5), progress=lambda *step: heard.append(step))
    np.testing.assert_array_equal(all_of_them[:25], pick(rows, 25, np.arange(5)))
    assert heard[-1] == (60, 60)


@BOTH
@pytest.mark.parametrize(
    "layout", ["read-only", "column order", "every second column", "reversed twice", "foreign byte order"]
)
def test_the_layout_in_memory_does_not_matter(pick, unit, layout):
    rows = rows_of(clusters, 60, 5)
    np.testing.assert_array_equal(pick(odd_layouts(rows)[layout], 30, np.arange(3)), pick(rows, 30, np.arange(3)))


def test_the_mean_distance_counts_an_anchors_distance_to_itself():
    np.testing.assert_allclose(mean_distances(np.array([[0.0], [3.0], [9.0]]), np.array([0, 1])), [1.5, 1.5, 7.5])


@BOTH
@pytest.mark.parametrize(
    ("rows", "count", "anchors", "error"),
    [
        (np.ones((3, 2)), 4, [0], TooFewRowsError),
        (np.ones((3, 2)), 1, [3], TooFewRowsError),
        (np.ones((3, 2)), 1, [0.5], ShapeError),
        (np.ones((3, 2)), 1, np.empty(0, int), EmptyInputError),
        (np.full((3, 2), np.nan), 1, [0], NonFiniteError),
    ],
)
def test_what_cannot_be_picked_is_refused(pick, unit, rows, count, anchors, error):
    with pytest.raises(error):
        pick(rows, count, np.asarray(anchors))
