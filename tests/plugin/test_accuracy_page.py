"""docs/accuracy.md: printed by the script that it names, and its sentences hold in its own tables."""

from __future__ import annotations

import re
from pathlib import Path

from accuracy_table import HEAD, IDEAS

PAGE = (Path(__file__).parents[2] / "docs" / "accuracy.md").read_text(encoding="utf-8")


def tables():
    """Mean image AUROC by configuration, for each data set."""
    sections = re.split(r"(?m)^## ", PAGE)[1:3]
    rows = [re.findall(r"(?m)^\| ([\w-]+) +\| [^|]+ px \| +([0-9.]+) ± [0-9.]+ \|", section) for section in sections]
    return [{name: float(mean) for name, mean in found} for found in rows]


def test_the_page_begins_as_the_script_prints_it_and_shows_every_idea_on_both_data_sets():
    assert PAGE.startswith(HEAD)
    assert [set(table) for table in tables()] == [{*IDEAS, "accurate"}] * 2


def test_the_preset_for_accuracy_is_better_than_the_default_on_both():
    for table in tables():
        assert table["accurate"] > table["default"]
