"""The ways rows meet centres in the pruned sampler: a matter of time alone, so all of them must answer alike."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from certificates import FLOAT32, FLOAT64, require_farthest_first
from hypothesis import given
from hypothesis import strategies as st
from row_families import FAMILIES, clusters, identical, lattice, rectified, row_sets, rows_of

from patchcore_plugin.embedding_store import EmbeddingStore
from patchcore_plugin.errors import NonFiniteError
from patchcore_plugin.samplers import axes, meeting, shells
from patchcore_plugin.samplers.pruned_greedy import PrunedGreedy
from patchcore_plugin.samplers.shells import Shells
from patchcore_plugin.samplers.short_rows import ShortRows
from patchcore_reference.coreset import coverage_radii, greedy_rows

# What decides on the way, set so that small rows, too, find what large ones would hide.
WAYS = {
    "by differences": {"_FEW_VALUES": 2**63},
    "by short vectors": {"_FEW_VALUES": 0, "_NARROW": 0, "_SHAPELESS": 2.0},
    "by whole rows": {"_FEW_VALUES": 0, "_NARROW": 9999},
}


def go(patch, way):
    for name, value in WAYS[way].items():
        patch.setattr(axes, name, value)


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    go(monkeypatch, request.param)


def without_structure(rows, width, seed=0):
    return np.random.default_rng(seed).standard_normal((rows, width), dtype=np.float32)


def with_structure(rows, width):
    return without_structure(rows, 6) @ without_structure(6, width, seed=1) + 0.05 * without_structure(rows, width, 2)


def selected(rows, **settings):
    return PrunedGreedy(**settings).select_with_report(rows)


def assert_same(found, wanted):
    np.testing.assert_array_equal(found.rows, wanted.rows)
    np.testing.assert_array_equal(found.radii, wanted.radii)


@pytest.mark.parametrize(
    "family", [family for family in FAMILIES if family is not identical], ids=lambda one: one.__name__
)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_way_does_not_decide(monkeypatch, family, kind):
    rows = rows_of(family, 900, 75).astype(kind)
    found = []
    for name in WAYS:
        go(monkeypatch, name)
        found.append(selected(rows, keep=0.5))
        assert_same(found[-1], found[0])
    assert [selection.facts["width of short vectors"] for selection in found] == [1, 49, 76]


@pytest.mark.parametrize("name", WAYS)
@given(rows=row_sets(families=(lattice,), max_rows=300, max_width=9), keep=st.floats(0.01, 1))
def test_on_small_whole_numbers_every_way_is_the_reference_tie_for_tie(name, rows, keep):
    with pytest.MonkeyPatch.context() as patch:
        go(patch, name)
        found = selected(rows, keep=keep)
    first = int(np.random.default_rng(0).integers(len(rows)))
    np.testing.assert_array_equal(found.rows, greedy_rows(rows, len(found.rows), first))


@given(
    rows=row_sets(families=(lattice, clusters, rectified), max_rows=120, max_width=5),
    before=st.sampled_from([*WAYS]),
    after=st.sampled_from([*WAYS]),
    data=st.data(),
)
def test_a_smaller_number_gives_the_beginning_whichever_way_each_goes(rows, before, after, data):
    count = data.draw(st.integers(1, len(rows)))
    with pytest.MonkeyPatch.context() as patch:
        go(patch, before)
        whole = selected(rows, count=len(rows))
        go(patch, after)
        part = selected(rows, count=count)
    np.testing.assert_array_equal(part.rows, whole.rows[:count])
    np.testing.assert_array_equal(part.radii, whole.radii[:count])


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
@pytest.mark.parametrize(("total", "width"), [(700, 1), (700, 2), (700, 33), (900, 152), (300, 1312)])
def test_rows_are_farthest_first_and_radii_are_those_of_the_reference(way, family, total, width):
    rows = rows_of(family, total, width)
    found = selected(rows, keep=0.2)
    require_farthest_first(rows, found.rows, unit=FLOAT32)
    np.testing.assert_allclose(found.radii, coverage_radii(rows, found.rows), rtol=1e-4)


@pytest.mark.parametrize("total", [1, 2, 3, 63, 64, 65, 129, 2049])
def test_no_number_of_rows_is_special(way, total):
    rows = with_structure(total, 20)
    require_farthest_first(rows, selected(rows, keep=0.3).rows, unit=FLOAT32)


def test_values_of_64_bits_are_compared_in_64_bits(way):
    rows = 1 + 1e-9 * np.random.default_rng(0).standard_normal((500, 30))
    require_farthest_first(rows, selected(rows, keep=0.2).rows, unit=FLOAT64)


@pytest.mark.parametrize("scale", [1e-18, 1e-12, 1e12, 1e18])
def test_scale_does_not_matter(way, scale):
    rows = with_structure(600, 40) * np.float32(scale)
    require_farthest_first(rows, selected(rows, keep=0.2).rows, unit=FLOAT32)


def test_rows_that_are_all_equal_are_all_chosen_once(way):
    np.testing.assert_array_equal(np.sort(selected(rows_of(identical, 70, 6), keep=1.0).rows), np.arange(70))


@pytest.mark.parametrize("memory", [None, 500_000, 100_000])
def test_memory_and_the_way_rows_are_stored_do_not_decide(way, tmp_path, memory):
    rows = without_structure(2500, 60)
    wanted = selected(rows, keep=0.1)
    store = EmbeddingStore(tmp_path / "rows", 60)
    store.append(rows)
    for kept in (rows, store):
        assert_same(PrunedGreedy(keep=0.1).select_with_report(kept, memory=memory), wanted)
    store.close()


def test_threads_and_the_size_of_a_shell_do_not_decide(way, monkeypatch):
    rows = rows_of(clusters, 1500, 12)
    wanted, before = selected(rows, keep=0.2), numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        assert_same(selected(rows, keep=0.2), wanted)
    finally:
        numba.set_num_threads(before)
    for name, value in (("_SHELL", 0.9), ("_MOST", 7), ("_LEAST", 1)):
        monkeypatch.setattr(shells, name, value)
    assert_same(selected(rows, keep=0.2), wanted)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 4321])
def test_one_value_that_is_not_finite_is_found_wherever_it_is(way, value, row):
    rows = without_structure(6000, 10)
    rows[row, 7] = value
    with pytest.raises(NonFiniteError, match=rf"\[{row}, 7\]"):
        PrunedGreedy().select(rows)


def test_giving_up_short_vectors_halfway_does_not_decide(monkeypatch):
    rows = without_structure(3000, 60)
    go(monkeypatch, "by short vectors")
    wanted = selected(rows, count=600)
    for name, value in (("_CENTRES", 100), ("_PAIRS", 0), ("_PATIENCE", 0.0)):
        monkeypatch.setattr(meeting, name, value)
    assert_same(selected(rows, count=600), wanted)


@pytest.mark.parametrize(("made", "prunes"), [(with_structure, True), (without_structure, False)])
def test_short_vectors_that_prove_too_little_are_given_up(monkeypatch, made, prunes):
    go(monkeypatch, "by short vectors")
    with ShortRows(made(20_000, 64), 33, None, 900) as table:
        table.shorten()
        growing = Shells(table, 900, 0)
        growing.grow(-1.0, lambda *_: None)
    assert growing.meeting.prunes == prunes
