"""The laws of plugins: faulty ones are caught, unusual ones pass, and so do the built-in parts and the example."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from patchcore_conformance.accepted.registry import accepted_parts
from patchcore_conformance.broken.registry import broken_parts
from patchcore_conformance.engine import run
from patchcore_conformance.plugin_process import Target
from patchcore_conformance.plugin_sources import written
from patchcore_conformance.registry import laws_of
from patchcore_conformance.verdicts import BAD, Verdict
from patchcore_conformance.violation import KitError

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "patchcore-even-spread"


@pytest.mark.parametrize("part", broken_parts("plugin"), ids=lambda part: part.name)
def test_a_faulty_plugin_is_caught_by_the_laws_it_names(part):
    report = run("plugin", part.make, part.claims, only=part.caught_by)
    assert [result.id for result in report.results if result.verdict not in BAD] == []


def test_each_law_of_plugins_has_a_faulty_one_that_it_catches():
    own = {law.id for law in laws_of("plugin")}
    assert own == {f"P{number:02}" for number in range(1, 9)}
    assert own <= {law for part in broken_parts("plugin") for law in part.caught_by}


@pytest.mark.long
@pytest.mark.parametrize("part", accepted_parts("plugin"), ids=lambda part: part.name)
def test_an_unusual_plugin_that_is_right_keeps_all_laws(part):
    before = list(sys.path)
    run("plugin", part.make, part.claims).raise_for_status()
    assert sys.path == before


@pytest.mark.long
def test_the_example_of_the_docs_keeps_all_laws(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLE))
    run("plugin", lambda: "patchcore_even_spread").raise_for_status()


def test_the_built_in_parts_are_a_plugin_like_any_other():
    report = run("plugin", lambda: "patchcore_plugin.components", only=["P01", "P03", "P04", "P05", "P07"])
    report.raise_for_status()
    assert report["P07"].verdict is Verdict.NOT_CLAIMED


@pytest.mark.long
def test_the_records_of_the_built_in_parts_name_what_they_need():
    run("plugin", lambda: "patchcore_plugin.components", only=["P02", "P06"]).raise_for_status()


def requiring(*libraries):
    """Write a plugin whose part requires libraries."""
    source = f"""
from patchcore_plugin import Component, hookimpl

@hookimpl
def patchcore_coreset_samplers():
    yield Component("far", factory="far_away:Far", summary="made up", requires={libraries!r})
"""
    return written("requires_" + "_".join(libraries), source)


@pytest.fixture
def path_as_before(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))


def test_a_part_whose_libraries_are_not_here_was_not_judged(path_as_before):
    name = requiring("no_such_library")
    found = run("plugin", lambda: name, only=["P02"])["P02"]
    assert found.verdict is Verdict.ENV
    assert "sampler 'far' was not tried: it requires no_such_library, not importable here" in found.message
    assert "warning" not in found.message


def test_the_name_that_pip_knows_is_told_from_the_module_that_is_imported(path_as_before):
    name = requiring("scikit_learn")
    found = run("plugin", lambda: name, only=["P02"])["P02"]
    assert found.verdict is Verdict.ENV
    assert "warning: scikit_learn is the name of an installed distribution, whose modules are sklearn" in found.message


def test_what_could_not_be_judged_is_told_on_the_screen_and_on_the_page(path_as_before, capsys):
    from patchcore_conformance.console import print_report
    from patchcore_conformance.formats.markdown import page

    name = requiring("no_such_library")
    report = run("plugin", lambda: name, only=["P02", "P03"])
    print_report(report)
    assert "not judged here: P02: the factory of sampler 'far' was not tried" in capsys.readouterr().out
    assert "Not judged here" in page(report)


@pytest.mark.parametrize("named", ["no-such-distribution", "no_such_module_anywhere", 3])
def test_what_is_no_plugin_at_all_is_a_misuse(named):
    with pytest.raises(KitError):
        run("plugin", lambda: named, only=["P03"])


def test_a_module_may_be_given_instead_of_its_name():
    import patchcore_plugin.components as module

    assert Target.of(module) == Target.of("patchcore_plugin.components")


def test_a_distribution_is_judged_by_all_its_entry_points(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    written("two_left", "x = 1")
    written("two_right", "x = 1", "two-of-them", "a = two_left\nb = two_right")
    assert Target.of("two-of-them") == Target(("two_left", "two_right"), "two-of-them")
    assert Target.of("two-of-them").extras == ("fast",)
