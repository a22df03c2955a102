"""The laws of anomaly maps: faulty ones are caught, unusual ones pass, and so does the reference in all its ways."""

from __future__ import annotations

from functools import partial

import pytest

from patchcore_conformance.accepted.registry import accepted_parts
from patchcore_conformance.broken.registry import broken_parts
from patchcore_conformance.engine import run
from patchcore_conformance.model.maps import Blurred
from patchcore_conformance.registry import laws_of
from patchcore_conformance.verdicts import BAD
from patchcore_reference import anomaly_maps


class Reference:
    def __init__(self, **how):
        self.anomaly_map = partial(anomaly_maps.anomaly_map, **how)


@pytest.mark.parametrize("part", broken_parts("maps"), ids=lambda part: part.name)
def test_a_faulty_map_is_caught_by_the_laws_it_names(part):
    report = run("maps", part.make, part.claims, only=part.caught_by)
    assert [result.id for result in report.results if result.verdict not in BAD] == []


def test_each_law_of_maps_has_a_faulty_one_that_it_catches():
    own = {law.id for law in laws_of("maps") if law.id.startswith("A")}
    assert own == {f"A{number}" for number in range(10, 17)}
    assert own <= {law for part in broken_parts("maps") for law in part.caught_by}


@pytest.mark.parametrize("part", accepted_parts("maps"), ids=lambda part: part.name)
def test_an_unusual_map_that_is_right_keeps_all_that_it_claims(part):
    run("maps", part.make, part.claims).raise_for_status()


@pytest.mark.parametrize("border", ["symmetric", "reflect"])
@pytest.mark.parametrize("resize", ["bilinear", "nearest"])
def test_the_reference_draws_maps_as_the_paper_says(resize, border):
    run("maps", partial(Reference, resize=resize, border=border), {"resize": resize}).raise_for_status()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_right_map_is_right_for_other_seeds_of_the_kit(seed):
    run("maps", Blurred, seed=seed).raise_for_status()


def test_the_wrong_resizing_claimed_is_caught():
    assert run("maps", partial(Reference, resize="nearest"), only=["A12"]).exit_code == 1
