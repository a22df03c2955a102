"""amazon-greedy: the rows of the official code's approximate sampler, given the same projection and starting rows."""

from __future__ import annotations

import pytest
import torch
from certificates import FLOAT32, require_anchored
from hypothesis import given
from hypothesis import strategies as st
from row_families import clusters, rectified, row_sets, rows_of

from patchcore_plugin.errors import ConfigError
from patchcore_plugin.samplers.amazon_greedy import AmazonGreedy


def official_rows(features, start_points, share):
    """The official scheme as it is computed there: expanded distances, a growing start column, the smallest counts."""

    def expanded(a, b):
        lengths = (a**2).sum(1)[:, None] + (b**2).sum(1)[None]
        return (lengths - 2 * a @ b.T).clamp(0).sqrt()

    features = torch.from_numpy(features).double()
    nearest = expanded(features, features[start_points]).mean(1, keepdim=True)
    rows = []
    for _ in range(int(len(features) * share)):
        rows.append(int(torch.argmax(nearest)))
        nearest = torch.minimum(nearest, expanded(features, features[rows[-1:]]))
    return rows


@pytest.mark.parametrize("family", [clusters, rectified])
@pytest.mark.parametrize("width", [40, 128])
def test_rows_are_those_of_the_official_scheme(family, width):
    rows, sampler = rows_of(family, 500, width), AmazonGreedy(keep=0.2, seed=3)
    expected = official_rows(sampler.project(rows), sampler.anchors_among(500), 0.2)
    assert sampler.select(rows).tolist() == expected


@given(rows=row_sets(), keep=st.floats(0.01, 1), seed=st.integers(0, 9))
def test_each_choice_has_the_largest_clamped_distance_on_the_projection(rows, keep, seed):
    sampler = AmazonGreedy(keep=keep, seed=seed, width=16)
    require_anchored(sampler.project(rows), sampler.select(rows), sampler.anchors_among(len(rows)), unit=FLOAT32)


def test_rows_as_wide_as_the_projection_are_taken_as_they_are():
    rows = rows_of(clusters, 30, 128)
    assert AmazonGreedy().project(rows) is rows
    assert AmazonGreedy(width=64).project(rows).shape == (30, 64)


def test_anchors_are_different_rows_and_all_of_few():
    sampler = AmazonGreedy(seed=2)
    assert len(set(sampler.anchors_among(1000).tolist())) == 10
    assert sorted(sampler.anchors_among(4).tolist()) == [0, 1, 2, 3]


def test_a_share_is_rounded_and_never_keeps_nothing():
    assert len(AmazonGreedy(keep=0.29).select(rows_of(clusters, 100, 3))) == 29  # the official code: 28
    assert len(AmazonGreedy(keep=0.01).select(rows_of(clusters, 5, 3))) == 1  # the official code: 0


@pytest.mark.parametrize("settings", [{"width": 0}, {"anchors": 0}, {"anchors": True}])
def test_settings_that_mean_nothing_are_refused(settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        AmazonGreedy(**settings)
