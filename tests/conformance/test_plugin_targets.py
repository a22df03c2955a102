"""A plugin on the command line: it goes by its module, or by what is in it."""

from __future__ import annotations

import sys

import pytest
from typer.testing import CliRunner

from patchcore_conformance.cli import app

PLUGIN = """
from patchcore_plugin import Component, hookimpl

class Hooks:
    @hookimpl
    def patchcore_aggregators(self):
        return []

hooks = Hooks()

def named():
    return "my_hooks"

@hookimpl
def patchcore_coreset_samplers():
    yield Component("every", factory="my_hooks:Hooks", summary="made up")
"""


def conform(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def my_hooks(tmp_path, monkeypatch):
    """Stand in a folder with a plugin."""
    (tmp_path / "my_hooks.py").write_text(PLUGIN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("my_hooks", None)


@pytest.mark.parametrize(
    "target", ["my_hooks", "my_hooks:named", "my_hooks:hooks", "my_hooks:patchcore_coreset_samplers"]
)
def test_a_plugin_goes_by_its_module_or_by_what_is_in_it(target, my_hooks):
    done = conform("run", target, "--kind", "plugin", "--only", "P03")
    assert done.exit_code == 0, done.output
    assert f"Conformant: plugin {target}" in done.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["no_such_module"], "is no module, and no installed distribution with entry points"),
        (["my_hooks:__name__"], "something to call is needed"),
        (["my_hooks", "--set", "a=1"], "a plugin takes no options"),
    ],
)
def test_what_is_no_plugin_ends_with_2(words, told, my_hooks):
    done = conform("run", *words, "--kind", "plugin")
    assert done.exit_code == 2
    assert told in done.output


def test_a_report_of_a_plugin_can_be_replayed(my_hooks, tmp_path):
    conform("run", "my_hooks", "--kind", "plugin", "--only", "P03", "--out", tmp_path)
    assert "P03 does not fail: was PASS, is PASS" in conform("replay", tmp_path / "report.json", "P03").stdout
