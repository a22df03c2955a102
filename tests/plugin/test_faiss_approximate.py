"""faiss-ivf and faiss-hnsw: what they declare to find, they find; what they return, they have measured."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from functools import partial

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from row_families import clusters, duplicates, identical, lattice, odd_layouts, row_sets, rows_of, shifted

from patchcore_plugin import components
from patchcore_plugin.contracts import NeighborIndex, NeighborSearch
from patchcore_plugin.errors import ConfigError, NonFiniteError, TooFewRowsError, WidthMismatchError
from patchcore_plugin.neighbors.faiss_hnsw import FaissHnsw
from patchcore_plugin.neighbors.faiss_ivf import FaissIvf
from patchcore_plugin.neighbors.numpy_exact import NumpyExact

BOTH = pytest.mark.parametrize("make", [FaissIvf, FaissHnsw])


def near_few_directions(rows, seed, width=64):
    """Rows like features: most of their spread lies in few directions; the same ones for every seed."""
    axes = np.random.default_rng(0).standard_normal((6, width))
    random = np.random.default_rng(seed + 1)
    return (random.standard_normal((rows, 6)) @ axes + 0.1 * random.standard_normal((rows, width))).astype(np.float32)


def require_measured(queries, bank, distances, rows, k):
    """k different rows a query, nearest first, each with its own distance."""
    assert distances.shape == rows.shape == (len(queries), k)
    assert rows.dtype == np.int64
    assert ((rows >= 0) & (rows < len(bank))).all()
    assert all(len(set(row)) == k for row in rows.tolist())
    assert (np.diff(distances) >= 0).all()
    truth = np.linalg.norm(queries[:, None].astype(np.float64) - bank[rows].astype(np.float64), axis=2)
    np.testing.assert_allclose(distances, truth, rtol=1e-12)


@BOTH
@given(rows=row_sets(), data=st.data())
def test_every_query_gets_k_different_rows_with_their_own_distances(make, rows, data):
    k = data.draw(st.integers(1, len(rows)))
    queries = np.concatenate([rows[::2] + np.float32(0.25), rows[:1] + np.float32(1e4)])  # one far outside
    require_measured(queries, rows, *make().build(rows).query(queries, k), k)


@given(rows=row_sets())
def test_with_all_cells_looked_into_the_nearest_row_is_found(rows):
    queries = rows[::2] + np.float32(0.25)
    found, _ = FaissIvf(nprobe=1000).build(rows).query(queries)
    truth, _ = NumpyExact().build(rows).query(queries)
    np.testing.assert_allclose(found, truth, rtol=1e-6)


@BOTH
@pytest.mark.parametrize("wanted", [0.8, 0.99])
def test_what_is_declared_holds_for_queries_that_the_index_never_saw(make, wanted):
    bank = near_few_directions(3000, seed=0)
    index = make(recall=wanted).build(bank)
    assert wanted <= index.recall == index.facts["recall"] <= 1
    seen_like, off = near_few_directions(1000, seed=1), 3 * near_few_directions(1000, seed=2)
    for queries in (seen_like, off):
        truth, _ = NumpyExact().build(bank).query(queries)
        found = (index.query(queries)[0] <= truth * (1 + 1e-5)).mean()
        assert found >= wanted - 0.03  # three times the spread of a share of 0.9 among 1,000


@pytest.mark.parametrize("make", [FaissIvf, partial(FaissHnsw, ef_search=1)])
def test_more_is_searched_where_more_is_wanted(make):
    bank = near_few_directions(2000, seed=0)
    some, most = (make(recall=recall).build(bank) for recall in (0.5, 0.995))
    assert some.declared.effort < most.declared.effort
    assert some.recall <= most.recall


def test_a_recall_that_is_not_reached_is_told(caplog):
    bank = rows_of(clusters, 400, 6)
    index = FaissHnsw(recall=1.0, links=2, ef_construction=1, ef_search=1).build(bank)
    assert index.recall < 1.0
    assert index.facts["recall wanted"] == 1.0
    assert "faiss-hnsw finds" in caplog.text
    assert "recall = 1 was asked for" in caplog.text


def test_facts_tell_the_settings_that_searching_needs():
    bank = near_few_directions(500, seed=0)
    ivf, hnsw = FaissIvf(nlist=9).build(bank).facts, FaissHnsw(links=8).build(bank).facts
    assert (ivf["search"], ivf["nlist"], ivf["measured on"]) == ("faiss-ivf", 9, 124)
    assert 1 <= ivf["nprobe"] <= 9
    assert (hnsw["search"], hnsw["links"], hnsw["ef_construction"]) == ("faiss-hnsw", 8, 40)
    assert hnsw["ef_search"] >= 16


def test_more_cells_than_rows_are_cut_down_and_that_is_told(caplog):
    index = FaissIvf(nlist=50).build(rows_of(clusters, 20, 3))
    assert index.facts["nlist"] == 18
    assert "nlist is 50, but there are 18 rows" in caplog.text


@BOTH
@pytest.mark.parametrize("rows", [1, 2, 7])
def test_banks_too_small_to_leave_a_row_out_are_searched_with_all_effort(make, rows):
    bank = rows_of(clusters, rows, 3)
    index = make().build(bank)
    assert (index.recall, index.facts["measured on"]) == (1.0, 0)
    distances, found = NumpyExact().build(bank).query(bank, rows)
    np.testing.assert_array_equal(index.query(bank, rows)[1], found)
    np.testing.assert_allclose(index.query(bank, rows)[0], distances, rtol=1e-12)


@pytest.mark.parametrize("family", [identical, duplicates, lattice])
def test_cells_without_rows_do_not_shorten_an_answer(family):
    bank = rows_of(family, 200, 2)
    queries = np.concatenate([bank[:20] + np.float32(0.5), bank[:20] * np.float32(1e6) - 7])
    index = FaissIvf(nlist=100, recall=0.01).build(bank)
    assert index.facts["nprobe"] < 100
    for k in (1, 50, 200):
        require_measured(queries, bank, *index.query(queries, k), k)


@BOTH
def test_a_large_offset_costs_no_digits(make):
    bank, queries = rows_of(shifted, 500, 12), rows_of(shifted, 300, 12, seed=1)
    truth, _ = NumpyExact().build(bank).query(queries)
    assert (make(recall=1.0).build(bank).query(queries)[0] <= truth * (1 + 1e-6)).mean() > 0.98


@BOTH
def test_the_same_seed_gives_the_same_index_whatever_was_built_before(make):
    bank = near_few_directions(600, seed=0)
    one = make(seed=3).build(bank)
    make(seed=4).build(bank[:90])
    again = make(seed=3).build(bank)
    assert faiss.serialize_index(one.index).tobytes() == faiss.serialize_index(again.index).tobytes()
    assert one.facts == again.facts
    np.testing.assert_array_equal(one.order, again.order)
    assert not np.array_equal(one.order, make(seed=4).build(bank).order)


INDEX_ON = """
import hashlib, sys
import faiss, numpy as np
from patchcore_plugin import components
bank = np.random.default_rng(0).standard_normal((900, 40)).astype(np.float32)
faiss.omp_set_num_threads(int(sys.argv[1]))
index = components.create("neighbors", sys.argv[2]).build(bank)
assert faiss.omp_get_max_threads() == int(sys.argv[1])  # as it was
print(hashlib.sha256(faiss.serialize_index(index.index).tobytes()).hexdigest(), index.facts)
"""


@pytest.mark.parametrize("name", ["faiss-ivf", "faiss-hnsw"])
def test_the_number_of_threads_does_not_decide_the_index_and_stays_as_it_was(name):
    def told(threads):
        command = [sys.executable, "-c", INDEX_ON, str(threads), name]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert told(1) == told(4)


@BOTH
def test_queries_do_not_depend_on_their_company(make):
    index, queries = make().build(near_few_directions(800, seed=0)), near_few_directions(300, seed=1)
    distances, rows = index.query(queries, 3)
    for part in (slice(0, 1), slice(7, 24), slice(24, 300)):
        np.testing.assert_array_equal(index.query(queries[part], 3), (distances[part], rows[part]))


@BOTH
def test_an_index_owns_its_bank_and_can_be_copied_and_pickled(make):
    bank, queries = near_few_directions(300, seed=0), near_few_directions(20, seed=1)
    search = make()
    index = search.build(bank)
    assert isinstance(search, NeighborSearch)
    assert isinstance(index, NeighborIndex)
    before = index.query(queries, 3)
    bank[:] = 0
    for other in (index, copy.deepcopy(index), pickle.loads(pickle.dumps(index))):  # noqa: S301 - our own bytes
        np.testing.assert_array_equal(other.query(queries, 3), before)
        assert other.facts == index.facts


@BOTH
def test_layout_and_floating_type_do_not_matter(make):
    bank = rows_of(lattice, 120, 6) / 4
    expected = make().build(bank).query(bank[:30], 2)
    for held in [*odd_layouts(bank).values(), bank.astype(np.float16), bank.astype(np.float64)]:
        np.testing.assert_array_equal(make().build(held).query(held[:30], 2), expected)


@BOTH
@pytest.mark.parametrize(
    ("queries", "k", "error"),
    [
        (np.ones((1, 2)), 10, TooFewRowsError),
        (np.ones((1, 5)), 1, WidthMismatchError),
        (np.full((1, 2), np.nan), 1, NonFiniteError),
    ],
)
def test_questions_without_an_answer_are_refused_and_no_queries_get_none(make, queries, k, error):
    index = make().build(np.ones((9, 2)))
    with pytest.raises(error):
        index.query(queries, k)
    assert index.query(np.empty((0, 2)), 2)[1].shape == (0, 2)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        *[
            (name, bad)
            for name in ("faiss-ivf", "faiss-hnsw")
            for bad in ({"recall": 0}, {"recall": 1.1}, {"seed": -1})
        ],
        ("faiss-ivf", {"nlist": 0}),
        ("faiss-ivf", {"nprobe": 0}),
        ("faiss-hnsw", {"links": 1}),
        ("faiss-hnsw", {"ef_search": 0}),
        ("faiss-hnsw", {"ef_construction": 0}),
    ],
)
def test_settings_that_mean_nothing_are_refused_when_they_are_made(name, settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        components.create("neighbors", name, **settings)


@BOTH
def test_settings_are_refused_without_the_table_of_parts_too(make):
    for bad in ({"recall": True}, {"recall": float("nan")}, {"seed": 0.5}):
        with pytest.raises(ConfigError, match=next(iter(bad))):
            partial(make, **bad)()
