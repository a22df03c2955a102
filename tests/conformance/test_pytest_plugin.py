"""The pytest plugin and the items, as an author of a part uses them: in a run of pytest, with warnings as errors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
MODULE = """
import made_up_laws
made_up_laws.a_small_registry()
import patchcore_conformance as conformance

@conformance.parametrize("scores", make=made_up_laws.Forgetful, claims={{"level": "exact"}}{more})
def test_conformance(check):
    check()
"""


@pytest.fixture
def suite(tmp_path):
    """A folder with a test module and, where asked for, the plugin; returns how to run pytest in it."""

    def run(*words, more="", plugin=True, expect=None):
        (tmp_path / "test_mine.py").write_text(MODULE.format(more=more))
        if plugin:
            (tmp_path / "conftest.py").write_text('pytest_plugins = "patchcore_conformance.pytest_plugin"\n')
        if expect is not None:
            (tmp_path / "expect.toml").write_text(expect)
        (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\nfilterwarnings = error\n")
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), *words]
        env = {**os.environ, "PYTHONPATH": str(TESTS), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "200"}
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=env)

    return run


def test_each_law_is_an_item_and_the_plugin_tells_who_is_judged_and_how_it_ended(suite):
    done = suite("-v")
    assert done.returncode == 1, done.stdout + done.stderr
    out = done.stdout
    assert "1 failed, 1 passed, 1 skipped" in out
    assert "patchcore conformance: laws 1.0, profile as the tests say" in out
    assert "patchcore conformance: scores made_up_laws:Forgetful, level exact, laws 1.0, kit" in out
    assert "profile quick, seed 0" in out
    assert "test_mine.py::test_conformance[T02] FAILED" in out
    assert "numbers = np.array([10.0, 20.0, 30.0], dtype='float32')" in out
    assert "made_up_laws:Forgetful not conformant  exact: 1 PASS" in out
    assert "not claimed: T03: needs the promise: serialisable" in out


def test_the_marker_chooses_laws_and_the_profile_can_be_set(suite):
    done = suite("-m", "not conformance", "--pc-profile", "thorough")
    assert "3 deselected" in done.stdout
    assert "profile thorough" in done.stdout
    assert "profile thorough, seed 0" in suite("--pc-profile", "thorough", more=", profile='standard'").stdout


def test_expected_failures_come_from_the_tests_or_from_the_command_line(suite):
    known = '[T02]\nreason = "known for years"\n'
    done = suite("-rx", more=", expect='expect.toml'", expect=known)
    assert done.returncode == 0, done.stdout
    assert "2 passed, 1 skipped, 1 xfailed" in done.stdout
    assert "known for years" in done.stdout
    assert suite("--pc-expect", "expect.toml", expect=known).returncode == 0


def test_without_the_plugin_items_work_and_nothing_is_unknown_to_pytest(suite):
    done = suite(plugin=False)
    assert "1 failed, 1 passed, 1 skipped" in done.stdout, done.stdout + done.stderr


def test_the_plugin_is_light_and_never_comes_by_itself():
    script = "import patchcore_conformance.pytest_plugin, sys\nprint(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"numpy", "hypothesis", "typer", "rich", "patchcore_plugin"} & set(done.stdout.split())
    from importlib import metadata

    ours = metadata.distribution("patchcore-plugin").entry_points
    assert not ours.select(group="pytest11")
