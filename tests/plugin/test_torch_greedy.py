"""The coreset by torch: exactly the rows of the plain loop, on any rows, however they are cut into batches."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from certificates import FLOAT32, FLOAT64, require_farthest_first
from hypothesis import given
from hypothesis import strategies as st
from row_families import (
    FAMILIES,
    clusters,
    duplicates,
    identical,
    lattice,
    odd_layouts,
    rectified,
    row_sets,
    rows_of,
    shifted,
)
from solar_cells import cells

from patchcore_plugin import PatchCore
from patchcore_plugin.contracts import CoresetSampler
from patchcore_plugin.errors import ConfigError, EmptyInputError, NonFiniteError, ShapeError, TooFewRowsError
from patchcore_plugin.images import iterate
from patchcore_plugin.samplers import torch_candidates, torch_greedy
from patchcore_plugin.samplers.torch_candidates import Candidates, farthest, pick, squares_between
from patchcore_plugin.samplers.torch_greedy import TorchGreedy
from patchcore_plugin.torch_bounds import fit_bounds
from patchcore_reference.coreset import coverage_radii, greedy_rows


def plain(rows, count, seed=0):
    """The reference's choice, from the same first row."""
    return greedy_rows(rows, count, first=int(np.random.default_rng(seed).integers(len(rows))))


def selected(rows, **settings):
    return TorchGreedy(**settings).select_with_report(rows)


def assert_same(found, wanted):
    np.testing.assert_array_equal(found.rows, wanted.rows)
    np.testing.assert_array_equal(found.radii, wanted.radii)


@given(
    rows=row_sets(families=(lattice, identical), max_rows=300, max_width=9),
    keep=st.floats(0.01, 1),
    seed=st.integers(0, 9),
)
def test_on_small_whole_numbers_it_is_the_reference_tie_for_tie(rows, keep, seed):
    found = selected(rows, keep=keep, seed=seed)
    np.testing.assert_array_equal(found.rows, plain(rows, len(found.rows), seed))


@given(rows=row_sets(max_rows=120), keep=st.floats(0.01, 1), seed=st.integers(0, 9))
def test_rows_are_farthest_first_whatever_the_rows(rows, keep, seed):
    require_farthest_first(rows, selected(rows, keep=keep, seed=seed).rows, unit=FLOAT32)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("total", "width"), [(700, 1), (700, 33), (900, 152), (300, 1312)])
def test_rows_and_radii_are_those_of_the_reference(family, total, width):
    rows = rows_of(family, total, width)
    found = selected(rows, keep=0.2)
    require_farthest_first(rows, found.rows, unit=FLOAT32)
    np.testing.assert_allclose(found.radii, coverage_radii(rows, found.rows), rtol=1e-5, atol=1e-12)
    assert (found.rows.dtype, found.radii.dtype) == (np.int64, np.float64)
    assert (np.diff(found.radii) <= 0).all()


@pytest.mark.parametrize("total", [1, 2, 255, 256, 257, 2049, 5000])
def test_no_number_of_rows_is_special(total):
    rows = rows_of(rectified, total, 20)
    require_farthest_first(rows, selected(rows, keep=0.3).rows, unit=FLOAT32)


@pytest.mark.parametrize("family", [lattice, clusters, duplicates, rectified])
@pytest.mark.parametrize(("least", "most"), [(1, 1), (3, 7), (64, 64)])
def test_the_size_of_batches_does_not_decide(monkeypatch, family, least, most):
    rows = rows_of(family, 400, 6)
    wanted = selected(rows, count=120)
    monkeypatch.setattr(torch_greedy, "_LEAST", least)
    monkeypatch.setattr(torch_greedy, "_MOST", most)
    assert_same(selected(rows, count=120), wanted)


@pytest.mark.parametrize("products", [1, 1000, 54321])
def test_the_size_of_blocks_does_not_decide(monkeypatch, products):
    rows = rows_of(shifted, 200, 6)
    wanted = selected(rows, keep=0.2)
    monkeypatch.setattr(torch_greedy, "_PRODUCTS", products)
    assert_same(selected(rows, keep=0.2), wanted)


def test_features_of_photographs_are_picked_as_the_reference_picks_them():
    detector = PatchCore()
    (batch,) = iterate(cells(0, 5), detector.settings.images, batch_size=5)
    rows = detector.parts.embed(batch.pixels).reshape(-1, 152)
    found = selected(rows, count=150)
    np.testing.assert_array_equal(found.rows, plain(rows, 150))
    np.testing.assert_allclose(found.radii, coverage_radii(rows, found.rows), rtol=1e-6)
    assert found.facts["share of pairs measured"] < 0.05
    assert found.facts["batches"] < 30


def test_values_of_64_bits_are_compared_in_64_bits():
    rows = 1 + 1e-9 * np.random.default_rng(0).standard_normal((500, 30))
    require_farthest_first(rows, selected(rows, keep=0.2).rows, unit=FLOAT64)


@pytest.mark.parametrize("power", [-120, -30, -12, 12, 30, 60])
def test_scale_does_not_matter(power):
    rows = rows_of(rectified, 400, 40)
    found, wanted = selected(rows * np.float32(2.0**power), keep=0.2), selected(rows, keep=0.2)
    np.testing.assert_array_equal(found.rows, wanted.rows)
    np.testing.assert_allclose(found.radii * 2.0**-power, wanted.radii, rtol=1e-12)


def test_a_single_far_row_hides_nothing_of_the_others():
    rows = rows_of(clusters, 300, 8)
    rows[17] *= 1e9
    require_farthest_first(rows, selected(rows, keep=0.3).rows, unit=FLOAT32)


@given(rows=row_sets(families=(lattice, clusters, rectified), max_rows=120, max_width=5), data=st.data())
def test_a_smaller_number_gives_the_beginning(rows, data):
    count = data.draw(st.integers(1, len(rows)))
    whole, part = selected(rows, count=len(rows)), selected(rows, count=count)
    np.testing.assert_array_equal(part.rows, whole.rows[:count])
    np.testing.assert_allclose(part.radii, whole.radii[:count], rtol=1e-7)
    assert whole.radii[-1] == 0


def test_laid_out_in_any_way_the_values_decide():
    rows = rows_of(rectified, 300, 20)
    wanted = selected(rows, keep=0.2)
    for same in [*odd_layouts(rows).values(), torch.from_numpy(rows)]:
        assert_same(selected(same, keep=0.2), wanted)
        np.testing.assert_array_equal(np.asarray(same), rows)


@pytest.mark.parametrize("kind", [np.float16, np.int8, np.uint16, np.int32])
def test_numbers_of_any_kind_are_taken(kind):
    rows = (rows_of(lattice, 200, 6) + 3).astype(kind)
    np.testing.assert_array_equal(selected(rows, keep=0.5).rows, plain(rows, 100))


def test_the_seed_decides_and_nothing_else_does():
    rows = torch.from_numpy(rows_of(clusters, 60, 4))
    state, sampler = torch.get_rng_state(), TorchGreedy(keep=0.2, seed=5)
    once = sampler.select(rows)
    selected(rows[:30], keep=0.9, seed=6)
    np.testing.assert_array_equal(sampler.select(rows), once)
    starts = {int(TorchGreedy(count=1, seed=seed).select(rows)[0]) for seed in range(40)}
    assert starts == {int(np.random.default_rng(seed).integers(60)) for seed in range(40)}
    assert torch.equal(torch.get_rng_state(), state)


def test_settings_of_the_program_are_left_alone_and_change_nothing():
    rows = rows_of(rectified, 900, 64)
    wanted = selected(rows, keep=0.2)
    torch.set_float32_matmul_precision("medium")
    torch.set_default_dtype(torch.float64)
    torch.use_deterministic_algorithms(True)
    try:
        with torch.autocast("cpu"), torch.inference_mode(), torch.device("meta"):
            found = selected(rows, keep=0.2)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")
        torch.set_default_dtype(torch.float32)
        torch.use_deterministic_algorithms(False)
    assert_same(found, wanted)


def test_a_device_without_float64_picks_as_exactly(monkeypatch):
    for module in ("patchcore_plugin.torch_bounds", "patchcore_plugin.samplers.torch_candidates"):
        monkeypatch.setattr(f"{module}.wide", lambda _: torch.float32)
    for family in FAMILIES:
        rows = rows_of(family, 300, 33)
        require_farthest_first(rows, selected(rows, keep=0.3).rows, unit=FLOAT32)


def test_a_radius_is_reached_by_as_few_rows_as_greedy_picking_needs():
    rows = rows_of(rectified, 900, 30)
    every = selected(rows, count=900)
    for radius in (every.radii[10], every.radii[100] * 1.0001, every.radii[700] * 0.9999, every.radii[0] * 2):
        found = selected(rows, radius=float(radius))
        assert found.radii[-1] <= radius
        assert (found.radii[:-1] > radius).all()
        np.testing.assert_array_equal(found.rows, every.rows[: len(found.rows)])


def test_a_radius_above_zero_never_keeps_duplicates():
    rows = np.repeat(rows_of(lattice, 40, 8), 5, axis=0)
    found = selected(rows, radius=1e-3)
    assert len(found.rows) == len(np.unique(rows, axis=0))
    assert found.radii[-1] == 0
    assert selected(rows_of(identical, 30, 4), radius=0.5).rows.shape == (1,)


@pytest.mark.parametrize(("megabytes", "kept"), [(0.0009, 2), (0.01, 25), (1e6, 300)])
def test_megabytes_are_those_of_the_bank(megabytes, kept):
    assert len(selected(rows_of(rectified, 300, 100), megabytes=megabytes).rows) == kept


def test_progress_never_goes_back_and_ends_at_all_of_it():
    rows = rows_of(rectified, 3000, 40)
    for settings in ({"keep": 0.2}, {"radius": float(selected(rows, keep=0.1).radii[-1])}):
        heard = []
        TorchGreedy(**settings).select(rows, progress=lambda *step, heard=heard: heard.append(step))
        done = [step[0] for step in heard]
        assert done == sorted(done)
        assert len(set(done)) > 3
        assert heard[-1][0] == heard[-1][1]
    assert selected(rows, keep=0.2).facts["rows"] == 600


@pytest.mark.parametrize(
    ("rows", "error", "words"),
    [
        (np.ones(3), ShapeError, r"\(3,\)"),
        (np.ones((0, 3)), EmptyInputError, "empty"),
        (np.ones((3, 0)), EmptyInputError, "empty"),
        (np.array([["a"]]), ShapeError, "real numbers"),
        (np.array([[1.0, 2], [3, np.nan]]), NonFiniteError, r"\[1, 1\]"),
        (np.full((2, 2), -np.inf), NonFiniteError, "4 value"),
    ],
)
def test_what_is_no_set_of_rows_is_refused(rows, error, words):
    with pytest.raises(error, match=words):
        TorchGreedy().select(rows)


def test_too_many_rows_are_refused():
    with pytest.raises(TooFewRowsError, match="count is 9, but there are 4"):
        TorchGreedy(count=9).select(np.ones((4, 2)))


@pytest.mark.parametrize("settings", [{"keep": 0}, {"count": 0}, {"radius": -1}, {"megabytes": True}, {"seed": 0.5}])
def test_settings_that_mean_nothing_are_refused(settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        TorchGreedy(**settings)


def test_it_keeps_its_contract_and_cannot_be_changed():
    assert isinstance(TorchGreedy(), CoresetSampler)
    with pytest.raises(dataclasses.FrozenInstanceError):
        TorchGreedy().keep = 0.5


@given(
    known=st.lists(st.sampled_from([-1.0, 0.0, 1.0, 2.0]), min_size=1, max_size=12).map(np.array),
    count=st.integers(1, 12),
)
def test_candidates_are_the_farthest_rows_and_the_rival_is_the_next(known, count):
    found = farthest(torch.from_numpy(known), count)
    order = [row for row in np.lexsort((np.arange(len(known)), -known)) if known[row] >= 0]
    assert found.rows.tolist() == sorted(order[:count])
    assert (found.rival, found.height) == ((order[count], known[order[count]]) if len(order) > count else (-1, -1.0))


@pytest.mark.parametrize(("rival", "picked"), [(2, [0]), (9, [0, 1])])
def test_an_equally_far_rival_outside_comes_first_where_its_row_is_lower(rival, picked):
    candidates = Candidates(torch.tensor([1, 5]), rival, 4.0)
    found = pick(candidates, np.array([5.0, 4.0]), np.array([[0.0, 9.0], [9.0, 0.0]]), most=2, enough=-1)
    assert found.places.tolist() == picked


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_distances_among_candidates_lose_no_digits(family, kind):
    rows = rows_of(family, 80, 40).astype(kind)
    points = torch.from_numpy(rows)
    truth = ((rows.astype(np.float64)[:, None] - rows) ** 2).sum(axis=2)
    between = squares_between(points, fit_bounds(points)).numpy()
    np.testing.assert_allclose(between, truth, rtol=6e-8 if kind == np.float32 else 1e-15 * 40)
    np.testing.assert_array_equal(between, between.T)


def test_what_is_told_of_distances_of_float32_rows_has_24_bits():
    squares = torch.rand(1000, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 1e9
    told = torch_candidates.as_told(squares, torch.float32)
    assert torch.equal(told, squares.float().double())
    assert torch_candidates.as_told(squares, torch.float64) is squares
