"""The laws of aggregators: each faulty one is caught, each unusual one passes, and so do our own."""

from __future__ import annotations

from functools import partial

import pytest

from patchcore_conformance.accepted.registry import accepted_parts
from patchcore_conformance.broken.registry import broken_parts
from patchcore_conformance.engine import run
from patchcore_conformance.registry import laws_of
from patchcore_conformance.verdicts import BAD
from patchcore_plugin import components

BROKEN = [
    part for part in broken_parts("aggregator") if not isinstance(part.make, partial)
]  # the others are for all kinds
LETTER = "aggregator"[0].upper().replace("A", "G")
OWN_LAWS = [law.id for law in laws_of("aggregator") if law.id.startswith(LETTER)]


@pytest.mark.parametrize("part", BROKEN, ids=lambda part: part.name)
def test_a_faulty_aggregator_is_caught(part):
    wanted = sorted({"G02", "E01", *part.caught_by} & {law.id for law in laws_of("aggregator")})
    report = run("aggregator", part.make, part.claims, only=wanted)
    assert {result.id for result in report.results if result.verdict in BAD} >= set(part.caught_by)


def test_each_law_of_aggregators_has_a_faulty_one_that_it_catches():
    assert set(OWN_LAWS) <= {caught for part in BROKEN for caught in part.caught_by}
    assert [f"{LETTER}{number:02}" for number in range(1, 14)] == OWN_LAWS


@pytest.mark.parametrize("part", accepted_parts("aggregator"), ids=lambda part: part.name)
def test_an_unusual_aggregator_passes_all_it_claims(part):
    run("aggregator", part.make, part.claims).raise_for_status()


MEAN = {"level": "covariant", "linear": True, "channelwise": True, "serialisable": True, "thread_safe": True}
MIXED = {**MEAN, "channelwise": False}


@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ("local-mean", MEAN),
        pytest.param("torch-local-mean", MEAN, marks=pytest.mark.long),
        pytest.param("adaptive-mean", MIXED, marks=pytest.mark.long),
        pytest.param("torch-adaptive-mean", MIXED, marks=pytest.mark.long),
    ],
)
def test_our_own_aggregators_hold_what_they_claim(name, claims):
    run("aggregator", partial(components.create, "aggregator", name), claims).raise_for_status()
