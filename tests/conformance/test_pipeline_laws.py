"""The laws of whole detectors: faulty ones are caught, unusual ones pass, and so does PatchCore itself."""

from __future__ import annotations

import pytest

from patchcore_conformance.accepted.registry import accepted_parts
from patchcore_conformance.broken.registry import broken_parts
from patchcore_conformance.engine import run
from patchcore_conformance.registry import laws_of
from patchcore_conformance.verdicts import BAD
from patchcore_plugin import PatchCore


def detector(overrides=()):
    return PatchCore.from_preset("default", list(overrides))


@pytest.mark.parametrize("part", broken_parts("pipeline"), ids=lambda part: part.name)
def test_a_faulty_detector_is_caught_by_the_laws_it_names(part):
    report = run("pipeline", part.make, part.claims, only=part.caught_by)
    assert [result.id for result in report.results if result.verdict not in BAD] == []


def test_each_law_of_detectors_has_a_faulty_one_that_it_catches():
    own = {law.id for law in laws_of("pipeline")}
    assert own == {f"L{number:02}" for number in range(1, 23)}
    assert own <= {law for part in broken_parts("pipeline") for law in part.caught_by}


@pytest.mark.parametrize("part", accepted_parts("pipeline"), ids=lambda part: part.name)
def test_an_unusual_detector_that_is_right_keeps_all_laws_that_it_can_be_asked_about(part):
    run("pipeline", part.make, part.claims).raise_for_status()


@pytest.mark.long
def test_patchcore_keeps_all_laws():
    run("pipeline", detector).raise_for_status()


@pytest.mark.long
def test_patchcore_of_squared_distances_over_three_rows_keeps_the_laws_about_files_and_batches():
    def other(overrides=()):
        return detector(["scoring.neighbors=3", "scoring.distance=squared", "scoring.bank_dtype=float16", *overrides])

    run("pipeline", other, only=["L04", "L05"]).raise_for_status()
