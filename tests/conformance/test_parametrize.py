"""Laws as pytest items, without the plugin: each passes, fails, skips or fails as expected by itself."""

from __future__ import annotations

import pytest
from made_up_laws import KIND, Crashing, Doubler, Forgetful

import patchcore_conformance as conformance
from patchcore_conformance.expected import Expected
from patchcore_conformance.pytest_items import Check
from patchcore_conformance.report import NonConformantError
from patchcore_conformance.violation import KitError


def items(make, claims=None, **settings):
    mark = conformance.parametrize(KIND, make=make, claims=claims, **settings)
    assert mark.name == "parametrize"
    assert mark.args[0] == "check"
    return {item.id: item.values[0] for item in mark.args[1]}


def outcome(check):
    """Return the name of the exception that an item ends with, and its text."""
    try:
        check()
    except (NonConformantError, pytest.skip.Exception, pytest.xfail.Exception) as ended:
        return type(ended).__name__, str(ended)
    return "passed", ""


def test_there_is_one_item_a_law_named_by_it(three_laws):
    found = items(Doubler)
    assert list(found) == ["T01", "T02", "T03"]
    assert all(isinstance(check, Check) for check in found.values())


def test_a_law_that_holds_passes_and_one_that_is_not_claimed_is_skipped_with_the_promise(three_laws):
    found = items(Doubler)
    assert outcome(found["T01"])[0] == "passed"
    assert outcome(found["T03"]) == ("Skipped", "NOT_CLAIMED: needs the promise: serialisable")


def test_a_broken_law_fails_with_the_input_and_the_next_command(three_laws):
    name, text = outcome(items(Forgetful)["T02"])
    assert name == "NonConformantError"
    assert "numbers = np.array([10.0, 20.0, 30.0], dtype='float32')" in text
    assert "--only T02" in text


def test_an_error_fails_with_its_traceback(three_laws):
    name, text = outcome(items(Crashing)["T01"])
    assert (name, "KeyError: 'no such number'" in text) == ("NonConformantError", True)


def test_what_shows_nothing_fails(add_law):
    add_law("T01", witnesses=5)
    assert outcome(items(Doubler)["T01"])[0] == "NonConformantError"


def test_an_expected_failure_is_one_and_an_unexpected_success_fails(three_laws):
    expect = conformance.Expectations((Expected("T01", "known"), Expected("T02", "known")), "expect.toml")
    found = items(Forgetful, expect=expect)
    assert outcome(found["T02"]) == ("XFailed", "known")
    assert outcome(found["T01"])[0] == "NonConformantError"
    assert outcome(found["expect.toml"])[0] == "passed"


def test_a_file_of_expected_failures_is_looked_for_beside_the_module_and_is_an_item_of_its_own(three_laws, tmp_path):
    (tmp_path / "expect.toml").write_text('[T9]\nreason = "a slip"\n')
    module = tmp_path / "test_mine.py"
    module.write_text("")
    source = "mark = conformance.parametrize(KIND, make=Doubler, expect='expect.toml')"
    names = {"conformance": conformance, "KIND": KIND, "Doubler": Doubler}
    exec(compile(source, str(module), "exec"), names)  # noqa: S102 - the file's place is what is tested
    found = {item.id: item.values[0] for item in names["mark"].args[1]}
    assert list(found) == ["T01", "T02", "T03", "expect.toml"]
    assert outcome(found["expect.toml"]) == ("NonConformantError", "expect.toml: no law of this kind is named T9")


def test_a_law_is_blocked_by_what_an_earlier_item_found_and_runs_alone_otherwise(add_law):
    add_law("T01", lambda ctx: ctx.broken("no"))
    add_law("T02", after=("T01",))
    alone, together = items(Doubler), items(Doubler)
    assert outcome(alone["T02"])[0] == "passed"
    outcome(together["T01"])
    assert outcome(together["T02"]) == ("Skipped", "BLOCKED: says nothing while T01 is broken")


def test_a_library_that_is_missing_skips(three_laws):
    def lacking():
        raise ImportError("needs torch")

    assert outcome(items(lacking)["T01"]) == ("Skipped", "ENV: needs torch")


def test_a_slip_is_told_when_the_module_is_imported(three_laws):
    with pytest.raises(KitError, match="no claim is named"):
        items(Doubler, {"levl": "exact"})
    with pytest.raises(KitError, match="no profile is named"):
        items(Doubler, profile="slow")
