"""The model inside anomalib's own ways: Engine, data with and without masks, checkpoints, fitting again, tiles."""

from __future__ import annotations

import pytest
import torch
from anomalib_cells import HOST_WARNINGS, SIDE, PluginPatchcore, engine, folder, model, picture_folder

from patchcore_plugin.errors import WeightsError

pytestmark = pytest.mark.filterwarnings(*HOST_WARNINGS)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures") / "cells")


@pytest.fixture(scope="module")
def fitted(pictures, tmp_path_factory):
    """A model that the Engine fitted, its data, and the folder of results."""
    root = tmp_path_factory.mktemp("results")
    found, data = model(), folder(pictures, mask_dir="masks")
    engine(root).fit(found, datamodule=data)
    return found, data, root


def checkpoint(root):
    (path,) = root.glob("PluginPatchcore/cells/v0/weights/lightning/model.ckpt")
    return path


def state_of(some):
    return {name: value for name, value in some.state_dict().items() if isinstance(value, torch.Tensor)}


def noise(count=2, side=SIDE):
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def test_the_engine_fits_validates_and_tests(fitted, tmp_path):
    found, data, _ = fitted
    assert found.model.memory_bank.shape[1] == 152
    assert not found.model.embedding_store
    assert engine(tmp_path).validate(found, datamodule=data) == [{}]  # anomalib has metrics for tests only
    (scores,) = engine(tmp_path).test(found, datamodule=data)
    assert scores["image_AUROC"] > 0.7
    assert set(scores) == {"image_AUROC", "image_F1Score", "pixel_AUROC", "pixel_F1Score"}


def test_the_engine_predicts_a_folder(fitted, pictures, tmp_path):
    found, _, _ = fitted
    batches = engine(tmp_path).predict(found, data_path=pictures / "bad")
    scores = torch.cat([batch.pred_score for batch in batches])
    assert scores.shape == (4,)
    assert scores.dtype == torch.float32
    assert ((scores >= 0) & (scores <= 1)).all()
    for batch in batches:
        assert batch.anomaly_map.shape == (len(batch.image), SIDE, SIDE)
        assert batch.pred_mask.dtype == batch.pred_label.dtype == torch.bool


def test_classification_data_need_no_masks(pictures, tmp_path):
    found, data = model(), folder(pictures)
    engine(tmp_path).fit(found, datamodule=data)
    (scores,) = engine(tmp_path).test(found, datamodule=data)
    assert set(scores) == {"image_AUROC", "image_F1Score"}
    assert torch.isfinite(found.post_processor.pixel_threshold)


def test_a_checkpoint_gives_the_same_bank_thresholds_and_scores(fitted):
    found, _, root = fitted
    again = PluginPatchcore.load_from_checkpoint(checkpoint(root))  # reads with weights_only=True
    theirs = state_of(again)
    assert set(theirs) == set(state_of(found))
    for name, value in state_of(found).items():
        assert torch.equal(theirs[name], value), name
    expected, came = found.eval()(noise()), again.eval()(noise())
    for field, value in expected._asdict().items():
        assert torch.equal(getattr(came, field), value), field


def test_a_checkpoint_holds_the_bank_and_no_network(fitted):
    _, _, root = fitted
    state = torch.load(checkpoint(root), weights_only=True)["state_dict"]
    assert {name for name in state if name.startswith("model.")} == {"model.memory_bank", "model._extra_state"}
    assert len(state["model._extra_state"]["weights_sha256"]) == 64


def test_a_checkpoint_refuses_other_weights(fitted, tmp_path):
    _, _, root = fitted
    content = torch.load(checkpoint(root), weights_only=True)
    content["state_dict"]["model._extra_state"]["weights_sha256"] = "0" * 64
    torch.save(content, tmp_path / "other.ckpt")
    with pytest.raises(WeightsError, match="same weights"):
        PluginPatchcore.load_from_checkpoint(tmp_path / "other.ckpt").eval()(noise())


def test_a_checkpoint_tests_without_being_fitted(fitted):
    found, data, root = fitted
    expected = engine(root).test(found, datamodule=data)
    assert engine(root).test(model(), datamodule=data, ckpt_path=checkpoint(root)) == expected


def test_resuming_a_finished_fit_changes_nothing(fitted, tmp_path):
    found, data, root = fitted
    again = model()
    engine(tmp_path).fit(again, datamodule=data, ckpt_path=checkpoint(root))
    assert torch.equal(again.model.memory_bank, found.model.memory_bank)


def test_fitting_again_forgets_the_first_fit(pictures, tmp_path):
    found = model()
    found.train()
    found.model(noise(4))
    found.on_train_epoch_end()
    assert found._is_fitted
    engine(tmp_path / "b").fit(found, datamodule=folder(pictures))
    fresh = model()
    engine(tmp_path / "c").fit(fresh, datamodule=folder(pictures))
    for name, value in state_of(fresh).items():
        torch.testing.assert_close(state_of(found)[name], value, rtol=1e-4, atol=1e-4)


def test_the_seed_alone_decides_however_the_host_shuffles(pictures, tmp_path):
    banks = []
    for drawn, seed in enumerate((3, 3, 4)):
        torch.manual_seed(drawn)  # decides in which order anomalib hands over the images
        found = model(seed=seed)
        engine(tmp_path / str(drawn)).fit(found, datamodule=folder(pictures))
        banks.append(found.model.memory_bank)
    torch.testing.assert_close(banks[0], banks[1], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(banks[0], banks[2], rtol=1e-2)


def test_images_are_tiled_where_anomalib_is_told_to(pictures, tmp_path):
    from anomalib.callbacks import TilerConfigurationCallback

    found = model()
    run = engine(tmp_path)
    run._cache.args["callbacks"] = [TilerConfigurationCallback(enable=True, tile_size=48, stride=48)]
    run.fit(found, datamodule=folder(pictures))
    whole = model()
    engine(tmp_path / "whole").fit(whole, datamodule=folder(pictures))
    assert found.model.tiler.tile_size_h == 48
    assert found.model.memory_bank.shape == whole.model.memory_bank.shape
    assert found.eval()(noise()).anomaly_map.shape == (2, 1, SIDE, SIDE)
    assert not torch.equal(found.model.memory_bank, whole.model.memory_bank)


@pytest.mark.parametrize(
    "parts",
    [
        {"extractor": "numba-cnn", "aggregator": "local-mean", "sampler": "pruned-greedy", "neighbors": "numba-exact"},
        {"sampler": {"name": "torch-greedy", "keep": 0.05}, "neighbors": "torch-exact"},
        {"preset": "default", "backbone": None, "layers": None, "neighbors": "numpy-exact"},
    ],
    ids=["numba", "torch", "the default preset"],
)
def test_parts_of_every_kind_work_inside(parts, pictures, tmp_path):
    found = model(**parts)
    data = folder(pictures)
    engine(tmp_path).fit(found, datamodule=data)
    (scores,) = engine(tmp_path).test(found, datamodule=data)
    assert scores["image_AUROC"] > 0.7
    again = PluginPatchcore.load_from_checkpoint(checkpoint(tmp_path))
    assert torch.equal(again.eval()(noise()).pred_score, found.eval()(noise()).pred_score)


def test_a_barebones_engine_gives_the_same_bank(fitted, pictures, tmp_path):
    from anomalib_cells import Engine

    found, _, _ = fitted
    bare = model()
    Engine(default_root_dir=tmp_path, accelerator="cpu", barebones=True).fit(bare, datamodule=folder(pictures))
    torch.testing.assert_close(bare.model.memory_bank, found.model.memory_bank, rtol=1e-4, atol=1e-4)
