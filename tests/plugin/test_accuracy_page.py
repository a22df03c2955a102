"""docs/accuracy.md: printed by the script that it names, and its sentences hold in its own tables."""

from __future__ import annotations

import re
from pathlib import Path

from accuracy_table import HEAD, IDEAS, TOGETHER

PAGE = (Path(__file__).parents[2] / "docs" / "accuracy.md").read_text(encoding="utf-8")


def tables():
    """Mean image AUROC by configuration: one idea at a time and larger images, for each data set."""
    sections = re.split(r"(?m)^## ", PAGE)[1:5]
    rows = [re.findall(r"(?m)^\| ([\w-]+) +\| [^|]+ px \| +([0-9.]+) ± [0-9.]+ \|", section) for section in sections]
    return [{name: float(mean) for name, mean in found} for found in rows]


def test_the_page_begins_as_the_script_prints_it_and_shows_every_idea_on_both_data_sets():
    assert PAGE.startswith(HEAD)
    assert [set(table) for table in tables()] == [set(IDEAS), {*TOGETHER, "accurate"}] * 2


def test_every_idea_is_explained():
    explained = re.findall(r"`([\w-]+)`", "".join(re.findall(r"(?m)^\| (`.*?) \|", HEAD)))
    assert set(IDEAS) - {"default"} <= set(explained)
    for name in set(TOGETHER) - {"default"}:
        assert re.fullmatch(f"(({'|'.join(explained)})-?)+", name)


def test_the_preset_for_accuracy_is_better_than_the_default_on_both():
    for table in tables()[1::2]:
        assert table["accurate"] > table["default"]
