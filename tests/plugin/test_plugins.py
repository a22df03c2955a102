"""Loading plugins: each on its own, failures kept and shown, nothing that is switched off imported."""

from __future__ import annotations

import json
import sys
from textwrap import dedent

import pytest

from patchcore_plugin import components, plugins
from patchcore_plugin.plugin_switches import Switches

HOOK = """
    from patchcore_plugin import Component, hookimpl
    class Part: pass
    def record(name="part"): return Component(name, factory=__name__ + ":Part", summary="made up")
"""


def loaded(switches: Switches | None = None):
    return plugins.load(switches or Switches())


def strangers(found):
    return [offer.full_name for offer in found.offers if not offer.built_in]


def reasons(found):
    return {plugin.distribution: plugin.reason for plugin in found.not_loaded if plugin.failed}


def test_an_installed_plugin_is_found_with_its_distribution_and_version(site):
    site.add("my-parts", site.sampler("grid"), version="2.5")
    (offer,) = [offer for offer in loaded().offers if offer.distribution == "my-parts"]
    assert (offer.kind, offer.component.name, offer.full_name) == ("sampler", "grid", "my-parts:grid")
    assert offer.version == "2.5"
    assert not offer.built_in


def test_built_in_parts_come_first_and_through_the_same_hooks(site):
    site.add("aaa", site.sampler("aaa"))
    offers = loaded().offers
    assert [offer.built_in for offer in offers] == sorted((offer.built_in for offer in offers), reverse=True)
    assert {offer.component for offer in offers if offer.built_in and offer.kind == "sampler"} == set(
        components.patchcore_coreset_samplers()
    )


def test_all_four_hooks_are_asked(site):
    source = "\n".join(f"@hookimpl\ndef {hook}(): return [record()]" for hook in plugins.HOOKS.values())
    site.add("four", dedent(HOOK) + source)
    assert [o.kind for o in loaded().offers if o.distribution == "four"] == list(components.KINDS)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_module_anywhere", "ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
        ("def broken(:", "SyntaxError"),
        ("raise RuntimeError('on import')", "RuntimeError: on import"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("x = 1", "implements no hook"),
        (HOOK + "    @hookimpl\n    def patchcore_coreset_sampler(): yield record()", "unknown hook"),
        (HOOK + "    @hookimpl\n    def patchcore_aggregators(wanted): yield record()", "wanted"),
        (HOOK + "    @hookimpl\n    def patchcore_aggregators(): raise OSError('in hook')", "OSError: in hook"),
        (HOOK + "    @hookimpl\n    def patchcore_aggregators(): yield record(); 1 / 0", "ZeroDivisionError"),
        (HOOK + "    @hookimpl\n    def patchcore_aggregators(): pass", "returned None"),
        (HOOK + "    @hookimpl\n    def patchcore_aggregators(): return record()", "Return a list"),
        (HOOK + "    @hookimpl\n    def patchcore_aggregators(): return ['part']", "gave 'part'"),
        (HOOK + "    @hookimpl\n    def patchcore_aggregators(): yield record('Bad Name')", "needs a name"),
        (HOOK + "    @hookimpl\n    def patchcore_aggregators(): return [record(), record()]", "twice"),
        (HOOK + "    @hookimpl(wrapper=True)\n    def patchcore_aggregators(): return (yield)", "wraps hook"),
    ],
)
def test_a_broken_plugin_is_left_out_whole_with_its_reason_and_disturbs_nobody(site, source, reason):
    good = (
        "\n    @hookimpl\n    def patchcore_neighbor_searches(): yield record('good-half')\n" if HOOK in source else ""
    )
    site.add("aaa-before", site.sampler("before")).add("broken", source + good).add("zzz-after", site.sampler("after"))
    found = loaded()
    assert strangers(found) == ["aaa-before:before", "zzz-after:after"]
    assert list(reasons(found)) == ["broken"]
    assert reason in reasons(found)["broken"]


def test_an_interrupt_from_the_keyboard_is_not_swallowed(site):
    site.add("slow", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        loaded()


def test_a_failure_keeps_its_traceback_for_the_author(site):
    site.add("broken", "def f(): raise RuntimeError('deep down')\nf()")
    (plugin,) = loaded().not_loaded
    assert "in f" in plugin.details
    assert "deep down" in str(plugin)


def test_an_entry_point_that_names_no_module_fails_alone(site):
    site.add("absent").add("present", site.sampler("here"))
    found = loaded()
    assert strangers(found) == ["present:here"]
    assert "No module named 'absent'" in reasons(found)["absent"]


def test_two_distributions_may_use_the_same_entry_point_name(site):
    site.add("one", site.sampler("first")).add("two", site.sampler("second"))
    assert strangers(loaded()) == ["one:first", "two:second"]


def test_one_distribution_may_have_several_entry_points(site):
    site.add("many", site.sampler("left"), module="many_left", entries="a = many_left\nb = many_right")
    site.write("many_right", site.sampler("right"))
    assert strangers(loaded()) == ["many:left", "many:right"]


def test_a_distribution_offers_each_name_once_over_all_its_entry_points(site):
    site.add("many", site.sampler("same"), module="many_left", entries="a = many_left\nb = many_right")
    site.write("many_right", site.sampler("same"))
    found = loaded()
    assert strangers(found) == ["many:same"]
    assert "offers sampler 'many:same' twice" in reasons(found)["many"]


def test_one_module_behind_two_entry_points_is_loaded_once_and_said(site):
    site.add("one", site.sampler("part"), entries="a = one\nb = one")
    found = loaded()
    assert strangers(found) == ["one:part"]
    assert "same object" in reasons(found)["one"]


def test_a_distribution_with_malformed_entry_points_is_reported(site):
    site.add("crooked", entries="this is no entry point").add("straight", site.sampler("ok"))
    found = loaded()
    assert strangers(found) == ["straight:ok"]
    assert "crooked" in reasons(found)


def test_malformed_metadata_of_someone_who_is_no_plugin_is_not_our_concern(site):
    site.add("crooked", entries="this is no entry point")
    (site.path / "crooked-1.0.dist-info" / "entry_points.txt").write_text("[console_scripts]\nno entry point at all\n")
    assert loaded().not_loaded == ()


def test_the_remains_of_a_removed_distribution_disturb_nobody(site):
    site.add("gone", site.sampler("gone")).add("here", site.sampler("here"))
    (site.path / "gone-1.0.dist-info" / "METADATA").unlink()
    assert strangers(loaded()) == ["here:here"]


def test_a_copy_that_another_folder_hides_is_not_loaded(site, tmp_path, monkeypatch):
    site.add("twin", site.sampler("newer"), version="2.0")
    hidden = type(site)(tmp_path / "hidden")
    hidden.add("twin", site.sampler("older"), version="1.0")
    monkeypatch.setattr(sys, "path", [*sys.path, str(hidden.path)])
    assert strangers(loaded()) == ["twin:newer"]


def test_the_order_does_not_depend_on_the_order_of_installation(site):
    site.add("bbb", site.sampler("part")).add("aaa", site.sampler("part"))
    assert strangers(loaded()) == ["aaa:part", "bbb:part"]


def test_a_name_that_only_one_distribution_offers_is_short(site):
    site.add("one", site.sampler("shared")).add("two", site.sampler("shared")).add("three", site.sampler("lone"))
    found = loaded()
    assert [found.short_name(offer) for offer in found.offers if not offer.built_in] == [
        "one:shared", "lone", "two:shared",
    ]  # fmt: skip


def test_a_stranger_who_takes_a_built_in_name_is_called_in_full(site):
    site.add("pretender", site.sampler("random"))
    found = loaded()
    rivals = found.called("sampler", "random")
    assert [found.short_name(offer) for offer in rivals] == ["random", "pretender:random"]


@pytest.mark.parametrize(
    ("switches", "kept"),
    [
        (Switches(), ["one:a", "two:b"]),
        (Switches(none_at_all=True), []),
        (Switches(only=frozenset({"one"})), ["one:a"]),
        (Switches(only=frozenset({"second-entry"})), ["two:b"]),
        (Switches(disabled=frozenset({"one"})), ["two:b"]),
        (Switches(disabled=frozenset({"two:second-entry"})), ["one:a"]),
        (Switches(only=frozenset({"one", "two"}), disabled=frozenset({"two"})), ["one:a"]),
    ],
)
def test_switches_decide_before_anything_is_imported(site, switches, kept):
    site.add("one", site.sampler("a"), entries="first_entry = one")
    site.add("two", site.sampler("b"), entries="second_entry = two")
    found = loaded(switches)
    assert strangers(found) == kept
    assert {name for name in ("one", "two") if name in sys.modules} == {name.split(":")[0] for name in kept}
    assert len(found.not_loaded) == 2 - len(kept)
    assert not any(plugin.failed for plugin in found.not_loaded)


def test_what_is_left_out_says_by_which_switch(site):
    site.add("one", site.sampler("a"))
    for switches, variable in [
        (Switches(none_at_all=True), "PATCHCORE_NO_PLUGINS is set"),
        (Switches(only=frozenset({"one:other"})), "PATCHCORE_PLUGINS does not name it"),
        (Switches(disabled=frozenset({"one"})), "PATCHCORE_DISABLE_PLUGINS names it"),
    ]:
        assert loaded(switches).not_loaded[0].reason == variable


@pytest.mark.parametrize("which", ["only", "disabled"])
def test_a_name_in_a_switch_that_fits_no_plugin_is_reported(site, which):
    site.add("my-parts", site.sampler("a"))
    found = loaded(Switches(**{which: frozenset({"my-prats"})}))
    variable = {"only": "PATCHCORE_PLUGINS", "disabled": "PATCHCORE_DISABLE_PLUGINS"}[which]
    assert variable in reasons(found)["my-prats"]
    assert "Did you mean 'my-parts'?" in reasons(found)["my-prats"]


@pytest.mark.parametrize(
    ("environment", "switches"),
    [
        ({}, Switches()),
        ({"PATCHCORE_NO_PLUGINS": ""}, Switches()),
        ({"PATCHCORE_NO_PLUGINS": "0"}, Switches()),
        ({"PATCHCORE_NO_PLUGINS": "False"}, Switches()),
        ({"PATCHCORE_NO_PLUGINS": "1"}, Switches(none_at_all=True)),
        ({"PATCHCORE_NO_PLUGINS": "yes"}, Switches(none_at_all=True)),
        ({"PATCHCORE_PLUGINS": " My_Parts, other ,"}, Switches(only=frozenset({"my-parts", "other"}))),
        ({"PATCHCORE_DISABLE_PLUGINS": "a.b"}, Switches(disabled=frozenset({"a-b"}))),
    ],
)
def test_the_environment_is_read_leniently(environment, switches):
    assert Switches.from_environment(environment) == switches


def test_the_environment_of_the_process_counts(site, monkeypatch):
    site.add("one", site.sampler("a"))
    monkeypatch.setenv("PATCHCORE_NO_PLUGINS", "1")
    assert strangers(plugins.registry(refresh=True)) == []


def test_the_registry_is_looked_up_once_and_again_on_request(site):
    before = plugins.registry()
    site.add("late", site.sampler("late"))
    assert plugins.registry() is before
    assert strangers(plugins.registry(refresh=True)) == ["late:late"]


def test_the_description_is_plain_data_with_every_part_and_every_failure(site):
    site.add("my-parts", site.sampler("grid")).add("broken", "import nowhere_to_be_found")
    plugins.registry(refresh=True)
    rows, not_loaded = plugins.describe()
    assert json.loads(json.dumps([rows, not_loaded])) == [rows, not_loaded]
    assert [row["kind"] for row in rows] == sorted((row["kind"] for row in rows), key=components.KINDS.index)
    (row,) = [row for row in rows if not row["built_in"]]
    assert {
        "name": "grid",
        "full_name": "my-parts:grid",
        "distribution": "my-parts",
        "version": "1.0",
    }.items() <= row.items()
    assert (row["available"], row["why_not"]) == (True, None)
    assert [(plugin["distribution"], plugin["failed"]) for plugin in not_loaded] == [("broken", True)]


def test_a_part_whose_library_is_missing_is_listed_as_unavailable_with_the_remedy(site):
    record = 'Component("far", factory="far:Part", summary="made up", requires=("no_such_library",), extra="far")'
    site.add("far", HOOK + f"    @hookimpl\n    def patchcore_aggregators(): yield {record}")
    plugins.registry(refresh=True)
    (row,) = [row for row in plugins.describe()[0] if row["distribution"] == "far"]
    assert not row["available"]
    assert row["why_not"] == "no_such_library missing: pip install 'far[far]'"
