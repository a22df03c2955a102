"""The record of a part checks itself."""

from __future__ import annotations

import dataclasses

import pluggy
import pytest

from patchcore_plugin import Component, hookspecs
from patchcore_plugin.errors import PluginError
from patchcore_plugin.hookspecs import HOOKS, PROJECT


def record(**changes):
    return Component(**{"name": "even-spread", "factory": "package.module:Class", "summary": "one line"} | changes)


def test_a_record_keeps_what_it_is_given():
    part = record(requires=("torch",), extra="torch", claims={"level": "exact"})
    assert (part.name, part.factory, part.summary) == ("even-spread", "package.module:Class", "one line")
    assert (part.requires, part.extra, part.claims, part.api) == (("torch",), "torch", {"level": "exact"}, 1)


def test_a_record_cannot_be_changed_nor_its_claims():
    claims = {"level": "exact"}
    part = record(claims=claims)
    with pytest.raises(dataclasses.FrozenInstanceError):
        part.name = "other"
    with pytest.raises(TypeError):
        part.claims["level"] = "api"
    claims["level"] = "api"
    assert part.claims["level"] == "exact"


def test_equal_records_are_equal_and_can_be_kept_in_sets():
    assert record(claims={"level": "exact"}) == record(claims={"level": "exact"})
    assert record(summary="another") != record()
    assert len({record(), record()}) == 1


@pytest.mark.parametrize("name", ["a", "random", "numba-greedy", "top2", "a-1-b"])
def test_good_names_are_taken(name):
    assert record(name=name).name == name


@pytest.mark.parametrize(
    "name", ["", "Random", "two words", "-a", "a-", "a--b", "1a", "a_b", "dist:name", "a\n", 7, None]
)
def test_bad_names_are_refused(name):
    with pytest.raises(PluginError, match=r"needs a name of lower-case letters .*Correct the record"):
        record(name=name)


@pytest.mark.parametrize("factory", ["module:Class", "a.b.c:Outer.Inner", "_private:make"])
def test_good_factories_are_taken(factory):
    assert record(factory=factory).factory == factory


@pytest.mark.parametrize(
    "factory", ["module.Class", "module:", ":Class", "a b:C", "m:C()", "m:C:D", ".m:C", "m:1C", dict]
)
def test_bad_factories_are_refused(factory):
    with pytest.raises(PluginError, match=r"'package\.module:Class' is needed"):
        record(factory=factory)


@pytest.mark.parametrize("summary", ["", "   ", "two\nlines", None])
def test_a_summary_is_one_line_of_text(summary):
    with pytest.raises(PluginError, match="one line of text"):
        record(summary=summary)


@pytest.mark.parametrize("requires", ["torch", ("scikit-learn",), ("a.b",), (1,), None])
def test_requirements_are_a_tuple_of_top_level_modules(requires):
    with pytest.raises(PluginError, match="top-level module names"):
        record(requires=requires)


@pytest.mark.parametrize("claims", ["exact", {1: "exact"}, {"level": object()}, {"level": ["exact"]}])
def test_claims_are_names_with_plain_values(claims):
    with pytest.raises(PluginError, match="names with plain values"):
        record(claims=claims)


def test_an_extra_is_a_name_or_nothing():
    with pytest.raises(PluginError, match="a name is needed"):
        record(extra="")


@pytest.mark.parametrize("api", [0, 2, "1", None])
def test_a_record_for_another_version_of_the_record_is_refused(api):
    with pytest.raises(PluginError, match="version"):
        record(api=api)


def test_every_kind_has_a_hook_that_pluggy_knows():
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    assert all(getattr(manager.hook, hook).has_spec() for hook in HOOKS.values())
    assert list(HOOKS) == ["extractor", "aggregator", "sampler", "neighbors"]


def test_a_hook_nobody_implements_offers_nothing():
    assert [list(getattr(hookspecs, hook)()) for hook in HOOKS.values()] == [[], [], [], []]
