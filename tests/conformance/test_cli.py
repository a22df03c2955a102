"""The command: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata

import pytest
from made_up_laws import KIND
from typer.testing import CliRunner

from patchcore_conformance import installed
from patchcore_conformance.cli import app
from patchcore_conformance.violation import Missing
from patchcore_plugin import components
from patchcore_plugin.errors import WeightsError
from patchcore_plugin.hookspecs import Component
from patchcore_plugin.offers import Offer

GOOD, BAD = "made_up_laws:Doubler", "made_up_laws:Forgetful"


def conform(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def lines(done):
    return [line.strip() for line in done.stdout.splitlines()]


def test_a_part_that_holds_ends_with_0_and_shows_its_level_and_what_it_does_not_claim(three_laws):
    done = conform("run", GOOD, "--kind", KIND)
    assert done.exit_code == 0, done.output
    found = lines(done)
    assert [line.split()[:2] for line in found[1:4]] == [["T01", "PASS"], ["T02", "PASS"], ["T03", "NOT_CLAIMED"]]
    assert f"Conformant: {KIND} {GOOD}" in found
    assert "level: exact; laws of version 1.0, profile quick" in found
    assert "not claimed: T03: needs the promise: serialisable" in found


def test_a_violation_ends_with_1_and_leads_to_the_input_and_to_the_next_command(three_laws):
    done = conform("run", BAD, "--kind", KIND, "--seed", 7)
    assert done.exit_code == 1
    found = lines(done)
    assert "T02 FAIL" in found
    assert "law:    T02 holds." in found
    assert "found:  not doubled (off by 30, allowed 0.5)" in found
    assert "inputs: numbers = np.array([10.0, 20.0, 30.0], dtype='float32')" in found
    assert "read:   patchcore-conformance explain T02" in found
    again = f"patchcore-conformance run {BAD} --kind {KIND} --claim level=exact --profile quick --seed 7 --only T02"
    assert f"again:  {again}" in found
    assert lines(conform(*again.split()[1:]))[1].split()[:2] == ["T02", "FAIL"]


def test_an_error_that_comes_in_each_law_is_told_once(three_laws):
    done = conform("run", "made_up_laws:Crashing", "--kind", KIND)
    assert done.exit_code == 1
    assert done.output.count("raise KeyError") == 1
    assert "the error of T01, once more" in done.output


def test_claims_and_options_reach_the_part(three_laws):
    done = conform("run", "made_up_laws:Scaled", "--kind", KIND, "--set", "factor=2.0", "--claim", "serialisable=true")
    assert done.exit_code == 0, done.output
    assert "T03  PASS" in done.stdout
    assert "level: exact, serialisable=True; " in done.stdout
    done = conform("run", "made_up_laws:Scaled", "--kind", KIND, "--set", "factor=3", "--only", "T01")
    assert done.exit_code == 1
    assert "--set factor=3 --profile quick" in done.stdout


def test_reports_are_written_and_can_be_replayed_and_compared(three_laws, tmp_path):
    for target, folder in ((GOOD, "good"), (BAD, "bad")):
        conform("run", target, "--kind", KIND, "--out", tmp_path / folder, "--format", "json,md")
    assert sorted(path.name for path in (tmp_path / "bad").iterdir()) == ["evidence", "report.json", "report.md"]
    good, bad = tmp_path / "good" / "report.json", tmp_path / "bad" / "report.json"
    done = conform("replay", bad, "T02")
    assert (done.exit_code, lines(done)[-1]) == (1, "with the same input and the same answers as in the report")
    done = conform("replay", bad, "T02", "--make", GOOD)
    assert (done.exit_code, lines(done)[-1]) == (0, "T02 no longer fails: was FAIL, is PASS")
    done = conform("diff", good, bad)
    assert (done.exit_code, lines(done)[0]) == (1, "T02: PASS -> FAIL (worse)")
    assert conform("diff", bad, good).exit_code == 0


def test_the_replay_command_of_a_report_works_as_printed(three_laws, tmp_path):
    conform("run", BAD, "--kind", KIND, "--out", tmp_path)
    told = json.loads((tmp_path / "report.json").read_text())["checks"][1]["replay"]
    assert "T02 still fails" in conform(*told.split()[1:]).stdout


def test_expected_failures_are_excused_and_told(three_laws, tmp_path):
    expect = tmp_path / "expect.toml"
    expect.write_text('[T02]\nreason = "known for years"\n')
    done = conform("run", BAD, "--kind", KIND, "--expect", expect)
    assert done.exit_code == 0
    assert {"expected: T02: known for years", f"Conformant with exceptions: {KIND} {BAD}"} <= set(lines(done))
    expect.write_text('[T7]\nreason = "a slip"\n')
    done = conform("run", GOOD, "--kind", KIND, "--expect", expect)
    assert (done.exit_code, lines(done)[-1]) == (1, "expect.toml: no law of this kind is named T7")


def test_a_run_that_checks_nothing_ends_with_3(three_laws):
    done = conform("run", GOOD, "--kind", KIND, "--only", "T03")
    assert done.exit_code == 3
    assert "Undecided" in done.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run"], "name what to judge"),
        (["run", GOOD], "add --kind, one of extractor"),
        (["run", GOOD, "--kind", "score"], "no kind is named 'score'"),
        (["run", "made_up_laws", "--kind", KIND], "Write package.module:name"),
        (["run", "no_such:thing", "--kind", KIND], "no_such:thing cannot be imported: ModuleNotFoundError"),
        (["run", "made_up_laws:Tripler", "--kind", KIND], "cannot be imported: AttributeError"),
        (["run", "made_up_laws:NUMBERS", "--kind", KIND], "something to call is needed"),
        (["run", GOOD, "--kind", KIND, "--claim", "exact"], "Write --claim name=value"),
        (["run", GOOD, "--kind", KIND, "--claim", "arith=E7"], "the claim arith is 'E7'"),
        (["run", GOOD, "--kind", KIND, "--claim", "anchors=x"], "the claim anchors is 'x'"),
        (["run", GOOD, "--kind", KIND, "--set", "a=1", "--set", "a=2"], "--set sets a twice: 1 and 2"),
        (["run", GOOD, "--kind", KIND, "--profile", "slow"], "no profile is named 'slow'"),
        (["run", GOOD, "--kind", KIND, "--format", "pdf"], "no format is named 'pdf'"),
        (["run", GOOD, "--kind", KIND, "--only", "T9"], "a scores has no law T9"),
        (["run", GOOD, "--kind", KIND, "--expect", "none.toml"], "none.toml cannot be read"),
        (["run", "sampler:greedyy"], "there is no sampler 'greedyy'"),
        (["run", "--installed", GOOD], "leave out TARGET"),
        (["run", "--installed", "--kind", "scores"], "parts of kind 'scores' are not looked up by name"),
        (["explain", "T9"], "no law has the id 'T9'"),
        (["list", "--kind", "bank"], "no kind is named 'bank'"),
        (["replay", "none.json", "T01"], "none.json cannot be read"),
        (["diff", "none.json", "none.json"], "none.json cannot be read"),
    ],
)
def test_a_slip_ends_with_2_and_says_what_to_write(three_laws, words, told):
    done = conform(*words)
    assert done.exit_code == 2, done.output
    assert told in done.stderr
    assert not done.stdout


def test_without_hypothesis_it_ends_with_2(three_laws, monkeypatch):
    monkeypatch.setattr("patchcore_conformance.registry.find_spec", lambda name: None)
    done = conform("run", GOOD, "--kind", KIND)
    assert (done.exit_code, "patchcore-plugin[conformance]" in done.stderr) == (2, True)


def test_laws_are_listed_and_explained(three_laws):
    listed = lines(conform("list"))
    assert [line.split()[:2] for line in listed[1:]] == [["T01", KIND], ["T02", KIND], ["T03", KIND]]
    told = conform("explain", "T03").stdout
    assert "T03 (scores), since 1.0" in told
    assert all(f"{word}:" in told for word in ("law", "why", "seen", "mend", "asked of"))
    assert "parts that promise serialisable" in told
    assert "must notice: adds one" in conform("explain", "T01").stdout
    assert conform("explain", KIND).stdout.startswith("scores: 3 laws; levels: exact")


def test_a_law_of_several_kinds_is_explained_once(add_law):
    for kind in ("sampler", "neighbors"):
        add_law("X01", kind=kind)
    add_law("X01", kind="maps", statement="Maps are otherwise.")
    told = conform("explain", "X01").stdout
    assert "X01 (sampler, neighbors), since 1.0" in told
    assert "X01 (maps), since 1.0" in told


def test_a_factory_of_the_current_folder_is_found(three_laws, tmp_path, monkeypatch):
    (tmp_path / "loose_part.py").write_text("from made_up_laws import Doubler as build\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one])
    assert conform("run", "loose_part:build", "--kind", KIND).exit_code == 0


def offered(monkeypatch, *records):
    """Let samplers of these records be all the parts that are installed."""
    offers = {record.name: Offer("sampler", record, "acme", "1.2") for record in records}
    monkeypatch.setattr(components, "names", lambda kind: tuple(offers) if kind == "sampler" else ())
    monkeypatch.setattr(components, "find", lambda kind, name: offers[name])


@pytest.fixture
def samplers_double(add_law):
    """The one law of samplers is that of the doubler."""
    add_law("S01", kind="sampler")


def a_part(name, factory="made_up_laws:Doubler", **facts):
    return Component(name, factory=factory, summary="made up", **facts)


def test_an_installed_part_is_judged_by_the_claims_of_its_record(samplers_double, monkeypatch):
    offered(monkeypatch, a_part("doubler", claims={"level": "exact", "arith": "E0"}))
    monkeypatch.setattr(components, "create", lambda kind, name, **options: made_up(name))
    done = conform("run", "sampler:doubler")
    assert done.exit_code == 0, done.output
    assert "Conformant: sampler sampler:doubler (acme 1.2)" in lines(done)
    assert "level: exact, E0; laws of version 1.0, profile quick" in lines(done)
    done = conform("run", "sampler:doubler", "--claim", "arith=E1")
    assert "level: exact, E1; laws of version 1.0, profile quick" in lines(done)


def made_up(name):
    import made_up_laws

    if name == "weightless":
        raise WeightsError("its weights are not here")
    return made_up_laws.Forgetful() if name == "forgetful" else made_up_laws.Doubler()


def test_all_installed_parts_take_one_line_each_and_what_is_missing_here_is_no_failure(
    samplers_double, monkeypatch, tmp_path
):
    records = [a_part("doubler"), a_part("far-away", requires=("no_such_library",), extra="far"), a_part("weightless")]
    offered(monkeypatch, *records)
    monkeypatch.setattr(components, "create", lambda kind, name, **options: made_up(name))
    done = conform("run", "--installed", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    doubler, far, weightless, end = lines(done)
    assert doubler.split()[:3] == ["sampler", "doubler", "conformant"]
    assert far.split()[:3] == ["sampler", "far-away", "ENV"]
    assert far.endswith("no_such_library missing: pip install 'acme[far]'")
    assert weightless.split()[:3] == ["sampler", "weightless", "ENV"]
    assert end == "1 conformant, 0 not, 0 undecided, 2 left out (ENV)"
    assert json.loads((tmp_path / "sampler-doubler" / "report.json").read_text())["outcome"] == "conformant"


def test_one_bad_installed_part_fails_the_run_of_all_and_one_bad_record_does_not_end_it(samplers_double, monkeypatch):
    offered(monkeypatch, a_part("odd", claims={"levl": "exact"}), a_part("doubler"))
    monkeypatch.setattr(components, "create", lambda kind, name, **options: made_up(name))
    done = conform("run", "--installed")
    assert done.exit_code == 1
    assert "no claim is named 'levl'" in lines(done)[0]
    assert lines(done)[2] == "1 conformant, 1 not, 0 undecided"


def test_installed_parts_that_are_all_missing_decide_nothing(samplers_double, monkeypatch):
    offered(monkeypatch, a_part("far-away", requires=("no_such_library",)))
    assert conform("run", "--installed").exit_code == 3


def test_a_factory_of_an_installed_part_is_the_same_in_another_process():
    import pickle

    again = pickle.loads(pickle.dumps(installed.Installed("sampler", "random", {"keep": 0.5})))  # noqa: S301
    assert again(seed=3) == components.create("sampler", "random", keep=0.5, seed=3)
    assert again(keep=0.2) == components.create("sampler", "random", keep=0.2)


def test_a_real_part_is_judged_by_real_laws():
    done = conform("run", "sampler:numpy-greedy", "--claim", "level=exact", "--only", "S01", "--only", "S03")
    assert done.exit_code == 0, done.output


def test_the_command_is_declared_and_is_also_a_command_of_patchcore():
    entry_points = metadata.distribution("patchcore-plugin").entry_points
    (script,) = entry_points.select(name="patchcore-conformance")
    (command,) = entry_points.select(group="patchcore_plugin.commands")
    assert (script.value, command.value) == ("patchcore_conformance.cli:main", "patchcore_conformance.cli:app")


def patchcore(*words):
    command = [sys.executable, "-c", "from patchcore_plugin.cli import main; main()", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_patchcore_conform_is_the_same_command():
    done = patchcore("conform", "run", "no_such:thing", "--kind", "sampler")
    assert (done.returncode, "no_such:thing cannot be imported" in done.stderr) == (2, True)
    assert "Usage: patchcore conform run" in patchcore("conform", "run", "--help").stdout
    assert "Usage: patchcore conform" in patchcore("conform").stdout


def test_the_help_of_patchcore_does_not_load_the_kit():
    script = (
        "import sys\nfrom patchcore_plugin.cli import app\n"
        "app(['--help'], standalone_mode=False)\n"
        "sys.exit('patchcore_conformance' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "conform " in done.stdout


def test_patchcore_says_so_when_the_installation_does_not_know_the_kit(monkeypatch):
    from patchcore_plugin import borrowed_command
    from patchcore_plugin.cli import app as product

    monkeypatch.setattr(borrowed_command, "OWN", "no-such-distribution")
    done = CliRunner().invoke(product, ["conform", "list"])
    assert (done.exit_code, "Install no-such-distribution again" in done.stderr) == (1, True)


def test_an_extractor_whose_weights_are_looked_for_when_it_runs_is_a_matter_of_the_machine_too(monkeypatch):
    class Weightless:
        def extract(self, pixels):
            raise WeightsError("no package carries them")

    monkeypatch.setattr(components, "create", lambda kind, name, **options: Weightless())
    monkeypatch.setattr(installed, "_LACKING", {})
    with pytest.raises(Missing, match="no package carries them"):
        installed.Installed("extractor", "weightless")()


def test_the_self_test_says_what_is_off_and_ends_with_3(monkeypatch):
    from patchcore_conformance import selftest

    for complaints, code in (((), 0), (("N01 catches nothing",), 3)):
        monkeypatch.setattr(selftest, "run", lambda kinds, off=complaints: selftest.Outcome("in one line", off))
        done = conform("selftest", "--kind", "neighbors")
        assert (done.exit_code, lines(done)) == (code, [*complaints, "in one line"])


def test_every_built_in_part_claims_what_its_kind_knows():
    from patchcore_plugin.built_in_claims import CLAIMS

    found = {name: installed.installed_subject(kind, name) for kind, name in installed.installed_parts()}
    built_in = {name for name, subject in found.items() if subject.distribution.startswith("patchcore-plugin ")}
    assert built_in == set(CLAIMS)
