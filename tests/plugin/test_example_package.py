"""The stranger's package of docs/examples: installed as a stranger would, used from configuration by name."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from patchcore_plugin.errors import ConfigError, InputError

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLE = DOCS / "examples" / "patchcore-even-spread"

LISTING = """
    import json
    from patchcore_plugin import plugins
    rows, not_loaded = plugins.describe()
    print(json.dumps({"names": [row["name"] for row in rows],
                      "strangers": [row for row in rows if not row["built_in"]], "not_loaded": not_loaded}))
"""
USE = """
    import json, sys
    import numpy as np
    from patchcore_plugin import components
    from patchcore_plugin.config import load_settings
    part = load_settings(sys.argv[1], overrides=sys.argv[2:]).sampler
    sampler = components.create("sampler", part.name, **part.options)
    rows = sampler.select(np.arange(10.0).reshape(5, 2))
    print(json.dumps({"type": type(sampler).__name__, "keep": sampler.keep, "rows": rows.tolist()}))
"""
BY_NAME = '[sampler]\nname = "even-spread"\nkeep = 1.0\n'


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder the package is installed to, with pip, from a copy."""
    copy = shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("sources") / EXAMPLE.name)
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    ran = subprocess.run(
        [*pip, "--no-deps", "--no-build-isolation", "--target", target, copy],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return target


@pytest.fixture
def python(installed, tmp_path):
    """Run a script in a fresh process that sees the installed package; its answer is JSON."""

    def run(script: str, *arguments: str, **environment: str):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PATCHCORE_")}
        places = os.pathsep.join([str(installed), str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
        ran = subprocess.run(
            [sys.executable, "-c", dedent(script), *arguments],
            env=clean | {"PYTHONPATH": places} | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    return run


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(BY_NAME)
    return str(path)


def test_the_sampler_is_listed_with_its_distribution_and_version(python):
    listing = python(LISTING)
    (row,) = listing["strangers"]
    assert (row["kind"], row["name"], row["distribution"], row["version"], row["available"]) == (
        "sampler", "even-spread", "patchcore-even-spread", "0.1.0", True,
    )  # fmt: skip
    assert listing["not_loaded"] == []


def test_the_sampler_is_used_from_a_configuration_file_by_name(python, mine):
    answer = python(USE, mine)
    assert (answer["type"], answer["keep"]) == ("EvenSpread", 1.0)
    assert sorted(answer["rows"]) == [0, 1, 2, 3, 4]


def test_the_sampler_is_set_up_from_the_command_line(python, mine):
    answer = python(USE, mine, "sampler.keep=0.4")
    assert (answer["keep"], len(answer["rows"])) == (0.4, 2)


def test_switching_plugins_off_hides_the_sampler(python):
    listing = python(LISTING, PATCHCORE_NO_PLUGINS="1")
    assert listing["strangers"] == []
    assert "numba-greedy" in listing["names"]
    (plugin,) = listing["not_loaded"]
    assert (plugin["distribution"], plugin["failed"]) == ("patchcore-even-spread", False)


def test_a_broken_plugin_beside_it_disturbs_nobody_and_is_shown(python, tmp_path, mine):
    info = tmp_path / "cracked-0.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: cracked\nVersion: 0.9\n")
    (info / "entry_points.txt").write_text("[patchcore_plugin]\nmain = cracked\n")
    (tmp_path / "cracked.py").write_text("raise RuntimeError('cracked on import')")
    listing = python(LISTING)
    assert [row["name"] for row in listing["strangers"]] == ["even-spread"]
    (plugin,) = listing["not_loaded"]
    assert (plugin["distribution"], plugin["version"], plugin["failed"]) == ("cracked", "0.9", True)
    assert plugin["reason"] == "RuntimeError: cracked on import"
    assert python(USE, mine)["type"] == "EvenSpread"


def test_the_page_shows_the_files_of_the_package_as_they_are():
    page = (DOCS / "write_a_part.md").read_text(encoding="utf-8")
    shown = re.findall(r'^```\w+ title="(.+?)"\n(.*?)^```$', page, flags=re.MULTILINE | re.DOTALL)
    assert {name: text for name, text in shown} == {  # noqa: C416  pairs that repeat a name must not pass
        f"examples/{EXAMPLE.name}/{name}": (EXAMPLE / name).read_text(encoding="utf-8")
        for name in ("patchcore_even_spread.py", "pyproject.toml")
    }
    assert len(shown) == 2


def even_spread(**options):
    spec = importlib.util.spec_from_file_location("patchcore_even_spread", EXAMPLE / "patchcore_even_spread.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.EvenSpread(**options)


@given(
    rows=hnp.arrays(np.float32, st.tuples(st.integers(1, 30), st.integers(1, 4)), elements=st.integers(-3, 3)),
    keep=st.floats(0.001, 1),
)
def test_the_sampler_keeps_the_laws_of_its_contract(rows, keep):
    rows.setflags(write=False)
    sampler = even_spread(keep=keep)
    chosen = sampler.select(rows)
    assert chosen.dtype == np.int64
    assert len(set(chosen.tolist())) == len(chosen) == max(1, round(keep * len(rows)))
    assert set(chosen.tolist()) <= set(range(len(rows)))
    np.testing.assert_array_equal(chosen, sampler.select(rows))
    unusual = np.linalg.norm(rows - rows.mean(axis=0, dtype=np.float64), axis=1)
    assert (np.diff(unusual[chosen]) >= 0).all()
    assert unusual[chosen[0]] == unusual.min()
    assert len(chosen) == 1 or unusual[chosen[-1]] == unusual.max()


@pytest.mark.parametrize("rows", [np.zeros((0, 3)), np.zeros(3), np.full((2, 2), np.nan), np.array([["a"]])])
def test_the_sampler_refuses_what_is_no_set_of_rows(rows):
    with pytest.raises(InputError):
        even_spread().select(rows)


@pytest.mark.parametrize("keep", [0, -1, 1.5, float("nan")])
def test_the_sampler_refuses_what_is_no_share(keep):
    with pytest.raises(ConfigError, match="a share of the rows"):
        even_spread(keep=keep)
