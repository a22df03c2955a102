"""projected-greedy: farthest first on a random projection, which can be looked at; the rows anomalib would choose."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from certificates import FLOAT32, Rejected, require_farthest_first
from hypothesis import given
from hypothesis import strategies as st
from row_families import clusters, rectified, row_sets, rows_of

from patchcore_plugin.errors import ConfigError, TooFewRowsError
from patchcore_plugin.samplers.projected_greedy import ProjectedGreedy
from patchcore_plugin.samplers.pruned_greedy import PrunedGreedy


def anomalib_rows(features, first, count):
    """anomalib's loop on projected rows: distances to the newest row, the smallest of each, the largest is next."""
    features = torch.from_numpy(features)
    rows, nearest = [first], torch.full((len(features),), torch.inf)
    for _ in range(count - 1):
        nearest = torch.minimum(nearest, torch.linalg.norm(features - features[rows[-1]], dim=1))
        nearest[rows[-1]] = 0
        rows.append(int(torch.argmax(nearest)))
    return rows


@pytest.mark.parametrize("family", [clusters, rectified])
@pytest.mark.parametrize("projection", ["sparse", "gaussian"])
def test_rows_are_those_of_anomalibs_loop_on_the_same_projection(family, projection):
    rows, sampler = rows_of(family, 600, 200), ProjectedGreedy(keep=0.2, seed=4, projection=projection)
    projected, chosen = sampler.project(rows), sampler.select(rows)
    assert projected.shape == (600, 157)
    assert chosen.tolist() == anomalib_rows(projected, int(chosen[0]), 120)


@given(
    rows=row_sets(),
    keep=st.floats(0.01, 1),
    width=st.one_of(st.none(), st.integers(1, 40)),
    projection=st.sampled_from(["sparse", "gaussian"]),
)
def test_rows_are_farthest_first_on_the_projection(rows, keep, width, projection):
    sampler = ProjectedGreedy(keep=keep, width=width, projection=projection)
    require_farthest_first(sampler.project(rows), sampler.select(rows), unit=FLOAT32)


def test_on_the_rows_themselves_they_are_not():
    rows = rows_of(clusters, 200, 60)
    with pytest.raises(Rejected):
        require_farthest_first(rows, ProjectedGreedy(keep=0.5, width=4).select(rows), unit=FLOAT32)


def test_a_projection_that_would_not_be_narrower_is_left_out_and_that_is_told():
    rows = rows_of(clusters, 300, 100)  # for 300 rows and eps 0.9 the lemma asks for 140 values
    sampler = ProjectedGreedy(keep=0.1, seed=2)
    assert sampler.project(rows) is rows
    found = sampler.select_with_report(rows)
    np.testing.assert_array_equal(found.rows, PrunedGreedy(keep=0.1, seed=2).select(rows))
    assert "would have no fewer" in found.facts["picked on"]


def test_a_width_that_is_asked_for_is_what_it_is_picked_on():
    rows = rows_of(clusters, 300, 100)
    sampler = ProjectedGreedy(keep=0.1, width=120)
    assert sampler.project(rows).shape == (300, 120)
    assert sampler.select_with_report(rows).facts["picked on"] == "120 values, a sparse projection of 100"


def test_radii_are_distances_on_the_projection():
    rows = rows_of(clusters, 200, 50)
    sampler = ProjectedGreedy(count=20, width=8)
    found, projected = sampler.select_with_report(rows), sampler.project(rows).astype(np.float64)
    reach = np.linalg.norm(projected[:, None] - projected[found.rows], axis=2).min(axis=1).max()
    assert found.radii[-1] == pytest.approx(reach, rel=1e-5)


def test_more_rows_than_there_are_are_refused_before_anything_is_projected():
    with pytest.raises(TooFewRowsError, match="count is 9, but there are 4"):
        ProjectedGreedy(count=9, width=10**9).select(np.ones((4, 2)))


@pytest.mark.parametrize(
    "settings", [{"eps": 0}, {"eps": 1}, {"eps": True}, {"eps": "0.9"}, {"width": 0}, {"projection": "dense"}], ids=str
)
def test_settings_that_mean_nothing_are_refused(settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        ProjectedGreedy(**settings)
