"""The samplers: how many rows, which rows, and what all of them promise."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from certificates import FLOAT32, Rejected, require_farthest_first
from hypothesis import given
from hypothesis import strategies as st
from row_families import clusters, identical, row_sets, rows_of

from patchcore_plugin.contracts import CoresetSampler
from patchcore_plugin.embedding_store import EmbeddingStore
from patchcore_plugin.errors import ConfigError, EmptyInputError, NonFiniteError, ShapeError, TooFewRowsError
from patchcore_plugin.parts import takes_memory
from patchcore_plugin.samplers import stored_rows
from patchcore_plugin.samplers.amazon_greedy import AmazonGreedy
from patchcore_plugin.samplers.keep_all import KeepAll
from patchcore_plugin.samplers.numba_greedy import NumbaGreedy
from patchcore_plugin.samplers.numpy_greedy import NumpyGreedy
from patchcore_plugin.samplers.projected_greedy import ProjectedGreedy
from patchcore_plugin.samplers.pruned_greedy import PrunedGreedy
from patchcore_plugin.samplers.random import RandomRows
from patchcore_plugin.samplers.torch_greedy import TorchGreedy
from patchcore_reference.projection import random_projection

PROJECTING = [NumpyGreedy, NumbaGreedy]
GREEDY = [*PROJECTING, PrunedGreedy, TorchGreedy]
CHOOSY = [RandomRows, *GREEDY, AmazonGreedy, ProjectedGreedy]


@pytest.mark.parametrize("make", [KeepAll, *CHOOSY])
def test_rows_are_distinct_whole_numbers_even_where_all_rows_are_equal(make):
    sampler = make() if make is KeepAll else make(keep=0.5)
    rows = sampler.select(rows_of(identical, 40, 3))
    assert isinstance(sampler, CoresetSampler)
    assert rows.dtype == np.int64
    assert len(set(rows.tolist())) == len(rows) == (40 if make is KeepAll else 20)
    assert set(rows.tolist()) <= set(range(40))


@pytest.mark.parametrize("make", CHOOSY)
@pytest.mark.parametrize(
    ("total", "settings", "kept"),
    [(100, {}, 1), (100, {"keep": 0.29}, 29), (20, {"keep": 0.5, "count": 3}, 3), (7, {"keep": 1}, 7)],
)
def test_a_number_wins_over_a_fraction_and_at_least_one_row_is_kept(make, total, settings, kept):
    assert len(make(**settings).select(rows_of(clusters, total, 2))) == kept


@pytest.mark.parametrize("make", CHOOSY)
def test_the_seed_decides_and_nothing_else_does(make):
    rows = rows_of(clusters, 60, 4)
    sampler = make(keep=0.2, seed=5)
    once = sampler.select(rows)
    make(keep=0.9, seed=6).select(rows[:30])
    np.testing.assert_array_equal(sampler.select(rows), once)
    starts = {int(make(count=1, seed=seed).select(rows)[0]) for seed in range(40)}
    assert min(starts) < 30 <= max(starts)


@pytest.mark.parametrize("make", CHOOSY)
def test_a_smaller_number_gives_the_beginning_of_a_larger_one(make):
    rows = rows_of(clusters, 80, 5)
    np.testing.assert_array_equal(make(count=60).select(rows)[:25], make(count=25).select(rows))


@pytest.mark.parametrize("make", GREEDY)
@given(rows=row_sets(), keep=st.floats(0.01, 1), seed=st.integers(0, 9))
def test_greedy_rows_are_farthest_first(make, rows, keep, seed):
    require_farthest_first(rows, make(keep=keep, seed=seed).select(rows), unit=FLOAT32)


@pytest.mark.parametrize("sampler", [KeepAll(), RandomRows(keep=0.3, seed=2)], ids=str)
def test_samplers_that_only_count_rows_leave_them_on_the_disk(tmp_path, sampler):
    rows = rows_of(clusters, 300, 4)
    store = EmbeddingStore(tmp_path / "rows", 4)
    store.append(rows)
    store.close()  # nothing can be read any more
    np.testing.assert_array_equal(sampler.select(store, memory=10**6), sampler.select(rows))
    assert takes_memory(sampler)


class Pieces:
    """Rows that nobody has looked at, and that come in pieces."""

    def __init__(self, rows):
        self._rows, self.shape, self.dtype = rows, rows.shape, rows.dtype

    def __len__(self):
        return len(self._rows)

    def __getitem__(self, wanted):
        return self._rows[wanted]


@pytest.mark.parametrize("sampler", [KeepAll(), RandomRows()], ids=str)
def test_values_that_no_store_has_checked_are_looked_at(sampler, monkeypatch):
    monkeypatch.setattr(stored_rows, "_AT_ONCE", 40)
    rows = rows_of(clusters, 100, 4)
    np.testing.assert_array_equal(sampler.select(Pieces(rows)), sampler.select(rows))
    rows[57, 2] = np.nan
    with pytest.raises(NonFiniteError, match=r"from row 50 on .*\[7, 2\]"):
        sampler.select(Pieces(rows))


def test_random_rows_are_not():
    with pytest.raises(Rejected):
        require_farthest_first(
            rows_of(clusters, 300, 6), RandomRows(count=30).select(rows_of(clusters, 300, 6)), unit=FLOAT32
        )


@pytest.mark.parametrize("make", PROJECTING)
def test_with_a_projection_rows_are_farthest_first_on_the_projection(make):
    rows = rows_of(clusters, 150, 40)
    chosen = make(count=40, seed=3, projection_width=8).select(rows)
    require_farthest_first(random_projection(rows, 8, seed=3), chosen, unit=FLOAT32)
    with pytest.raises(Rejected):
        require_farthest_first(rows, chosen, unit=FLOAT32)


@pytest.mark.parametrize("make", GREEDY)
def test_progress_is_told_until_the_end(make):
    heard = []
    make(count=30).select(rows_of(clusters, 90, 3), progress=lambda *step: heard.append(step))
    assert heard[-1] == (30, 30)


@pytest.mark.parametrize("make", [KeepAll, *CHOOSY])
def test_tensors_are_taken_as_they_are_and_stay_as_they_are(make):
    rows = torch.from_numpy(rows_of(clusters, 50, 4))
    before = rows.clone()
    np.testing.assert_array_equal(make().select(rows), make().select(rows.numpy()))
    assert torch.equal(rows, before)


@pytest.mark.parametrize("make", [KeepAll, *CHOOSY])
@pytest.mark.parametrize(
    ("rows", "error"),
    [(np.ones(3), ShapeError), (np.ones((0, 3)), EmptyInputError), (np.full((2, 2), np.nan), NonFiniteError)],
)
def test_rows_that_cannot_be_compared_are_refused(make, rows, error):
    with pytest.raises(error):
        make().select(rows)


@pytest.mark.parametrize("make", CHOOSY)
def test_more_rows_than_there_are_cannot_be_kept(make):
    with pytest.raises(TooFewRowsError, match="count is 9, but there are 4"):
        make(count=9).select(np.ones((4, 2)))


@pytest.mark.parametrize("make", CHOOSY)
@pytest.mark.parametrize(
    "settings",
    [
        {"keep": 0},
        {"keep": 1.5},
        {"keep": True},
        {"keep": "0.1"},
        {"keep": float("nan")},
        {"count": 0},
        {"count": 2.5},
        {"count": True},
        {"seed": -1},
        {"seed": 0.5},
    ],
    ids=str,
)
def test_settings_that_mean_nothing_are_refused_when_they_are_made(make, settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        make(**settings)


@pytest.mark.parametrize("make", PROJECTING)
@pytest.mark.parametrize("width", [0, 1.5, True])
def test_a_projection_of_no_width_is_refused(make, width):
    with pytest.raises(ConfigError, match="projection_width"):
        make(projection_width=width)


def test_settings_cannot_be_changed_afterwards():
    with pytest.raises(dataclasses.FrozenInstanceError):
        NumbaGreedy().keep = 0.5
