"""The inner model beside anomalib's own on the same bank, and what it refuses."""

from __future__ import annotations

import pickle

import pytest
import torch
from anomalib_cells import SIDE, PatchcoreModel, PluginPatchcore, model, photographs

from patchcore_plugin.errors import ConfigError, EmptyInputError, ShapeError, TooFewRowsError, WeightsError
from patchcore_plugin.weights import load_weights

LAYERS = ["blocks.2", "blocks.4"]


@pytest.fixture(scope="module")
def pair():
    """Our model, fitted without a host, and anomalib's with its weights and its bank."""
    ours = model(sampler="keep-all")  # rows close together, so that Eq. 7 matters
    looked = ours.pre_processor(photographs(0.0, 4))
    ours.train()
    ours.model(looked)
    ours.fit()
    theirs = PatchcoreModel(layers=LAYERS, backbone="efficientnet_lite0", pre_trained=False)
    state = {name: torch.tensor(array) for name, array in load_weights("efficientnet_lite0").arrays.items()}
    found = theirs.feature_extractor.feature_extractor.load_state_dict(state, strict=False)
    assert not [name for name in found.missing_keys if "num_batches" not in name]
    theirs.memory_bank = ours.model.memory_bank
    return ours.eval(), theirs.eval()


@pytest.mark.parametrize("batch", [1, 5])
def test_scores_and_maps_are_those_of_anomalib(pair, batch):
    ours, theirs = pair
    pixels = ours.pre_processor(photographs(1.0, 5))
    for start in range(0, 5, batch):
        expected, came = theirs(pixels[start : start + batch]), ours.model(pixels[start : start + batch])
        torch.testing.assert_close(came.pred_score, expected.pred_score, rtol=1e-4, atol=0)
        torch.testing.assert_close(came.anomaly_map, expected.anomaly_map, rtol=1e-4, atol=0)
        assert came.pred_label is came.pred_mask is None


def test_equation_7_is_what_makes_them_equal(pair):
    ours, theirs = pair
    pixels = ours.pre_processor(photographs(1.0, 2))
    other = model(num_neighbors=1).eval()
    other.model.memory_bank = ours.model.memory_bank
    difference = other.model(pixels).pred_score / theirs(pixels).pred_score - 1
    assert (difference.abs() > 1e-3).all()


def test_embeddings_are_those_of_anomalib(pair):
    ours, theirs = pair
    pixels = ours.pre_processor(photographs(1.0, 2))
    expected = theirs.train()(pixels)
    theirs.eval().embedding_store.clear()
    came = ours.model.embed(pixels)
    assert came.shape == (2, SIDE // 8, SIDE // 8, 152)
    torch.testing.assert_close(came.reshape(expected.shape), expected, rtol=1e-4, atol=1e-3)


def test_training_keeps_embeddings_as_rows():
    found = model().model.train()
    rows = found(torch.zeros(2, 3, 64, 64))
    assert rows.shape == (2 * 8 * 8, 152)
    assert found.embedding_store == [rows]


def test_no_bank_and_no_images_are_said():
    found = model()
    with pytest.raises(EmptyInputError, match="Memory bank is empty"):
        found.model.eval()(torch.zeros(1, 3, 64, 64))
    with pytest.raises(EmptyInputError, match="Embedding store is empty"):
        found.fit()


def test_images_of_two_sizes_are_refused():
    found = model().model.train()
    found(torch.zeros(1, 3, 64, 64))
    with pytest.raises(ShapeError, match="64 x 96 pixels have 8 x 12 patches"):
        found(torch.zeros(1, 3, 64, 96))


def test_too_many_neighbors_for_the_bank_are_refused(pair):
    found = model(scoring={"neighbors": 5}).eval()
    found.model.memory_bank = pair[0].model.memory_bank[:4]
    with pytest.raises(TooFewRowsError, match=r"scoring\.neighbors is 5"):
        found.model(torch.zeros(1, 3, 64, 64))


def test_another_bank_is_noticed(pair):
    found, pixels = model().eval(), torch.zeros(1, 3, 64, 64)
    bank = pair[0].model.memory_bank
    found.model.memory_bank = bank.clone()
    before = found.model(pixels).pred_score
    found.model.memory_bank.add_(1)
    changed = found.model(pixels).pred_score
    assert not torch.equal(before, changed)
    found.model.memory_bank = bank[:50]
    assert not torch.equal(found.model(pixels).pred_score, changed)
    found.load_state_dict(pair[0].state_dict())
    assert torch.equal(found.model(pixels).pred_score, before)


def test_it_pickles_without_its_index_and_scores_the_same(pair):
    ours, _ = pair
    pixels = ours.pre_processor(photographs(1.0, 2))
    expected = ours.model(pixels).pred_score
    data = pickle.dumps(ours.model)
    assert len(data) < 3 * ours.model.memory_bank.numel() * 4
    assert torch.equal(pickle.loads(data)(pixels).pred_score, expected)  # noqa: S301 - written one line above


def test_float16_halves_the_bank_and_hardly_changes_scores(pair):
    ours, _ = pair
    pixels = ours.pre_processor(photographs(1.0, 2))
    half = model(precision="float16").eval()
    assert half.model.memory_bank.dtype == torch.float16
    assert half.model.parts.extractor.dtype == "float16"
    half.model.memory_bank = ours.model.memory_bank.half()
    torch.testing.assert_close(half.model(pixels).pred_score, ours.model(pixels).pred_score, rtol=0.02, atol=0)


@pytest.mark.parametrize("extractor", ["timm", "numba-cnn"])
def test_other_weights_than_those_promised_are_refused(extractor):
    right = model(extractor=extractor, weights_sha256=load_weights("efficientnet_lite0").sha256[:8])
    right.model.train()(torch.zeros(1, 3, 64, 64))
    with pytest.raises(WeightsError, match="SHA-256"):
        model(extractor=extractor, weights_sha256="0" * 64).model.train()(torch.zeros(1, 3, 64, 64))


def test_nothing_is_fetched_to_make_the_model():
    found = PluginPatchcore()
    assert found.model.parts.extractor.weights == "hub"
    assert found.model.settings.extractor.options["backbone"] == "wide_resnet50_2.racm_in1k"


def test_images_of_the_host_are_not_changed(pair):
    ours, _ = pair
    pixels = ours.pre_processor(photographs(1.0, 1))
    before = pixels.clone()
    ours.model(pixels)
    assert torch.equal(before, pixels)


def test_wrong_settings_are_refused_before_anything_is_read():
    with pytest.raises(ConfigError, match="backbone"):
        PluginPatchcore(backbone="no-such-network")
