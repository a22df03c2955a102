"""A law of a report, checked again: with the claims, seed and profile of then, on the part as it is now."""

from __future__ import annotations

import json

import made_up_laws
import numpy as np
import pytest
from hypothesis import strategies as st
from made_up_laws import KIND, Crashing, Doubler, Forgetful, doubles

from patchcore_conformance.engine import run
from patchcore_conformance.expected import Expectations, Expected
from patchcore_conformance.replay import replay
from patchcore_conformance.verdicts import Verdict
from patchcore_conformance.violation import KitError


@pytest.fixture
def report(three_laws, tmp_path):
    """A report on a part that breaks T02."""
    path, *_ = run(KIND, Forgetful, {"serialisable": True}, seed=3).write(tmp_path)
    return path


def change(path, **found):
    content = json.loads(path.read_text())
    content |= found
    path.write_text(json.dumps(content))


def test_what_is_not_mended_still_fails_with_the_same_input(report):
    found = replay(report, "T02")
    assert (found.before, found.after, found.still_fails) == (Verdict.FAIL, Verdict.FAIL, True)
    assert found.same == {"numbers": True, "answer": True}
    assert found.in_words() == [
        "T02 still fails: was FAIL, is FAIL",
        "with the same input and the same answers as in the report",
    ]
    assert [result.id for result in found.report.results] == ["T02"]
    assert (found.report.seed, found.report.claims.serialisable) == (3, True)


def test_what_is_mended_no_longer_fails(report):
    found = replay(report, "T02", make=Doubler)
    assert (found.after, found.still_fails, found.in_words()) == (
        Verdict.PASS,
        False,
        ["T02 no longer fails: was FAIL, is PASS"],
    )


def test_what_fails_in_another_way_says_which_evidence_is_not_the_same(report):
    class Worse(Forgetful):
        def image_scores(self, numbers):
            return 0 * numbers

    words = replay(report, "T02", make=Worse).in_words()
    assert words == ["T02 still fails: was FAIL, is FAIL", "numbers: as in the report", "answer: not as in the report"]


def test_what_held_and_fails_now_is_said(report):
    assert replay(report, "T01", make=Crashing).in_words()[0] == "T01 fails now: was PASS, is ERROR"
    assert replay(report, "T01").in_words() == ["T01 does not fail: was PASS, is PASS"]


def test_generated_inputs_are_the_same_again(add_law, tmp_path):
    def searching(ctx):
        ctx.search(st.lists(st.integers(0, 99), min_size=1), lambda drawn: doubles(ctx, np.array(drawn)))

    add_law("T01", searching)
    path, *_ = run(KIND, Forgetful, profile="standard").write(tmp_path)
    assert all(replay(path, "T01").same.values())


def test_an_expected_failure_is_replayed_without_the_excuse(three_laws, tmp_path):
    known = Expectations((Expected("T02", "known"),))
    path, *_ = run(KIND, Forgetful, expect=known).write(tmp_path)
    assert replay(path, "T02").in_words()[0] == "T02 still fails: was XFAIL, is FAIL"


def test_a_law_that_was_blocked_is_judged_now(add_law, tmp_path):
    add_law("T01", lambda ctx: ctx.broken("no"))
    add_law("T02", after=("T01",))
    path, *_ = run(KIND, Doubler).write(tmp_path)
    assert replay(path, "T02").after is Verdict.PASS


def test_what_is_otherwise_than_then_is_told(report):
    env = {**json.loads(report.read_text())["env"], "numpy": "1.0"}
    made_up_laws.add("T02", statement="Something else holds.")
    change(report, kit="2020.01", env=env)
    _, *notes = replay(report, "T02", make=Doubler).in_words()
    assert notes[0] == "the law T02 itself is not what it was"
    assert notes[1].startswith("numpy was 1.0, is ")
    assert notes[2].startswith("kit was 2020.01, is ")


def test_a_factory_can_be_named_where_it_is_now(report):
    assert not replay(report, "T02", make="made_up_laws:Doubler").still_fails


def test_a_factory_without_a_name_has_to_be_named(three_laws, tmp_path):
    path, *_ = run(KIND, lambda: Forgetful()).write(tmp_path)
    with pytest.raises(KitError, match=r"cannot be imported by its name\. Name it: --make module:name"):
        replay(path, "T02")
    assert replay(path, "T02", make=Forgetful).still_fails


def test_a_law_that_the_report_does_not_judge_is_refused_with_those_that_it_does(report):
    with pytest.raises(KitError, match=r"does not judge T07\. It judges: T01, T02, T03"):
        replay(report, "T07")
