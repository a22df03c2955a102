"""Exact search as a module: the same answer as the index, also after export, at any number of queries."""

from __future__ import annotations

import pytest
import torch
from certificates import FLOAT32, require_nearest
from row_families import FAMILIES, clusters, rectified, rows_of, shifted

from patchcore_plugin.errors import NonFiniteError, TooFewRowsError
from patchcore_plugin.neighbors.torch_exact import TorchExact
from patchcore_plugin.neighbors.torch_export import NearestRows


def queries_of(family, count, width, seed=1):
    return torch.from_numpy(rows_of(family, count, width, seed))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("total", "width", "k"), [(1, 3, 1), (200, 33, 1), (150, 17, 9), (60, 5, 60)])
def test_the_nearest_rows_are_found(family, total, width, k):
    bank, queries = rows_of(family, total, width), queries_of(family, 40, width)
    distances, rows = NearestRows(bank, k)(queries)
    require_nearest(queries, bank, distances.numpy(), rows.numpy(), k, unit=FLOAT32)


@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("family", [rectified, shifted])
def test_exported_with_any_number_of_queries_it_answers_as_the_index(family, k):
    bank = rows_of(family, 120, 24)
    number = torch.export.Dim("queries", min=1, max=4096)
    exported = torch.export.export(
        NearestRows(bank, k).eval(), (queries_of(family, 5, 24),), dynamic_shapes={"queries": {0: number}}
    ).module()
    index = TorchExact(device="cpu").build(bank)
    for count in (1, 3, 200):
        queries = queries_of(family, count, 24, seed=count)
        distances, rows = exported(queries)
        wanted, same = index.query(queries, k)
        torch.testing.assert_close(distances, wanted, rtol=1e-6, atol=0)
        assert torch.equal(rows, same)


def test_no_value_decides_what_is_computed():
    exported = torch.export.export(NearestRows(rows_of(clusters, 30, 4), 2), (queries_of(clusters, 5, 4),))
    called = {str(node.target) for node in exported.graph.nodes if node.op == "call_function"}
    assert not {name for name in called if any(word in name for word in ("cond", "scalar", "aten.item", "nonzero"))}
    assert any("topk" in name for name in called)


def test_the_bank_travels_with_the_module():
    module, other = NearestRows(rows_of(clusters, 30, 4), 2), NearestRows(rows_of(rectified, 30, 4), 2)
    other.load_state_dict(module.state_dict())
    queries = queries_of(clusters, 6, 4)
    assert torch.equal(other(queries)[0], module(queries)[0])
    assert not list(module.parameters())


def test_it_owns_its_bank():
    bank = rows_of(clusters, 30, 4)
    module, queries = NearestRows(bank), queries_of(clusters, 6, 4)
    before = module(queries)[0].clone()
    bank[:] = 0
    assert torch.equal(module(queries)[0], before)


def test_what_cannot_be_searched_is_refused():
    with pytest.raises(TooFewRowsError, match="k is 4"):
        NearestRows(rows_of(clusters, 3, 2), 4)
    with pytest.raises(NonFiniteError, match="bank"):
        NearestRows(torch.full((3, 2), torch.nan))
