from __future__ import annotations

import csv
import json

import pytest
from made_up_records import record, seen

from patchcore_plugin.benchmark.published import all_published, comparable
from patchcore_plugin.benchmark.record import Cost
from patchcore_plugin.benchmark.summary import Spread, Summary
from patchcore_plugin.benchmark.table_files import write_json, write_markdown, write_rows
from patchcore_plugin.benchmark.tables import all_tables, by_category, by_defect, costs, few_images, overview
from patchcore_plugin.benchmark.time_left import RunTimes
from patchcore_plugin.datasets import LAYOUT_NAMES

BACKBONES = {"default": "lite0, 64 px", "fine": "lite2, 96 px"}


def run(right, **names):
    """A run of four defective and one good image, of which ``right`` defective ones score higher than the good one."""
    return record([*seen("crack", [9 - i for i in range(right)] + [1] * (4 - right)), *seen("good", [2])], **names)


@pytest.fixture
def two_seeds():
    """Two categories; image AUROC by seed: tile 1.0 and 0.5, wood 0.5 and 0.5."""
    return Summary((run(4, seed=0), run(2, seed=1), run(2, seed=0, category="wood"), run(2, seed=1, category="wood")))


def test_a_spread_is_the_deviation_of_a_sample_and_one_run_has_none():
    assert Spread.of([0.9, 1.0]).in_percent == "95.00 ± 7.07"
    assert Spread.of([0.9]).in_percent == "90.00"


def test_the_average_is_taken_over_categories_first_and_then_over_seeds(two_seeds):
    average = two_seeds.figure("image_auroc", "default", None)
    assert average.mean == pytest.approx((0.75 + 0.5) / 2)
    assert average.deviation == pytest.approx(0.25 / 2**0.5)  # of the averages of each seed, 0.75 and 0.5
    assert average.count == 2


def test_categories_are_rows_with_the_average_below(two_seeds):
    table = by_category(two_seeds, "default", None)
    assert [row[0] for row in table.rows] == ["tile", "wood", "average"]
    assert [row[1] for row in table.rows] == ["75.00 ± 35.36", "50.00 ± 0.00", "62.50 ± 17.68"]
    assert table.rows[0][-1] == "50.00 to 100.00"


def test_one_category_needs_no_average():
    assert [row[0] for row in by_category(Summary((run(4),)), "default", None).rows] == ["tile"]


def test_pixel_figures_are_columns_only_where_there_are_masks():
    assert "pixel AUROC" not in overview(Summary((run(4),)), "mtd", BACKBONES, None).header
    assert "AUPRO 0.05" in overview(Summary((run(4, pixels=0.5),)), "mtd", BACKBONES, None).header


def test_configurations_stand_side_by_side_with_their_backbones():
    summary = Summary((run(4), run(2, configuration="fine")))
    rows = overview(summary, "made-up", BACKBONES, None).rows
    assert [row[:3] for row in rows] == [("default", "lite0, 64 px", "100.00"), ("fine", "lite2, 96 px", "50.00")]
    assert by_defect(summary, None).rows == (("tile", "crack", "100.00", "50.00"),)
    assert summary.best(None) == "default"


def test_published_figures_stand_below_ours_with_their_source():
    summary = Summary(tuple(run(4, seed=seed) for seed in range(5)))
    table = overview(summary, "mtd", BACKBONES, None)
    assert table.foreign == {1, 2, 3, 4}
    assert table.rows[1][:3] == ("PatchCore-10 [1]", "WideResNet-50-2", "97.90")
    assert any("[1] published, not measured here: Roth et al." in note for note in table.notes)


def test_published_figures_are_left_out_where_the_protocol_is_another():
    table = overview(Summary((run(4),)), "mtd", BACKBONES, None)
    assert len(table.rows) == 1
    assert "4 published figure(s) are not shown: they are means over 1 category and 5 splits" in table.notes[-1]
    assert comparable("mvtec", categories=14, seeds=5, shots=None).figures == ()
    assert comparable("mvtec", categories=15, seeds=1, shots=5).figures[0].image_auroc == 0.91
    assert comparable("folder", categories=1, seeds=1, shots=None).left_out == ""


def test_every_published_figure_names_its_source_backbone_and_a_layout_that_exists():
    found = all_published()
    assert len(found) >= 10
    for one in found:
        assert one.layout in LAYOUT_NAMES
        assert 0.5 < one.image_auroc < 1
        assert all((one.source, one.backbone, one.method))
        assert one.shots is None or one.shots > 0


def test_few_images_are_rows_from_all_to_one():
    summary = Summary((run(4), run(3, shots=5), run(2, shots=1)))
    table = few_images(summary, "made-up", BACKBONES)
    assert table.rows == (("all images", "100.00"), ("5 images", "75.00"), ("1 image", "50.00"))
    mvtec = Summary(tuple(run(4, shots=5, category=str(i)) for i in range(15)))
    assert few_images(mvtec, "mvtec", BACKBONES).rows == (("5 images", "100.00", "91.00"),)


def test_time_is_of_the_runs_that_were_timed_and_memory_of_all():
    slow, reused = Cost(4.0, 20.0, 2**30, 20, 99), Cost(None, None, 2**29, 20, 99)
    table = costs(Summary((run(4, cost=slow), run(4, seed=1, cost=reused))))
    assert table.rows == (("tile", "default", "all images", "20", "99", "4.0", "20.0", "768"),)
    untold = costs(Summary((run(4, cost=Cost(None, None, None, 20, 99)),)))
    assert untold.rows[0][-3:] == ("", "", "")


def test_markdown_is_a_table_whose_columns_line_up(two_seeds):
    lines = by_category(two_seeds, "default", None).to_markdown().splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len({len(line) for line in table}) == 1
    assert set(table[1]) == set("|-:")
    assert len(table) == 5


def test_files_hold_tables_rows_and_everything(two_seeds, tmp_path):
    write_markdown(tmp_path / "r.md", all_tables(two_seeds, "made-up", BACKBONES), "patchcore benchmark x")
    write_rows(tmp_path / "r.csv", two_seeds)
    write_json(tmp_path / "r.json", two_seeds, "made-up", "patchcore benchmark x")
    text = (tmp_path / "r.md").read_text(encoding="utf-8")
    assert "62.50 ± 17.68" in text
    assert "patchcore benchmark x" in text
    rows = list(csv.DictReader((tmp_path / "r.csv").read_text().splitlines()))
    assert [(row["category"], row["seed"], float(row["image_auroc"])) for row in rows][1] == ("tile", "1", 0.5)
    assert rows[0]["pixel_auroc"] == ""
    data = json.loads((tmp_path / "r.json").read_text())
    average = next(one for one in data["summary"] if one["category"] is None)
    assert average["figures"]["image_auroc"]["mean"] == pytest.approx(0.625)
    assert len(data["runs"][0]["images"]) == 5


def test_the_time_left_counts_what_was_timed_and_says_what_was_not():
    times = RunTimes()
    assert times.in_words(["a", "b"]) == "2 left, of kinds not timed yet"
    times.note("a", 100.0)
    for _ in range(3):
        times.note("a", 30.0)
    assert times.in_words(["a", "a"]) == "about 60 s left"
    assert times.in_words(["a", "b"]) == "about 30 s left, and 1 of kinds not timed yet"
    assert times.in_words([]) == ""
