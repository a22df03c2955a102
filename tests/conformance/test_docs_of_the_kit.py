"""docs/conformance.md is true: its example passes, the fault it shows is found in its words, its code runs."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path

import pytest
from typer.testing import CliRunner

import patchcore_conformance as conformance
from patchcore_conformance.claims import KINDS, LEVELS, Claims, choices
from patchcore_conformance.cli import app
from patchcore_conformance.expected import Expectations
from patchcore_conformance.telling import result_in_words

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "conformance.md").read_text(encoding="utf-8")
EXAMPLE = (DOCS / "examples" / "patchcore-even-spread" / "patchcore_even_spread.py").read_text(encoding="utf-8")


@pytest.fixture
def judged(tmp_path, monkeypatch):
    """Judge a source of the example, imported from a folder of its own."""

    def judge(source):
        (tmp_path / "even_spread_told.py").write_text(source)
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "even_spread_told", raising=False)
        found = import_module("even_spread_told")
        return conformance.run("sampler", found.EvenSpread, {"level": "subset"})

    yield judge
    sys.modules.pop("even_spread_told", None)


def test_the_example_is_conformant(judged):
    report = judged(EXAMPLE)
    counts = {verdict.value: count for verdict, count in report.counts().items()}
    assert report.conformant
    assert f"laws:  {counts['NOT_CLAIMED']} NOT_CLAIMED, {counts['PASS']} PASS" in PAGE


def test_the_fault_is_found_in_the_words_of_the_page(judged):
    right, wrong = "max(1, round(self.keep", "max(1, int(self.keep"
    assert right in EXAMPLE
    assert wrong in PAGE
    report = judged(EXAMPLE.replace(right, wrong))
    for line in result_in_words(report["S01"], report.law("S01")):
        assert line in PAGE


def test_every_level_and_claim_is_named():
    for name in choices():
        assert name in {"spec", "level"} or f"`{name}`" in PAGE, name
    for kind in KINDS:
        assert f"`{kind}`" in PAGE
        assert all(f"`{level}`" in PAGE for level in LEVELS[kind])


def told_values(claim):
    """Return how the page writes the values of a claim, its default in bold."""
    default, allowed = getattr(Claims(), claim), choices()[claim]
    words = {bool: ["True", "False"], int: ["a whole number"], float: ["a number", "a share"]}
    if type(None) in allowed or allowed in {(int,), (float,)}:
        return [f"{word}, **`{default}`**" for kind in allowed for word in words.get(kind, [])]
    values = [str(one) for one in allowed if isinstance(one, str)] or words[allowed[0]]
    return [", ".join(f"**`{one}`**" if one == str(default) else f"`{one}`" for one in values)]


def test_the_table_of_claims_has_each_with_its_values_and_its_default_in_bold():
    table = PAGE.partition("| claim | of |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in table.splitlines()[2:]]
    assert [row[0] for row in rows] == [f"`{name}`" for name in choices() if name not in {"spec", "level"}]
    for name, kinds, values, promise in rows:
        assert values in told_values(name.strip("`")), name
        assert promise
        assert kinds == "all" or set(re.findall(r"`([a-z]+)`", kinds)) <= {*KINDS, "exact", "approx"}, name


def test_the_command_for_a_plugin_is_one_that_works(tmp_path, monkeypatch):
    (tmp_path / "patchcore_even_spread.py").write_text(EXAMPLE)
    monkeypatch.chdir(tmp_path)
    (words,) = re.findall(r"^patchcore-conformance (run \S+ --kind plugin)$", PAGE, flags=re.MULTILINE)
    done = CliRunner().invoke(app, [*words.split(), "--only", "P03"])
    assert done.exit_code == 0, done.output


def test_the_file_of_known_failures_can_be_read(tmp_path):
    (text,) = re.findall(r"```toml title=\"expect.toml\"\n(.*?)```", PAGE, flags=re.DOTALL)
    path = tmp_path / "expect.toml"
    path.write_text(text)
    assert Expectations.of(path).ids == {"X06"}


@pytest.mark.parametrize("place", range(2))
def test_the_python_of_the_page_compiles(place):
    blocks = [
        text for text in re.findall(r"```python[^\n]*\n(.*?)```", PAGE, flags=re.DOTALL) if "conformance." in text
    ]
    compile([text for text in blocks if "conformance." in text][place], "conformance.md", "exec")


def test_the_table_of_built_in_parts_is_complete_and_what_has_no_weights_is_the_only_one_left_out():
    from patchcore_conformance.installed import installed_parts

    (table,) = re.findall(r"<!-- printed by make conformance -->\n```text\n(.*?)```", PAGE, flags=re.DOTALL)
    rows = [line.split() for line in table.splitlines()]
    assert [(row[0], row[1]) for row in rows[:-1]] == installed_parts()
    assert {row[1] for row in rows[:-1] if row[2] != "conformant"} == {"torchvision"}
    assert f"{len(rows) - 2} conformant, 0 not, 0 undecided, 1 left out (ENV)" in table
