"""Exact search by torch: the rows of the plain search, with distances that lose nothing, on the device."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import numpy as np
import pytest
import torch
from certificates import FLOAT32, FLOAT64, require_nearest
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

from patchcore_plugin import torch_checks
from patchcore_plugin.contracts import NeighborIndex, NeighborSearch
from patchcore_plugin.errors import EmptyInputError, NonFiniteError, ShapeError, TooFewRowsError, WidthMismatchError
from patchcore_plugin.neighbors import torch_exact
from patchcore_plugin.neighbors.torch_exact import TorchExact
from patchcore_reference.neighbors import nearest_rows


def search(bank, queries, k=1):
    distances, rows = TorchExact(device="cpu").build(bank).query(queries, k)
    return distances.numpy(), rows.numpy()


def assert_same(found, wanted):
    np.testing.assert_array_equal(found[0], wanted[0])
    np.testing.assert_array_equal(found[1], wanted[1])


@given(rows=row_sets(max_rows=120), data=st.data())
def test_the_nearest_rows_are_found_whatever_the_rows(rows, data):
    k = data.draw(st.integers(1, len(rows)))
    queries = np.concatenate([rows[::2] + np.float32(0.25), rows[::3]])
    require_nearest(queries, rows, *search(rows, queries, k), k, unit=FLOAT32)


@given(rows=row_sets(families=(lattice, duplicates, identical), max_rows=80, max_width=6), data=st.data())
def test_equal_distances_are_answered_by_the_lower_row(rows, data):
    k = data.draw(st.integers(1, len(rows)))
    np.testing.assert_array_equal(search(rows, rows, k)[1], nearest_rows(rows, rows, k)[1])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("total", "width", "k"), [(700, 1, 1), (500, 33, 9), (300, 152, 300), (400, 1312, 2)])
def test_distances_are_those_of_the_reference_rounded_once(family, total, width, k):
    bank, queries = rows_of(family, total, width), rows_of(family, 70, width, seed=1)
    distances, rows = search(bank, queries, k)
    require_nearest(queries, bank, distances, rows, k, unit=FLOAT32)
    np.testing.assert_allclose(distances, nearest_rows(queries, bank, k)[0], rtol=2e-7, atol=1e-30)


def test_a_mean_a_thousand_times_the_spread_hides_no_neighbor():
    bank, queries = rows_of(shifted, 2000, 300), rows_of(shifted, 60, 300, seed=1)
    distances, rows = search(bank, queries, 3)
    wanted, same = nearest_rows(queries, bank, 3)
    np.testing.assert_array_equal(rows, same)
    np.testing.assert_allclose(distances, wanted, rtol=1e-7)


def test_rows_that_differ_by_less_than_products_can_tell_are_told_apart():
    """Every row lies within rounding of products of every other: no candidate list of a few rows can be trusted."""
    random = np.random.default_rng(0)
    bank = (5 + random.standard_normal(64) + 1e-5 * random.standard_normal((500, 64))).astype(np.float32)
    bank[0] = -bank[0]
    distances, rows = nearest_rows(bank, bank, 2)
    assert_same(search(bank, bank, 2), (distances.astype(np.float32), rows))


def test_a_row_asked_for_is_found_at_no_distance():
    bank = rows_of(rectified, 300, 200)
    distances, rows = search(bank, bank)
    assert (distances == 0).all()
    np.testing.assert_array_equal(rows[:, 0], np.arange(300))


@pytest.mark.parametrize(("products", "pairs", "queries"), [(1, 1, 1), (100, 37, 3), (10**6, 10**6, 8)])
def test_the_size_of_blocks_does_not_decide(monkeypatch, products, pairs, queries):
    bank = np.concatenate([rows_of(clusters, 60, 12), rows_of(duplicates, 40, 12)])
    wanted = search(bank, bank[::6], 5)
    for name, value in (("_PRODUCTS", products), ("_PAIRS", pairs), ("_QUERIES", queries)):
        monkeypatch.setattr(torch_exact, name, value)
    assert_same(search(bank, bank[::6], 5), wanted)


def test_queries_do_not_depend_on_each_other():
    bank, queries = rows_of(clusters, 300, 40), rows_of(clusters, 50, 40, seed=1)
    together = search(bank, queries, 4)
    for single in range(0, 50, 7):
        alone = search(bank, queries[single : single + 1], 4)
        assert_same(alone, [part[single : single + 1] for part in together])


@pytest.mark.parametrize("power", [-120, -40, 40, 60])
def test_scale_changes_distances_and_nothing_else(power):
    bank, queries = rows_of(rectified, 200, 30), rows_of(rectified, 20, 30, seed=1)
    plain, scaled = search(bank, queries, 3), search(bank * np.float32(2.0**power), queries * np.float32(2.0**power), 3)
    assert_same((scaled[0] * 2.0**-power, scaled[1]), plain)


def test_queries_far_outside_the_bank_get_their_neighbors():
    bank = rows_of(clusters, 50, 8)
    for factor in (1e3, 1e12, 1e25):
        queries = bank[:6] * np.float32(factor)
        require_nearest(queries, bank, *search(bank, queries, 3), 3, unit=FLOAT32)


def test_values_of_64_bits_are_compared_in_64_bits():
    bank = 1e9 + rows_of(clusters, 40, 3).astype(np.float64)
    distances, rows = search(bank, bank, 4)
    assert distances.dtype == np.float64
    require_nearest(bank, bank, distances, rows, 4, unit=FLOAT64)
    narrow = bank.astype(np.float32)
    require_nearest(bank, narrow, *search(narrow, bank, 4), 4, unit=FLOAT64)


@pytest.mark.parametrize("kind", [np.float16, np.int8, np.uint16, np.int32])
def test_numbers_of_any_kind_are_taken(kind):
    bank = (rows_of(lattice, 60, 5) + 3).astype(kind)
    distances, rows = search(bank, bank, 4)
    require_nearest(bank.astype(float), bank.astype(float), distances, rows, 4, unit=FLOAT32)


def test_bfloat16_tensors_are_the_values_that_they_hold():
    bank = torch.from_numpy(rows_of(clusters, 40, 6)).bfloat16()
    assert_same(search(bank, bank, 3), search(bank.float(), bank.float(), 3))


@pytest.mark.parametrize(
    "layout", ["read-only", "column order", "every second column", "reversed twice", "foreign byte order"]
)
def test_the_layout_in_memory_does_not_matter(layout):
    bank = rows_of(clusters, 40, 5)
    held = odd_layouts(bank)[layout]
    assert_same(search(held, held, 3), search(bank, bank, 3))
    np.testing.assert_array_equal(held, bank)


def test_answers_are_tensors_and_the_parts_keep_their_contracts():
    searching = TorchExact()
    index = searching.build(rows_of(clusters, 30, 4))
    distances, rows = index.query(rows_of(clusters, 5, 4), 2)
    assert (distances.dtype, rows.dtype) == (torch.float32, torch.int64)
    assert distances.device == rows.device == index.bank.device
    assert isinstance(searching, NeighborSearch)
    assert isinstance(index, NeighborIndex)
    with pytest.raises(dataclasses.FrozenInstanceError):
        index.bank = torch.ones(2, 2)


@pytest.mark.parametrize("as_given", [np.asarray, torch.from_numpy], ids=["array", "tensor"])
def test_the_index_owns_its_bank(as_given):
    bank = rows_of(clusters, 30, 4)
    queries = bank[:5] + np.float32(0.5)
    index = TorchExact().build(as_given(bank))
    before = index.query(queries, 3)
    bank[:] = 0
    assert_same(index.query(queries, 3), before)


def test_an_index_can_be_copied_and_sent_elsewhere():
    index, queries = TorchExact().build(rows_of(shifted, 30, 4)), rows_of(shifted, 5, 4, seed=1)
    for other in (copy.deepcopy(index), pickle.loads(pickle.dumps(index))):  # noqa: S301 - our own
        assert_same(other.query(queries, 3), index.query(queries, 3))


def test_settings_of_the_program_are_left_alone_and_change_nothing():
    bank, queries = rows_of(clusters, 300, 64), rows_of(clusters, 40, 64, seed=1)
    wanted = search(bank, queries, 3)
    state = torch.get_rng_state()
    torch.set_float32_matmul_precision("medium")
    torch.set_default_dtype(torch.float64)
    try:
        with torch.autocast("cpu"), torch.inference_mode(), torch.device("meta"):
            found = search(bank, queries, 3)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")
        torch.set_default_dtype(torch.float32)
    assert_same(found, wanted)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.is_grad_enabled()


def test_a_device_without_float64_finds_the_same_rows(monkeypatch):
    monkeypatch.setattr(torch_checks, "wide", lambda _: torch.float32)
    monkeypatch.setattr("patchcore_plugin.torch_bounds.wide", lambda _: torch.float32)
    monkeypatch.setattr(torch_exact, "wide", lambda _: torch.float32)
    for family in FAMILIES:
        bank, queries = rows_of(family, 200, 33), rows_of(family, 30, 33, seed=1)
        require_nearest(queries, bank, *search(bank, queries, 5), 5, unit=FLOAT32)


def test_no_queries_get_no_answers():
    distances, rows = search(np.ones((3, 2)), np.empty((0, 2)), 2)
    assert distances.shape == rows.shape == (0, 2)


@pytest.mark.parametrize(
    ("queries", "k", "error", "words"),
    [
        (np.ones((1, 2)), 4, TooFewRowsError, "k is 4, but there are 3"),
        (np.ones((1, 2)), True, ShapeError, "whole number"),
        (np.ones((1, 2)), 0, TooFewRowsError, "k is 0"),
        (np.ones((1, 5)), 1, WidthMismatchError, "5 values but each memory-bank row has 2"),
        (np.ones(2), 1, ShapeError, "one row per query"),
        (np.full((1, 2), np.nan), 1, NonFiniteError, r"queries has 2 value.*\[0, 0\]"),
    ],
)
def test_questions_without_an_answer_are_refused(queries, k, error, words):
    index = TorchExact().build(np.ones((3, 2)))
    with pytest.raises(error, match=words):
        index.query(queries, k)


@pytest.mark.parametrize(
    ("bank", "error"),
    [
        (np.ones(3), ShapeError),
        (np.ones((0, 3)), EmptyInputError),
        (np.full((2, 2), np.inf), NonFiniteError),
        (np.array([[True]]), ShapeError),
        ("bank", ShapeError),
    ],
)
def test_a_bank_that_cannot_be_searched_is_refused(bank, error):
    with pytest.raises(error, match="bank"):
        TorchExact().build(bank)
