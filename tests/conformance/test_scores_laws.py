"""The laws of image scores: faulty ones are caught, unusual ones pass, and so does the reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchcore_conformance.accepted.registry import accepted_parts
from patchcore_conformance.broken.registry import broken_parts
from patchcore_conformance.engine import run
from patchcore_conformance.model.scores import Reweighted
from patchcore_conformance.numerics import Numerics
from patchcore_conformance.registry import laws_of
from patchcore_conformance.score_certificates import choices_of
from patchcore_conformance.verdicts import BAD, Verdict
from patchcore_reference import scoring

LATTICE = Numerics("E0", 2.0**-53, 2.0**-1022)


class Reference:
    image_scores = staticmethod(scoring.image_scores)


@pytest.mark.parametrize("part", broken_parts("scores"), ids=lambda part: part.name)
def test_a_faulty_score_is_caught_by_the_laws_it_names(part):
    report = run("scores", part.make, part.claims, only=part.caught_by)
    assert [result.id for result in report.results if result.verdict not in BAD] == []


def test_each_law_of_scores_has_a_faulty_one_that_it_catches():
    own = {law.id for law in laws_of("scores") if law.id.startswith("A")}
    assert own == {f"A{number:02}" for number in range(1, 10)}
    assert own <= {law for part in broken_parts("scores") for law in part.caught_by}


@pytest.mark.parametrize("part", accepted_parts("scores"), ids=lambda part: part.name)
def test_an_unusual_score_that_is_right_keeps_all_that_it_claims(part):
    run("scores", part.make, part.claims).raise_for_status()


@pytest.mark.parametrize("claims", [{}, {"arith": "E0"}, {"arith": "lattice"}, {"dtype": "float64", "arith": "E0"}])
def test_the_reference_scores_as_the_paper_says(claims):
    run("scores", Reference, claims).raise_for_status()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_right_score_is_right_for_other_seeds_of_the_kit(seed):
    run("scores", Reweighted, {"arith": "E0"}, seed=seed).raise_for_status()


@given(seed=st.integers(0, 10_000), rows=st.integers(1, 6), neighbors=st.integers(1, 7))
def test_the_choices_hold_every_score_that_some_order_of_equals_gives(seed, rows, neighbors):
    """Shuffling patches and rows makes a part that takes the first of equals take any of them."""
    rng = np.random.default_rng(seed)
    patches, bank = rng.integers(-1, 2, (3, 2)).astype(float), rng.integers(-1, 2, (rows, 2)).astype(float)
    allowed = choices_of(patches, bank, neighbors, LATTICE, 1e-12)
    for _ in range(5):
        score = Reweighted().image_scores(rng.permutation(patches)[None], rng.permutation(bank), neighbors)[0]
        error, slack = allowed.excess(float(score))
        assert error <= slack


def test_where_nothing_is_tied_one_score_alone_is_allowed():
    rng = np.random.default_rng(0)
    patches, bank = rng.standard_normal((5, 3)), rng.standard_normal((20, 3))
    allowed = choices_of(patches, bank, 4, LATTICE, 1e-12)
    assert len(allowed.lows) == 1
    assert allowed.settled
    error, slack = allowed.excess(float(allowed.lows[0]) * (1 + 1e-6))
    assert error > slack


def test_a_failure_brings_the_input_that_shows_it():
    class Unweighed(Reweighted):
        def weight(self, star, support):
            return 1.0

    found = run("scores", Unweighed, only=["A06"])["A06"]
    assert found.verdict is Verdict.FAIL
    assert "Eq. 6 and 7 give" in found.message
    assert {"embeddings", "bank", "neighbors", "scores"} <= set(found.evidence)
