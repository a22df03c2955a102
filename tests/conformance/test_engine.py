"""The engine: each way in which a check can end, and whether a check that passes could have failed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st
from made_up_laws import KIND, NUMBERS, ONE_MORE, UNTOUCHED, Crashing, Doubler, Forgetful, Scaled, doubles

from patchcore_conformance import registry
from patchcore_conformance.claims import Claims
from patchcore_conformance.engine import run
from patchcore_conformance.profiles import THOROUGH
from patchcore_conformance.report import NonConformantError
from patchcore_conformance.saboteur import Saboteur
from patchcore_conformance.telling import time_in_words
from patchcore_conformance.verdicts import Verdict
from patchcore_conformance.violation import Inconclusive, KitError, NotOffered

TESTS = Path(__file__).parents[1]


def halves(ctx):
    ctx.broken("not halved", numbers=NUMBERS)


def sees_nothing(ctx):
    ctx.make().image_scores(NUMBERS)


def test_what_holds_passes_and_each_saboteur_is_noticed(add_law):
    add_law("T01", saboteurs=(ONE_MORE,))
    report = run(KIND, Doubler)
    assert (report["T01"].verdict, report["T01"].sensitivity, report["T01"].missed) == (Verdict.PASS, 1.0, ())
    assert (report.exit_code, report.conformant, report.outcome) == (0, True, "conformant")
    report.raise_for_status()


def test_a_violation_fails_with_its_evidence(add_law):
    add_law("T01", halves)
    report = run(KIND, Doubler)
    assert (report["T01"].verdict, report["T01"].message) == (Verdict.FAIL, "not halved")
    assert report["T01"].evidence["numbers"] is NUMBERS
    assert (report.exit_code, report.outcome) == (1, "not conformant")
    with pytest.raises(NonConformantError, match="T01 FAIL: not halved"):
        report.raise_for_status()


def test_what_a_part_raises_is_an_error_that_tells_the_call_and_its_input(add_law):
    add_law("T01")
    result = run(KIND, Crashing)["T01"]
    assert result.verdict is Verdict.ERROR
    assert "KeyError: 'no such number' (image_scores, line" in result.message
    assert (result.evidence["method"], result.evidence["argument_0"].tolist()) == ("image_scores", [1, 2, 3])
    assert "made_up_laws.py" in result.evidence["traceback"]
    assert "watched.py" not in result.evidence["traceback"]


def test_a_part_that_ends_the_process_is_an_error_and_the_run_goes_on(add_law):
    add_law("T01", lambda ctx: sys.exit(0))
    add_law("T02")
    report = run(KIND, Doubler)
    assert [result.verdict for result in report.results] == [Verdict.ERROR, Verdict.PASS]


def test_a_law_that_builds_on_a_broken_one_is_blocked(add_law):
    add_law("T01", halves)
    add_law("T02", after=("T01",))
    add_law("T03", after=("T02",))
    report = run(KIND, Doubler)
    assert [result.verdict for result in report.results] == [Verdict.FAIL, Verdict.BLOCKED, Verdict.BLOCKED]
    assert "while T01 is broken" in report["T02"].message


def test_a_law_runs_when_the_one_it_builds_on_was_not_asked_for(add_law):
    add_law("T01", halves)
    add_law("T02", after=("T01",))
    assert run(KIND, Doubler, only=["T02"])["T02"].verdict is Verdict.PASS


def test_what_is_not_promised_is_not_judged_and_says_what_it_would_take(add_law):
    add_law("T01")
    add_law("T02", halves, promise="serialisable", applies=lambda claims: claims.serialisable)
    report = run(KIND, Doubler)
    assert (report["T02"].verdict, report["T02"].message) == (Verdict.NOT_CLAIMED, "needs the promise: serialisable")
    assert report.exit_code == 0
    assert run(KIND, Doubler, {"serialisable": True})["T02"].verdict is Verdict.FAIL


def test_what_a_part_does_not_offer_is_not_claimed(add_law):
    def about_something_optional(ctx):
        raise NotOffered("it has no such thing")

    add_law("T01", about_something_optional)
    assert run(KIND, Doubler)["T01"].verdict is Verdict.NOT_CLAIMED


def test_a_library_that_is_missing_is_a_matter_of_the_machine(add_law):
    def lacking(**options):
        raise ImportError("needs torch")

    add_law("T01")
    report = run(KIND, lacking)
    assert (report["T01"].verdict, report["T01"].message) == (Verdict.ENV, "needs torch")
    assert report.env_only
    assert report.exit_code == 3


def test_a_check_that_met_too_little_is_vacuous(add_law):
    add_law("T01", witnesses=2)
    report = run(KIND, Doubler)
    assert (report["T01"].verdict, report["T01"].message) == (
        Verdict.VACUOUS,
        "met 1 telling instances of 2 needed",
    )
    assert (report.exit_code, report.outcome) == (3, "undecided")
    with pytest.raises(NonConformantError, match="is undecided:\nT01 VACUOUS"):
        report.raise_for_status()


def test_a_check_that_notices_no_saboteur_is_vacuous(add_law):
    add_law("T01", sees_nothing, witnesses=0, saboteurs=(ONE_MORE,))
    result = run(KIND, Doubler)["T01"]
    assert (result.verdict, result.sensitivity, result.missed) == (Verdict.VACUOUS, 0.0, ("adds one",))


def test_a_check_that_no_saboteur_applies_to_is_vacuous(add_law):
    add_law("T01", saboteurs=(Saboteur("gives up", "image_scores", lambda call, rng: None),))
    result = run(KIND, Doubler)["T01"]
    assert (result.verdict, result.sensitivity) == (Verdict.VACUOUS, None)


def test_a_saboteur_that_is_missed_beside_one_that_is_noticed_is_told(add_law):
    add_law("T01", saboteurs=(ONE_MORE, UNTOUCHED))
    result = run(KIND, Doubler)["T01"]
    assert (result.verdict, result.sensitivity, result.missed) == (Verdict.PASS, 0.5, ("does nothing",))


def test_a_saboteur_corrupts_the_answers_that_were_recorded_and_never_asks_the_part_again(add_law):
    asked, made = [], []

    class Counting(Doubler):
        def __init__(self):
            made.append(self)

        def image_scores(self, numbers):
            asked.append(numbers)
            return super().image_scores(numbers)

    add_law("T01", saboteurs=(ONE_MORE, UNTOUCHED))
    assert run(KIND, Counting)["T01"].verdict is Verdict.PASS
    assert (len(made), len(asked)) == (2, 1)  # made once before all laws, so that libraries are loaded, and by the law


def test_what_it_takes_to_load_a_part_is_told_apart_from_the_laws(add_law):
    loaded = []

    class Loading(Doubler):
        def __init__(self):
            if not loaded:
                time.sleep(0.6)
            loaded.append(self)

    add_law("T01", saboteurs=(ONE_MORE,))
    report = run(KIND, Loading)
    assert report["T01"].verdict is Verdict.PASS
    assert len(loaded) == 2  # the second by the law, which did not wait
    assert time_in_words(report).endswith("s of loading")
    assert time_in_words(replace(report, loading=0.1)).endswith(" s")


def test_a_part_that_cannot_be_made_is_found_out_by_the_laws_alone(add_law):
    class Unmade(Doubler):
        def __init__(self):
            raise OSError("no such file")

    add_law("T01", saboteurs=(ONE_MORE,))
    assert run(KIND, Unmade)["T01"].verdict is Verdict.ERROR


def test_a_check_is_not_run_again_for_a_saboteur_of_a_method_that_was_never_asked(add_law):
    runs = []

    def counted(ctx):
        runs.append(1)
        doubles(ctx)

    add_law("T01", counted, saboteurs=(Saboteur("of samplers", "select", lambda call, rng: call.output), ONE_MORE))
    result = run(KIND, Doubler)["T01"]
    assert (len(runs), result.verdict, result.sensitivity) == (2, Verdict.PASS, 1.0)


def test_what_a_law_needs_begins_before_the_first_law_is_checked(add_law):
    order = []
    add_law("T01", lambda ctx: order.append("T01"), witnesses=0)
    add_law("T02", lambda ctx: order.append("T02"), witnesses=0, ahead=lambda subject: order.append(subject.kind))
    add_law("T03", applies=lambda claims: False, ahead=lambda subject: order.append("not claimed"))
    run(KIND, Doubler)
    assert order == [KIND, "T01", "T02"]


def test_a_saboteur_gets_answers_that_are_its_own_to_change(add_law):
    def spoil(call, rng):
        call.output[...] = 0
        return call.output

    add_law("T01", saboteurs=(Saboteur("spoils", "image_scores", spoil), UNTOUCHED))
    result = run(KIND, Doubler)["T01"]
    assert (result.sensitivity, result.missed) == (0.5, ("does nothing",))  # the second one met the answers unspoiled


def test_an_error_is_recorded_too_so_that_a_saboteur_can_answer_instead(add_law):
    def refuses(ctx):
        try:
            answer = ctx.make().image_scores(NUMBERS)
        except KeyError:
            ctx.witness()
        else:
            ctx.broken(f"answered {answer}")

    answering = Saboteur("answers", "image_scores", lambda call, rng: 0 if call.error else None)
    add_law("T01", refuses, saboteurs=(answering,))
    assert run(KIND, Crashing)["T01"].sensitivity == 1


def test_chance_that_cannot_decide_is_inconclusive(add_law):
    def doubts(ctx):
        raise Inconclusive("too few")

    add_law("T01", doubts)
    report = run(KIND, Doubler)
    assert (report["T01"].verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 3)


@pytest.mark.parametrize("facts", [{"promise": "never", "applies": lambda claims: False}, {"profile": THOROUGH}])
def test_a_run_that_checks_nothing_is_undecided(add_law, facts):
    add_law("T01", **facts)
    report = run(KIND, Doubler)
    assert report.exit_code == 3
    with pytest.raises(NonConformantError, match="nothing was checked"):
        report.raise_for_status()


def test_a_law_of_a_thorough_profile_is_run_by_that_profile(add_law):
    add_law("T01", profile=THOROUGH)
    assert run(KIND, Doubler, profile="thorough")["T01"].verdict is Verdict.PASS
    with pytest.raises(KitError, match="law T01 needs profile 'thorough', but this is 'quick'"):
        run(KIND, Doubler, only=["T01"])


def test_each_check_gets_parts_of_its_own_and_options_reach_the_factory(add_law):
    def by_three(ctx):
        answer = ctx.make(factor=3).image_scores(NUMBERS)
        ctx.require((answer == 3 * NUMBERS).all(), "not tripled")
        ctx.witness()

    add_law("T01", by_three)
    add_law("T02")
    assert run(KIND, Scaled).conformant


def test_the_worst_margin_is_remembered_with_its_tolerance(add_law):
    def margins(ctx):
        ctx.within([0.1, 0.2], [1.0, 0.25], "too far")
        ctx.within([], 1.0, "nothing")
        ctx.within(0.5, 1.0, "too far")
        ctx.witness()

    add_law("T01", margins)
    result = run(KIND, Doubler)["T01"]
    assert (result.worst_margin, result.tolerance) == (0.8, 0.25)


@pytest.mark.parametrize(("error", "tolerance"), [(np.nan, 1.0), (np.inf, 1.0), (1e-300, 0.0), ([0, 2], [1, 1])])
def test_an_error_above_its_tolerance_or_none_at_all_is_a_violation(add_law, error, tolerance):
    add_law("T01", lambda ctx: ctx.within(error, tolerance, "too far"))
    result = run(KIND, Doubler)["T01"]
    assert result.verdict is Verdict.FAIL
    assert result.message.startswith("too far (off by")


def searching(ctx):
    ctx.search(st.lists(st.integers(0, 100), min_size=1), lambda numbers: doubles(ctx, np.array(numbers)))


def test_a_search_shrinks_to_the_smallest_input_and_is_the_same_every_time(add_law):
    add_law("T01", searching)
    first, second = (run(KIND, Forgetful, profile="standard")["T01"] for _ in range(2))
    assert first.evidence["numbers"].tolist() == second.evidence["numbers"].tolist() == [10]


def test_without_shrinking_what_was_found_first_counts(add_law, tmp_path):
    met = []

    def noting(ctx):
        ctx.search(st.integers(0, 1000), lambda number: (met.append(number), doubles(ctx, np.array([number]))))

    add_law("T01", noting)
    run(KIND, Forgetful)
    shrunk = len(met)
    met.clear()
    (tmp_path / "expect.toml").write_text('[T01]\nreason = "known"\n')
    assert run(KIND, Forgetful, expect=tmp_path / "expect.toml")["T01"].verdict is Verdict.XFAIL
    assert 0 < len(met) < shrunk


def test_another_seed_searches_elsewhere(add_law):
    met = []
    add_law("T01", lambda ctx: ctx.search(st.integers(0, 10**9), met.append))
    found = []
    for seed in (0, 0, 1):
        met.clear()
        run(KIND, Doubler, seed=seed)
        found.append(tuple(met))
    assert found[0] == found[1] != found[2]


def test_a_part_that_answers_the_same_input_in_different_ways_breaks_the_law(add_law):
    answers = iter(range(10**6))

    class Moody(Doubler):
        def image_scores(self, numbers):
            return 2 * numbers + (10 if next(answers) == 3 else 0)

    add_law("T01", searching)
    result = run(KIND, Moody)["T01"]
    assert result.verdict is Verdict.FAIL
    assert "different ways" in result.message


def test_warnings_of_a_part_are_left_to_the_law_about_warnings(add_law):
    class Loud(Doubler):
        def image_scores(self, numbers):
            return 2 * numbers + 0 * np.log(np.zeros(1))[0:0].sum()

    add_law("T01")
    assert run(KIND, Loud).conformant


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"kind": "score"}, "no kind is named 'score'. There are: extractor"),
        ({"claims": {"levl": "exact"}}, "no claim is named 'levl'. There are: anchors"),
        ({"claims": {"level": "best"}}, "a scores has no level 'best'. There are: exact"),
        ({"claims": {"arith": "E2"}}, "the claim arith is 'E2', but it needs to be one of: E0"),
        ({"claims": {"anchors": True}}, "the claim anchors is True, but it needs to be one of: int"),
        ({"claims": {"deterministic": 1}}, "the claim deterministic is 1, but it needs to be one of: bool"),
        ({"claims": Claims(spec="0.9")}, "the claims name the laws of version 0.9, but this kit has version 1.0"),
        ({"profile": "fast"}, "no profile is named 'fast'. There are: quick"),
        ({"only": ["T01", "T09"]}, "a scores has no law T09. There are: T01"),
    ],
)
def test_a_slip_of_the_caller_is_told_before_anything_is_run(add_law, arguments, told):
    add_law("T01", lambda ctx: pytest.fail("it ran"))
    with pytest.raises(KitError) as caught:
        run(**{"kind": KIND, "make": Doubler, **arguments})
    assert told in str(caught.value)


def test_a_mistake_of_the_kit_in_a_check_is_not_blamed_on_the_part(add_law):
    def mistaken(ctx):
        raise KitError("no such driver")

    add_law("T01", mistaken)
    with pytest.raises(KitError, match="no such driver"):
        run(KIND, Doubler)


def test_without_hypothesis_the_kit_says_how_to_get_it(add_law, monkeypatch):
    add_law("T01")
    monkeypatch.setattr(registry, "find_spec", lambda name: None)
    with pytest.raises(KitError, match=r"needs hypothesis.*pip install 'patchcore-plugin\[conformance\]'"):
        run(KIND, Doubler)


def python(*arguments, script, **environment):
    found = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(Path.cwd())]), **environment}
    command = [sys.executable, *arguments, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=found).stdout.split()


def test_optimised_python_judges_alike():
    script = (
        "import made_up_laws, patchcore_conformance as kit\n"
        "made_up_laws.a_small_registry()\n"
        "report = kit.run('scores', made_up_laws.Forgetful, {'serialisable': True})\n"
        "print(*(result.verdict.value for result in report.results))\n"
        "print(report['T02'].evidence['numbers'].tolist()[0])"
    )
    assert python(script=script) == python("-O", script=script) == ["PASS", "FAIL", "PASS", "10.0"]


def test_importing_the_kit_loads_nothing_but_itself():
    script = "import patchcore_conformance, sys\nprint(*{name.split('.')[0] for name in sys.modules})"
    assert not {"numpy", "hypothesis", "pytest", "typer", "rich", "patchcore_plugin"} & set(python(script=script))


def test_the_public_names_are_all_there():
    import patchcore_conformance as kit

    assert {name for name in kit.__all__ if not hasattr(kit, name)} == set()
    assert set(kit.__all__) <= set(dir(kit))
    with pytest.raises(AttributeError, match="no attribute 'runn'"):
        _ = kit.runn


SEARCH = """
{first}
import made_up_laws
from hypothesis import strategies as st
from patchcore_conformance import run
met = []
made_up_laws.empty_registry()
made_up_laws.add("T01", lambda ctx: ctx.search(st.integers(0, 10**12), met.append, examples=300))
run("scores", made_up_laws.Doubler)
print(*met)
"""


def test_generated_inputs_depend_neither_on_what_is_loaded_nor_leave_anything_behind(tmp_path, monkeypatch):
    (tmp_path / "with_numbers.py").write_text("NUMBERS = [987654321012, 876543210987, 765432109876]\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYPOTHESIS_STORAGE_DIRECTORY", str(tmp_path / "storage"))
    plain, loaded = (python(script=SEARCH.format(first=first)) for first in ("", "import with_numbers"))
    assert plain == loaded
    assert len(set(plain)) > 200
    assert not (tmp_path / "storage").exists()


def test_what_a_part_does_to_the_process_is_undone_after_the_check(add_law):
    """A part that silences NumPy's errors would make the law on warnings deaf to all that follow."""

    def touched(ctx):
        ctx.witness()
        np.seterr(all="ignore")
        np.set_printoptions(precision=2)
        random.seed(5)

    add_law("T01", touched, saboteurs=())
    before = np.geterr(), np.get_printoptions(), random.getstate()
    run(KIND, Doubler)
    assert (np.geterr(), np.get_printoptions(), random.getstate()) == before
