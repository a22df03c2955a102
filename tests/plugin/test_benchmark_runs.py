from __future__ import annotations

import contextlib
from dataclasses import replace

import numpy as np
import pytest
from made_up_tiles import SIZE, tiles

from patchcore_plugin.benchmark.features import Features
from patchcore_plugin.benchmark.heat_places import heat_scale, hottest_on_defect
from patchcore_plugin.benchmark.ledger import Ledger
from patchcore_plugin.benchmark.peak_memory import PeakMemory
from patchcore_plugin.benchmark.protocol import Configuration, Protocol
from patchcore_plugin.benchmark.runs import carry_out
from patchcore_plugin.benchmark.series import carry_out_all, plan
from patchcore_plugin.config import load_settings
from patchcore_plugin.datasets import open_dataset
from patchcore_plugin.errors import ImageError, OutputError, StoreError
from patchcore_plugin.progress import silent

SMALL = ["images.size=[32, 48]", "sampler.keep=0.2", "extractor.layers=['blocks.1', 'blocks.2']"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return open_dataset("mtd", tiles(tmp_path_factory.mktemp("tiles")))


@pytest.fixture
def protocol(dataset):
    settings = load_settings(overrides=SMALL)
    return Protocol(dataset, dataset.categories, (Configuration("small", settings),), (0, 1), (None, 2), pixels=True)


def do(protocol, tmp_path, *, keep=2**30, split=None, pixels=True):
    """Do the first run."""
    run = next(protocol.runs())
    with Features(tmp_path, keep) as features:
        return carry_out(
            run, split or protocol.split(run), {}, root=protocol.dataset.root, pixels=pixels, features=features,
            progress=silent,
        )  # fmt: skip


def all_steps(protocol, ledger, *, keep=2**30):
    bars = lambda run: contextlib.nullcontext(silent)  # noqa: E731
    return list(carry_out_all(plan(protocol, ledger), protocol, ledger, keep_features=keep, bars=bars))


def without_costs(records):
    """All that must not depend on how the runs were done; memory and times may."""
    costs = [replace(one.cost, fit_seconds=None, score_ms=None, peak_bytes=None) for one in records]
    return [replace(one, cost=cost, wall_seconds=0) for one, cost in zip(records, costs, strict=True)]


def test_a_run_learns_from_every_image_of_the_split_and_tests_all_others(protocol, tmp_path):
    done = do(protocol, tmp_path)
    assert done.cost.learned_images == 8
    assert done.cost.bank_rows == round(0.2 * 8 * 8 * 12)
    assert [one.kind for one in done.images].count("good") == 2
    assert set(done.by_defect) == {"blowhole", "crack"}
    assert done.figures["image_auroc"] > 0.5
    assert done.by_defect["crack"] == 1
    assert done.interval[0] <= done.figures["image_auroc"] <= done.interval[1]


def test_heat_maps_are_compared_with_masks_at_the_size_of_the_image(protocol, tmp_path):
    done = do(protocol, tmp_path)
    cracks = [one for one in done.images if one.kind == "crack"]
    assert [one.defect_share for one in cracks] == [pytest.approx(20 * 6 / (40 * 56))] * 3
    assert all(one.on_defect for one in cracks)
    assert {"pixel_auroc", "pixel_average_precision", "aupro_0.3", "aupro_0.05"} <= set(done.figures)
    alarms, overlap = done.curve
    assert (alarms[0], alarms[-1], overlap[-1]) == (0, 1, 1)


def test_without_pixels_no_mask_is_opened(protocol, tmp_path):
    run = next(protocol.runs())
    split = protocol.split(run)
    blind = replace(split, test=tuple(replace(one, masks=(tmp_path / "missing.png",)) for one in split.test))
    done = do(protocol, tmp_path, split=blind, pixels=False)
    assert done.curve is None
    assert "pixel_auroc" not in done.figures
    assert all(one.on_defect is None and one.defect_share is None for one in done.images)


def test_images_for_the_threshold_set_it_and_are_not_learned_from(protocol, tmp_path):
    run = next(protocol.runs())
    whole = protocol.split(run)
    split = replace(whole, fit=whole.fit[:5], calibrate=whole.fit[5:])
    done = do(protocol, tmp_path, split=split)
    assert done.cost.learned_images == 5
    assert done.threshold_from == "calibration"
    assert [one.alarm for one in done.images] == [one.score > done.threshold for one in done.images]


def test_without_such_images_the_threshold_allows_the_false_alarms_that_were_asked_for_in_hindsight(dataset, tmp_path):
    settings = load_settings(overrides=[*SMALL, "calibration.false_alarm_rate=0.5"])
    half = Protocol(dataset, dataset.categories, (Configuration("half", settings),), (0,), (None,), pixels=False)
    done = do(half, tmp_path, pixels=False)
    assert done.threshold_from == "hindsight"
    assert [one.alarm for one in done.images if not one.bad].count(True) == 1  # of two good ones
    assert done.figures["false_alarms_at_threshold"] == 0.5


def test_mistakes_get_pictures_and_nothing_else_does(protocol, tmp_path):
    done = do(protocol, tmp_path)
    wrong = {one.name for one in done.images if one.alarm != one.bad}
    assert {one.name for one in done.pictures} <= wrong
    assert wrong
    for picture in done.pictures:
        assert picture.photo.startswith("data:image/jpeg;base64,")
        assert (picture.height, picture.width) == SIZE


def test_kept_features_change_no_figure_and_later_seeds_use_them_again(protocol, tmp_path):
    anew = all_steps(protocol, Ledger(tmp_path / "anew"), keep=0)
    kept = all_steps(protocol, Ledger(tmp_path / "kept"))
    few = all_steps(protocol, Ledger(tmp_path / "few"), keep=300_000)  # room for some of the images only
    records = [[step.record for step in steps] for steps in (anew, kept, few)]
    assert without_costs(records[0]) == without_costs(records[1]) == without_costs(records[2])
    assert all(one.cost.fit_seconds for one in records[0])
    assert records[1][0].cost.score_ms
    assert [one.cost.score_ms for one in records[1][1:]] == [None] * 3


def test_finished_runs_are_not_done_again(protocol, tmp_path):
    ledger = Ledger(tmp_path)
    first = all_steps(protocol, ledger)
    assert [step.kept for step in first] == [False] * 4
    again = all_steps(protocol, ledger)
    assert [step.kept for step in again] == [True] * 4
    assert [step.record for step in again] == [step.record for step in first]


def test_a_run_of_other_settings_is_refused_before_anything_is_computed(protocol, tmp_path):
    all_steps(replace(protocol, seeds=(0,), shots=(2,)), Ledger(tmp_path))
    other = Configuration("small", load_settings(overrides=[*SMALL, "scoring.sigma=1.0"]))
    with pytest.raises(StoreError, match=r"settings: scoring: sigma: 4.0 there, 1.0 here"):
        plan(replace(protocol, configurations=(other,)), Ledger(tmp_path))


def test_a_defect_without_a_mask_is_refused_before_anything_is_computed(protocol, tmp_path, monkeypatch):
    run = next(protocol.runs())
    split = protocol.split(run)
    bare = replace(split, test=tuple(replace(one, masks=()) for one in split.test))
    monkeypatch.setattr(Protocol, "split", lambda self, run: bare)
    with pytest.raises(ImageError, match=r"is defective .* but has no mask.*--no-pixels"):
        plan(protocol, Ledger(tmp_path))
    assert len(plan(replace(protocol, pixels=False), Ledger(tmp_path))) == 4


@pytest.mark.parametrize(("place", "on"), [((50, 50), True), ((50, 62), True), ((50, 80), False)])
def test_heat_counts_as_on_the_defect_within_one_patch_of_it(place, on):
    mask, heat = np.zeros((100, 100), bool), np.full((100, 100), np.nan)
    mask[45:55, 45:55] = True
    heat[40:90, 40:90] = 1.0
    heat[place] = 2.0
    assert hottest_on_defect(mask, heat, (10, 10)) is on


def test_colours_begin_where_good_images_are_ordinary_and_the_threshold_is_their_middle():
    assert heat_scale(np.array([1.0, 2.0, 3.0]), 5.0) == (2.0, 8.0)
    low, high = heat_scale(np.array([6.0]), 5.0)
    assert low < 5.0 < high


def test_memory_is_measured_while_it_is_held():
    with PeakMemory() as before:
        pass
    with PeakMemory() as during:
        held = np.ones(2**23)  # 64 MiB
        during._stop.wait(0.1)
        del held
    assert during.bytes - before.bytes > 50 * 2**20


def test_a_full_disk_while_keeping_features_says_what_to_do(protocol, tmp_path, monkeypatch):
    class Full:
        def seek(self, place):
            raise OSError(28, "No space left on device")

        def close(self):
            pass

    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: Full())
    with pytest.raises(OutputError, match=r"No space left on device. .*--keep-features 0"):
        do(protocol, tmp_path)
