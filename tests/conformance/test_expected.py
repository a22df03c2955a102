"""Expected failures: what they excuse, and everything about them that goes out of date fails the run."""

from __future__ import annotations

from datetime import date

import pytest
from made_up_laws import KIND, Crashing, Doubler, Forgetful

from patchcore_conformance.engine import run
from patchcore_conformance.expected import Expectations, Expected
from patchcore_conformance.report import NonConformantError
from patchcore_conformance.verdicts import Verdict
from patchcore_conformance.violation import KitError

KNOWN = Expected("T02", "large numbers are left alone", "https://example.org/7", date(2030, 6, 30))


def expecting(*entries, today=date(2030, 6, 30)):
    return Expectations(entries, "expect.toml", today)


def test_a_failure_that_is_expected_is_an_exception_and_says_why(three_laws):
    report = run(KIND, Forgetful, expect=expecting(KNOWN))
    assert report["T02"].verdict is Verdict.XFAIL
    assert report["T02"].reason == "large numbers are left alone (https://example.org/7, until 2030-06-30)"
    assert "not doubled" in report["T02"].message
    assert (report.exit_code, report.outcome) == (0, "conformant with exceptions")
    report.raise_for_status()


def test_an_error_can_be_expected_too(three_laws):
    report = run(KIND, Crashing, expect=expecting(Expected("T01", "it crashes"), Expected("T02", "it crashes")))
    assert [result.verdict for result in report.results][:2] == [Verdict.XFAIL, Verdict.XFAIL]


def test_other_failures_are_not_excused(three_laws):
    report = run(KIND, Forgetful, expect=expecting(Expected("T01", "another one")))
    assert (report["T02"].verdict, report.exit_code) == (Verdict.FAIL, 1)


def test_a_law_that_holds_although_it_is_expected_to_fail_fails_the_run(three_laws):
    report = run(KIND, Doubler, expect=expecting(KNOWN))
    assert (report["T02"].verdict, report.exit_code) == (Verdict.XPASS, 1)
    assert "take the entry out" in report["T02"].message


def test_a_law_that_may_err_by_chance_may_hold_now_and_then(add_law):
    add_law("T02", statistical=True)
    report = run(KIND, Doubler, expect=expecting(KNOWN))
    assert (report["T02"].verdict, report.exit_code) == (Verdict.PASS, 0)


def test_what_is_not_judged_stays_as_it_is(three_laws):
    report = run(KIND, Doubler, expect=expecting(Expected("T03", "not promised anyway")))
    assert (report["T03"].verdict, report.exit_code) == (Verdict.NOT_CLAIMED, 0)


def test_an_entry_counts_until_the_end_of_its_day(three_laws):
    late = run(KIND, Forgetful, expect=expecting(KNOWN, today=date(2030, 7, 1)))
    assert (late["T02"].verdict, late.exit_code) == (Verdict.FAIL, 1)
    assert late.complaints == ("expect.toml: T02 was to be mended by 2030-06-30: mend the part, or set another day",)


def test_an_entry_that_is_past_fails_the_run_also_where_the_law_holds(three_laws):
    report = run(KIND, Doubler, expect=expecting(KNOWN, today=date(2031, 1, 1)))
    assert (report["T02"].verdict, report.exit_code, report.outcome) == (Verdict.PASS, 1, "not conformant")
    with pytest.raises(NonConformantError, match="T02 was to be mended by 2030-06-30"):
        report.raise_for_status()


def test_an_entry_for_a_law_that_does_not_exist_fails_the_run(three_laws):
    report = run(KIND, Doubler, expect=expecting(Expected("T2", "a slip of the pen")))
    assert report.exit_code == 1
    assert report.complaints == ("expect.toml: no law of this kind is named T2",)


def test_an_entry_for_a_law_that_was_not_asked_for_is_no_slip(three_laws):
    assert run(KIND, Doubler, only=["T01"], expect=expecting(KNOWN)).conformant


def test_a_law_that_builds_on_an_expected_failure_is_blocked(add_law):
    add_law("T01", lambda ctx: ctx.broken("no"))
    add_law("T02", after=("T01",))
    report = run(KIND, Doubler, expect=expecting(Expected("T01", "known")))
    assert [result.verdict for result in report.results] == [Verdict.XFAIL, Verdict.BLOCKED]
    assert report.exit_code == 0


def test_a_file_is_read_with_reason_issue_and_day(tmp_path):
    path = tmp_path / "expect.toml"
    path.write_text(
        '[T01]\nreason = " why "\nissue = "#7"\nuntil = 2030-06-30\n[T02]\nreason = "x"\nuntil = "2030-01-31"\n'
    )
    found = Expectations.read(path)
    assert found.entries == (
        Expected("T01", "why", "#7", date(2030, 6, 30)),
        Expected("T02", "x", "", date(2030, 1, 31)),
    )
    assert found.source == "expect.toml"


def test_the_day_of_a_file_is_today(tmp_path):
    path = tmp_path / "expect.toml"
    path.write_text(f'[T01]\nreason = "x"\nuntil = {date.today()}\n[T02]\nreason = "x"\nuntil = 2020-01-01\n')
    assert Expectations.read(path).ids == {"T01"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[T01]", "[T01] in {path} gives no reason"),
        ('[T01]\nreason = "  "', "[T01] in {path} gives no reason"),
        ("[T01]\nreason = 3", "[T01] in {path} has reason = 3, but a text is needed"),
        ('[T01]\nreason = "x"\nissue = 7', "[T01] in {path} has issue = 7, but a text is needed"),
        ('[T01]\nreason = "x"\nuntill = 2030-01-01', "has untill. There are: reason, issue, until"),
        ('[T01]\nreason = "x"\nuntil = "soon"', "has until = 'soon', but a day such as 2027-03-31 is needed"),
        ('[T01]\nreason = "x"\nuntil = 2030-01-01T10:00:00', "but a day such as 2027-03-31 is needed"),
        ('T01 = "x"', "[T01] in {path} is 'x', but a table with a reason is needed"),
        ("[T01", "the expected failures in {path} cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_entry(tmp_path, text, told):
    path = tmp_path / "expect.toml"
    path.write_text(text)
    with pytest.raises(KitError) as caught:
        Expectations.read(path)
    assert told.format(path=path) in str(caught.value)


def test_a_file_that_is_missing_is_refused_by_its_name(three_laws, tmp_path):
    with pytest.raises(KitError, match=r"no\.toml"):
        run(KIND, Doubler, expect=tmp_path / "no.toml")
