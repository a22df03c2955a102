"""The laws of samplers: every faulty one is caught by the laws that it names, every right one keeps what it claims."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from patchcore_conformance.accepted.registry import accepted_parts
from patchcore_conformance.broken.registry import broken_parts
from patchcore_conformance.engine import run
from patchcore_conformance.model.sampler import Greedy
from patchcore_conformance.registry import laws_of
from patchcore_conformance.verdicts import BAD, Verdict
from patchcore_plugin import components

EXACT = {"level": "exact", "arith": "E0", "prefix_stable": True}
OURS = {
    "numpy-greedy": EXACT,
    "numba-greedy": EXACT,
    "pruned-greedy": EXACT,
    "projected-greedy": {"level": "approx", "prefix_stable": True},
    "amazon-greedy": {"level": "approx", "anchors": 10},
    "random": {"level": "subset", "prefix_stable": True},
    "keep-all": {"level": "subset"},
}
COMPILED = {"numba-greedy", "pruned-greedy", "projected-greedy", "amazon-greedy"}
SLOW = {"a random projection", "torch tensors, expanded squares"}


def verdicts(report):
    return {result.id: result.verdict for result in report.results}


@pytest.mark.parametrize("part", broken_parts("sampler"), ids=lambda part: part.name)
def test_a_faulty_sampler_is_caught_by_the_laws_it_names(part):
    report = run("sampler", part.make, part.claims, profile=part.profile, only=part.caught_by)
    assert [law for law, verdict in verdicts(report).items() if verdict not in BAD] == []
    assert report.exit_code == 1


def test_each_law_of_samplers_has_a_faulty_one_that_it_catches():
    own = {law.id for law in laws_of("sampler") if law.id.startswith("S")}
    assert own == {f"S{number:02}" for number in range(1, 24)}
    assert own <= {law for part in broken_parts("sampler") for law in part.caught_by}


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(part, marks=[pytest.mark.long] if part.name in SLOW else [], id=part.name)
        for part in accepted_parts("sampler")
    ],
)
def test_an_unusual_sampler_that_is_right_keeps_all_that_it_claims(part):
    run("sampler", part.make, part.claims).raise_for_status()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if name in COMPILED else []) for name in OURS]
)
def test_our_samplers_keep_what_they_claim(name):
    run("sampler", partial(components.create, "sampler", name), OURS[name]).raise_for_status()


@pytest.mark.long
def test_our_torch_sampler_keeps_what_it_claims():
    run("sampler", partial(components.create, "sampler", "torch-greedy", device="cpu"), EXACT).raise_for_status()


def test_the_example_of_the_docs_is_a_subset(monkeypatch):
    example = Path(__file__).parents[2] / "docs" / "examples" / "patchcore-even-spread"
    monkeypatch.syspath_prepend(str(example))
    from patchcore_even_spread import EvenSpread

    run("sampler", EvenSpread, {"level": "subset"}).raise_for_status()
    assert run("sampler", EvenSpread, {"level": "approx"}, only=["S06"]).exit_code == 1
    sys.modules.pop("patchcore_even_spread")


@pytest.mark.parametrize("seed", [1, 2])
def test_a_right_sampler_is_right_for_other_seeds_of_the_kit(seed):
    run("sampler", Greedy, {**EXACT, "dtype": "float64"}, seed=seed).raise_for_status()


def test_memory_of_a_right_sampler_is_not_squared():
    report = run("sampler", Greedy, {"level": "subset"}, profile="thorough", only=["S20"])
    assert verdicts(report) == {"S20": Verdict.PASS}


def test_a_sampler_that_takes_progress_and_tells_nothing_is_not_judged_by_it():
    class Silent(Greedy):
        def select(self, embeddings, progress=None):
            return super().select(embeddings)

    assert run("sampler", Silent, EXACT, only=["S21"])["S21"].verdict is Verdict.NOT_CLAIMED
    assert run("sampler", Greedy, EXACT, only=["S21"])["S21"].verdict is Verdict.NOT_CLAIMED


@pytest.mark.parametrize("calls", [[(2, 3), (1, 3)], [(1, 3), (2, 4)], [(-1, 3)], [(0.5, 3)], [(True, 3)], [(4, 3)]])
def test_progress_that_falls_or_changes_its_total_or_is_no_number_of_rows_is_caught(calls):
    class Telling(Greedy):
        def select(self, embeddings, progress=None):
            for call in calls if progress is not None else ():
                progress(*call)
            return super().select(embeddings)

    assert run("sampler", Telling, EXACT, only=["S21"])["S21"].verdict is Verdict.FAIL


def test_progress_that_changes_what_is_chosen_is_caught():
    class Hurried(Greedy):
        def select(self, embeddings, progress=None):
            rows = super().select(embeddings)
            return rows if progress is None else rows[::-1].copy()

    found = run("sampler", Hurried, EXACT, only=["S21"])["S21"]
    assert "answers other rows when it tells progress" in found.message


def test_anchors_and_exactness_exclude_each_other():
    assert run("sampler", Greedy, {**EXACT, "anchors": 3}, only=["S18"])["S18"].verdict is Verdict.FAIL


def test_a_failure_brings_the_input_that_shows_it():
    class Nearest(Greedy):
        def farthest(self, near, taken):
            return int(np.argmin(np.where(taken, np.inf, near)))

    found = run("sampler", Nearest, EXACT, only=["S03"])["S03"]
    assert "the farthest is needed" in found.message
    assert found.evidence["embeddings"].shape[0] <= 60
    assert len(found.evidence["rows"]) >= 2
