from __future__ import annotations

import pytest
from made_up_records import record, seen

from patchcore_plugin.benchmark.why import defects, false_alarms, misses, verdict


def test_what_is_found_least_comes_first():
    rows = defects([record([*seen("crack", [9, 1, 3]), *seen("hole", [9, 8]), *seen("good", [2])])])
    assert [(one.name, one.images, one.found) for one in rows] == [("crack", 3, pytest.approx(1 / 3)), ("hole", 2, 1.0)]
    assert rows[1].reason == "All are found."


def test_heat_on_the_defect_below_the_threshold_is_called_too_faint():
    (row,) = defects([record([*seen("crack", [9, 1], on=True), *seen("good", [2])])])
    assert row.reason == "Seen, but too faint: 100 % of the missed ones are hottest on the defect, below the threshold."
    assert row.size == 0.01


def test_heat_elsewhere_is_called_not_seen():
    images = [*seen("crack", [9], on=True), *seen("crack", [1, 2], on=False), *seen("good", [3])]
    (row,) = defects([record(images)])
    assert row.reason.startswith("Not seen: 0 % of the missed ones")
    assert row.hit == pytest.approx(1 / 3)
    assert row.missed_hit == 0


def test_without_masks_no_reason_is_made_up():
    (row,) = defects([record([*seen("crack", [9, 1], share=None), *seen("good", [2])])])
    assert (row.hit, row.size) == (None, None)
    assert row.reason == "Missed ones score like good ones."
    (miss,) = misses([record([*seen("crack", [9, 1], share=None), *seen("good", [2])])])
    assert miss.reason == ""


def test_a_miss_is_counted_over_all_runs_that_tested_it():
    runs = [
        record([*seen("crack", [9, 1, 2]), *seen("good", [2])]),
        record([*seen("crack", [9, 1, 2], threshold=1.5), *seen("good", [2])], threshold=1.5, seed=1),
    ]
    found = misses(runs)
    assert [(one.name, one.wrong, one.tested) for one in found] == [("crack/1.png", 2, 2), ("crack/2.png", 1, 2)]
    assert found[0].margin == pytest.approx(((1 / 5 - 1) + (1 / 1.5 - 1)) / 2)
    assert found[0].picture is not None


def test_each_kind_of_defect_has_its_turn():
    images = [*seen("crack", range(1, 5)), *seen("hole", [1, 9, 9, 9, 9]), *seen("good", [2])]
    assert [one.name for one in misses([record(images)])][:3] == ["crack/1.png", "hole/1.png", "crack/2.png"]


def test_false_alarms_begin_with_the_one_farthest_above_the_threshold():
    found = false_alarms([record([*seen("crack", [9]), *seen("good", [2, 6, 8])])])
    assert [(one.name, round(one.margin, 2)) for one in found] == [("good/8.png", 0.6), ("good/6.png", 0.2)]


def test_a_good_image_is_counted_only_in_runs_that_tested_it():
    runs = [
        record([*seen("crack", [9]), *seen("good", [6])]),
        record([*seen("crack", [9]), *seen("good", [7])], seed=1),
    ]
    assert [(one.name, one.wrong, one.tested) for one in false_alarms(runs)] == [
        ("good/7.png", 1, 1),
        ("good/6.png", 1, 1),
    ]


def test_one_threshold_in_hindsight_makes_the_whole_verdict_hindsight():
    images = [*seen("crack", [9, 1]), *seen("good", [2, 6])]
    told = verdict([record(images), record(images, source="hindsight", seed=1)])
    assert (told.source, told.found.mean, told.false_alarms.mean, told.allowed) == ("hindsight", 0.5, 0.5, 0.05)
    assert verdict([record(images)]).source == "calibration"
