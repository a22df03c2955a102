"""Thresholds inside anomalib: always there, never cut off, whatever the validation data hold."""

from __future__ import annotations

import pytest
import torch
from anomalib_cells import HOST_WARNINGS, PluginPatchcore, engine, folder, model, picture_folder

from patchcore_plugin.errors import ConfigError
from patchcore_plugin.hosts.anomalib_calibration import CalibratedPostProcessor

pytestmark = pytest.mark.filterwarnings(*HOST_WARNINGS)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures") / "cells")


def batch(scores, labels=None, maps=None, masks=None):
    from anomalib.data import ImageBatch

    n = len(scores)
    maps = torch.tensor(scores)[:, None, None].expand(n, 4, 4) / 2 if maps is None else maps
    labels = None if labels is None else torch.tensor(labels, dtype=torch.bool)
    return ImageBatch(
        image=torch.zeros(n, 3, 4, 4), pred_score=torch.tensor(scores), gt_label=labels, anomaly_map=maps, gt_mask=masks
    )


def validated(judge, *batches):
    judge.on_validation_epoch_start(None, None)
    for one in batches:
        judge.on_validation_batch_end(None, None, one)
    judge.on_validation_epoch_end(None, None)
    return judge


def judged(judge, scores):
    one = batch(scores)
    judge.post_process_batch(one)
    return one


def values(judge):
    return [
        judge.image_threshold,
        judge.pixel_threshold,
        judge.image_min,
        judge.image_max,
        judge.pixel_min,
        judge.pixel_max,
    ]


def test_without_validation_data_images_are_put_aside(pictures, tmp_path):
    found = model()
    data = folder(pictures, val_split_mode="none", test_split_mode="none")
    data.setup()
    engine(tmp_path).fit(found, train_dataloaders=data.train_dataloader())
    assert torch.isfinite(torch.stack(values(found.post_processor))).all()
    assert found.post_processor._image_from_good
    patches = 9 * (96 // 8) ** 2  # one of ten images was put aside
    assert len(found.model.memory_bank) == round(0.1 * patches)
    batches = engine(tmp_path).predict(found, data_path=pictures / "bad")
    labels = torch.cat([one.pred_label for one in batches])
    assert labels.float().mean() > 0.5
    (path,) = tmp_path.rglob("model.ckpt")
    again = PluginPatchcore.load_from_checkpoint(path)
    assert torch.equal(torch.stack(values(again.post_processor)), torch.stack(values(found.post_processor)))


def test_good_validation_images_alone_give_a_threshold(pictures, tmp_path):
    found = model()
    data = folder(pictures, abnormal_dir=None, normal_test_dir="good", val_split_mode="from_test", val_split_ratio=0.5)
    engine(tmp_path).fit(found, datamodule=data)
    assert torch.isfinite(torch.stack(values(found.post_processor))).all()
    batches = engine(tmp_path).predict(found, data_path=pictures / "bad")
    scores = torch.cat([one.pred_score for one in batches])
    assert (scores < 1).all()
    assert len(scores.unique()) == len(scores)


def test_one_training_image_is_enough_for_a_threshold():
    found = model()
    found.train()
    found.model(torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0)))
    found.on_train_epoch_end()
    assert torch.isfinite(torch.stack(values(found.post_processor))).all()


def test_a_post_processor_of_ones_own_costs_no_images():
    from anomalib.post_processing import PostProcessor

    found = model(post_processor=PostProcessor(), sampler="keep-all", coreset_sampling_ratio=None)
    found.train()
    found.model(torch.rand(4, 3, 96, 96, generator=torch.Generator().manual_seed(0)))
    found.on_train_epoch_end()
    assert len(found.model.memory_bank) == 4 * 144


def test_with_anomalies_scores_are_those_of_anomalib():
    from anomalib.post_processing import PostProcessor

    masks = torch.zeros(4, 4, 4, dtype=torch.bool)
    masks[2:, 1, 1] = True
    data = batch([1.0, 2.0, 3.0, 5.0], [0, 0, 1, 1], masks=masks)
    ours, theirs = validated(CalibratedPostProcessor(), data), validated(PostProcessor(), data)
    assert torch.equal(torch.stack(values(ours)), torch.stack(values(theirs)))
    for field in ("pred_score", "anomaly_map"):
        assert torch.equal(
            getattr(judged(ours, [0.5, 2.5, 9.0]), field), getattr(judged(theirs, [0.5, 2.5, 9.0]), field)
        )


def test_the_anomaly_that_set_the_threshold_is_found():
    from anomalib.post_processing import PostProcessor

    data = batch([1.0, 2.0, 3.0, 5.0], [0, 0, 1, 1])
    assert judged(validated(CalibratedPostProcessor(), data), [2.0, 3.0]).pred_label.tolist() == [False, True]
    assert judged(validated(PostProcessor(), data), [2.0, 3.0]).pred_label.tolist() == [False, False]


def test_good_images_alone_keep_the_rate_that_was_asked_for():
    scores = torch.linspace(1, 2, 39).tolist()
    judge = validated(CalibratedPostProcessor("good", 0.05), batch(scores, [0] * 39))
    assert judged(judge, scores).pred_label.sum() == 1  # at most 2 of 40, the next one among them
    assert judged(judge, [2.5]).pred_label.all()


def test_scores_under_a_threshold_of_good_images_rise_and_are_never_cut_off():
    judge = validated(CalibratedPostProcessor(), batch([1.0, 2.0, 3.0], [0, 0, 0]))
    scores = judged(judge, torch.linspace(0, 100, 1000).tolist()).pred_score
    assert (scores.diff() > 0).all()
    assert scores[0] == 0
    assert scores[-1] < 1


def test_the_rule_good_leaves_anomalies_out():
    judge = validated(CalibratedPostProcessor("good"), batch([1.0, 2.0, 9.0, 10.0], [0, 0, 1, 1]))
    assert judge.image_threshold == pytest.approx(2.0, rel=1e-5)


def test_masks_without_a_defective_pixel_are_no_masks():
    data = batch([1.0, 2.0, 9.0], [0, 0, 1], masks=torch.zeros(3, 4, 4, dtype=torch.bool))
    judge = validated(CalibratedPostProcessor(), data)
    assert judge.image_threshold == 9
    assert judge.pixel_threshold == pytest.approx(1.0, rel=1e-5)  # half of the highest good score, as maps are here


def test_data_without_labels_count_as_good():
    judge = validated(CalibratedPostProcessor(), batch([1.0, 2.0]))
    assert judge.image_threshold == pytest.approx(2.0, rel=1e-5)


@pytest.mark.parametrize("rule", ["f1", "good"])
def test_anomalies_alone_give_a_threshold_too_and_a_warning_says_from_what(rule, caplog):
    judge = validated(CalibratedPostProcessor(rule), batch([3.0, 5.0], [1, 1]))
    assert ("No good image to find the image threshold with" in caplog.text) == (rule == "good")
    assert torch.isfinite(torch.stack(values(judge))).all()
    assert judged(judge, [3.0, 5.0]).pred_label.all()


def test_a_score_of_zero_is_no_division_by_zero():
    judge = validated(CalibratedPostProcessor(), batch([0.0, 0.0], [0, 0]))
    assert judged(judge, [0.0, 1.0]).pred_label.tolist() == [False, True]


def test_a_broken_off_validation_leaves_nothing_behind():
    judge = CalibratedPostProcessor()
    judge.on_validation_epoch_start(None, None)
    judge.on_validation_batch_end(None, None, batch([50.0], [0]))
    assert validated(judge, batch([1.0], [0])).image_threshold == pytest.approx(1.0, rel=1e-5)


def test_thresholds_can_be_switched_off():
    judge = validated(CalibratedPostProcessor(enable_thresholding=False), batch([1.0, 2.0], [0, 0]))
    assert torch.isnan(judge.image_threshold)


def test_an_unknown_rule_is_refused():
    with pytest.raises(ConfigError, match="'f1', 'good'"):
        CalibratedPostProcessor("best")


def test_the_rule_is_kept_in_a_checkpoint():
    judge = CalibratedPostProcessor()
    judge.load_checkpoint_config(CalibratedPostProcessor("good", 0.01).checkpoint_config())
    assert (judge.rule, judge.false_alarm_rate) == ("good", 0.01)
