"""The laws of searches: every faulty one is caught by the laws that it names, every right one keeps what it claims."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from patchcore_conformance.accepted.registry import accepted_parts
from patchcore_conformance.broken.registry import broken_parts
from patchcore_conformance.chances import binomial_lower, binomial_upper
from patchcore_conformance.engine import run
from patchcore_conformance.model.neighbors import Centred, Exact, Expanded, Single
from patchcore_conformance.registry import laws_of
from patchcore_conformance.verdicts import BAD, Verdict
from patchcore_plugin import components

OURS = ("numpy-exact", "numba-exact", "pruned-exact", "torch-exact", "faiss-flat", "faiss-ivf", "faiss-hnsw")
EXACT = {"level": "exact", "arith": "E0"}
# Compiled parts pay for each call; approximate searches answer thousands of queries, and slow ones are slow.
FAST = {"numpy-exact", "the model itself", "ties by the higher row", "expanded squares", "int32 rows, read-only"}


def verdicts(report):
    return {result.id: result.verdict for result in report.results}


def long_unless_fast(name, value):
    return pytest.param(value, id=name, marks=() if name in FAST else pytest.mark.long)


def of_our_files(parts):
    return [part for part in parts if ".broken.neighbors" in part.make.__module__]


@pytest.mark.parametrize("part", of_our_files(broken_parts("neighbors")), ids=lambda part: part.name)
def test_a_faulty_search_is_caught_by_the_laws_it_names(part):
    report = run("neighbors", part.make, part.claims, profile=part.profile, only=part.caught_by)
    assert [law for law, verdict in verdicts(report).items() if verdict not in BAD] == []
    assert report.exit_code == 1


def test_each_law_of_searches_has_a_faulty_one_that_it_catches():
    own = {law.id for law in laws_of("neighbors") if law.id.startswith("N")}
    assert own == {f"N{number:02}" for number in range(1, 26)}
    assert own <= {law for part in broken_parts("neighbors") for law in part.caught_by}


@pytest.mark.parametrize("part", [long_unless_fast(part.name, part) for part in accepted_parts("neighbors")])
def test_an_unusual_search_that_is_right_keeps_all_that_it_claims(part):
    run("neighbors", part.make, part.claims).raise_for_status()


@pytest.mark.parametrize("name", [long_unless_fast(name, name) for name in OURS])
def test_our_searches_keep_what_they_claim(name):
    claims = dict(components.find("neighbors", name).component.claims)
    assert claims["arith"] == "E0"
    report = run("neighbors", partial(components.create, "neighbors", name), claims)
    report.raise_for_status()
    assert Verdict.PASS in verdicts(report).values()


def test_the_models_agree_where_arithmetic_is_exact():
    random = np.random.default_rng(0)
    bank, queries = random.integers(-3, 4, (50, 7)), random.integers(-3, 4, (9, 7))
    expected = Exact().build(bank).query(queries, k=5)[0]
    for model in (Single(), Expanded()):
        np.testing.assert_allclose(model.build(bank).query(queries, k=5)[0], expected, rtol=1e-6)
    np.testing.assert_allclose(Centred().build(bank).query(queries, k=5)[0], expected, rtol=1e-5)


def test_an_expanded_search_has_to_say_so():
    report = run("neighbors", Expanded, EXACT, only=("N01", "N02", "N03"))
    assert verdicts(report) == {"N01": Verdict.PASS, "N02": Verdict.FAIL, "N03": Verdict.FAIL}
    assert verdicts(run("neighbors", Expanded, {"level": "exact", "arith": "E1"}, only=("N01", "N02", "N03"))) == {
        "N01": Verdict.PASS,
        "N02": Verdict.PASS,
        "N03": Verdict.NOT_CLAIMED,
    }


def test_bounds_of_shares_are_those_of_clopper_and_pearson():
    """The upper bound is where so few hits become as unlikely as the error; worked out for no hits and for one."""
    assert binomial_upper(0, 20, 0.05) == pytest.approx(1 - 0.05 ** (1 / 20))
    assert binomial_upper(20, 20) == 1.0
    assert binomial_lower(20, 20, 0.05) == pytest.approx(0.05 ** (1 / 20))
    share = binomial_upper(1, 30, 0.01)
    assert (1 - share) ** 30 + 30 * share * (1 - share) ** 29 == pytest.approx(0.01, rel=1e-6)
    assert binomial_lower(930, 1000) < 0.93 < binomial_upper(930, 1000)
