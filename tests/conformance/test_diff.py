"""Two reports side by side."""

from __future__ import annotations

import copy

import pytest
from made_up_laws import KIND, Doubler, Forgetful

from patchcore_conformance.diff import compared, diff
from patchcore_conformance.engine import run
from patchcore_conformance.formats.json_report import as_data
from patchcore_conformance.violation import KitError


@pytest.fixture
def good(three_laws):
    """The report of a part that holds all it promises, as plain data."""
    return as_data(run(KIND, Doubler))


def with_check(report, place, **found):
    report = copy.deepcopy(report)
    report["checks"][place] |= found
    return report


def test_a_report_is_no_different_from_itself(good):
    found = compared(good, good)
    assert (found.in_words(), found.worse) == (["no law is judged otherwise"], ())


def test_a_law_that_broke_is_worse_and_one_that_was_mended_is_not(three_laws, good):
    bad = as_data(run(KIND, Forgetful))
    assert [str(change) for change in compared(good, bad).worse] == ["T02: PASS -> FAIL"]
    assert "T02: PASS -> FAIL (worse)" in compared(good, bad).in_words()
    assert "factory: made_up_laws:Doubler -> made_up_laws:Forgetful" in compared(good, bad).in_words()
    assert (compared(bad, good).worse, [str(one) for one in compared(bad, good).verdicts]) == (
        (),
        ["T02: FAIL -> PASS"],
    )


@pytest.mark.parametrize(
    ("before", "after", "worse"),
    [
        ("PASS", "NOT_CLAIMED", True),
        ("PASS", "XFAIL", True),
        ("PASS", "VACUOUS", True),
        ("XFAIL", "FAIL", True),
        ("VACUOUS", "FAIL", True),
        ("FAIL", "XFAIL", False),
        ("NOT_CLAIMED", "PASS", False),
        ("FAIL", "ERROR", False),
    ],
)
def test_a_promise_taken_back_is_worse_too(good, before, after, worse):
    pair = (with_check(good, 0, verdict=verdict) for verdict in (before, after))
    assert bool(compared(*pair).worse) is worse


@pytest.mark.parametrize(
    ("before", "after", "grew"),
    [
        (0.2, 0.5, True),
        (0.5, 0.52, False),
        (1e-6, 1e-5, False),
        (0.0, 0.3, True),
        (None, 0.3, False),
        (0.5, None, False),
        (0.5, "inf", True),
    ],
)
def test_a_margin_that_grew_is_told_unless_it_is_noise(good, before, after, grew):
    found = compared(with_check(good, 0, worst_margin=before), with_check(good, 0, worst_margin=after))
    assert bool(found.margins) is grew


def test_a_law_that_demands_something_else_is_told(good):
    found = compared(good, with_check(good, 1, digest="other"))
    assert (found.laws, found.in_words()) == (("T02",), ["T02: the law itself is not the same"])


def test_laws_of_one_report_only_are_told(good):
    fewer = {**good, "checks": good["checks"][1:]}
    assert (compared(good, fewer).gone, compared(fewer, good).new) == (("T01",), ("T01",))


def test_other_claims_and_other_libraries_are_told(good):
    other = copy.deepcopy(good)
    other["claims"]["arith"], other["env"]["numpy"], other["seed"] = "E0", "1.0", 9
    found = compared(good, other).in_words()
    assert {"claim arith: E1 -> E0", "seed: 0 -> 9", f"numpy: {good['env']['numpy']} -> 1.0"} <= set(found)


def test_files_are_compared(three_laws, tmp_path):
    files = [run(KIND, part).write(tmp_path / part.__name__)[0] for part in (Doubler, Forgetful)]
    assert len(diff(*files).verdicts) == 1
    with pytest.raises(KitError, match=r"nothing\.json cannot be read"):
        diff(files[0], tmp_path / "nothing.json")
