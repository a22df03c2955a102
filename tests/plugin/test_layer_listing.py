"""``patchcore layers`` lists what extractor.layers can name: with channels, grids and strides that are true."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

from patchcore_plugin import components, layer_listing
from patchcore_plugin.cli import app
from patchcore_plugin.errors import ConfigError, MissingLibraryError, ShapeError, UnknownComponentError
from patchcore_plugin.extractors.numpy_cnn import NumpyCnn
from patchcore_plugin.layer_listing import image_size, layer_shapes
from patchcore_reference.backbones import layer_names


@pytest.mark.parametrize("extractor", ["numpy-cnn", "numba-cnn"])
@pytest.mark.parametrize("size", [(64, 96), (97, 33)])
def test_what_is_listed_of_the_networks_without_torch_is_what_comes_out(extractor, size):
    found = layer_shapes(extractor, "efficientnet_lite0", size)
    assert tuple(layer.name for layer in found) == layer_names("efficientnet_lite0")
    stages = [layer for layer in found if layer.name.count(".") == 1][:5]
    maps = NumpyCnn(layers=tuple(layer.name for layer in stages)).extract(np.zeros((1, 3, *size)))
    assert [(m.shape[1], m.shape[2:]) for m in maps] == [(layer.channels, layer.grid) for layer in stages]
    assert [layer.stride for layer in layer_shapes(extractor, "efficientnet_lite0")][:2] == [2, 2]


@pytest.mark.parametrize(("extractor", "size"), [("torchvision", (64, 96)), ("timm", (97, 130))])
def test_what_is_listed_of_torchs_networks_is_what_comes_out(extractor, size):
    found = {layer.name: layer for layer in layer_shapes(extractor, "resnet18", size)}
    layers = ("layer1", "layer2.0", "layer3")
    part = components.create("extractor", extractor, backbone="resnet18", layers=layers, weights="random", device="cpu")
    for layer, found_map in zip(layers, part.extract(np.ones((1, 3, *size))), strict=True):
        assert (found[layer].channels, found[layer].grid) == (found_map.shape[1], tuple(found_map.shape[2:]))
        assert not found[layer].inner
    assert found["layer1.0.conv2"].inner
    assert "fc" not in found


def test_both_libraries_and_the_plan_agree_about_resnet():
    listed = [
        {layer.name: (layer.channels, layer.grid, layer.stride) for layer in layer_shapes(extractor, "resnet50")}
        for extractor in ("numba-cnn", "torchvision", "timm")
    ]
    plan, *others = listed
    for other in others:
        assert plan.items() <= other.items()


def lines(*arguments):
    ran = CliRunner().invoke(app, ["layers", *arguments], env={"COLUMNS": "120"})
    return ran.exit_code, ran.output.splitlines(), ran.stderr


def test_the_command_prints_one_line_per_layer():
    code, printed, _ = lines("resnet18", "--extractor", "torchvision", "--size", "64x96")
    assert code == 0
    assert printed[0].split() == ["layer", "channels", "grid", "of", "64", "x", "96", "pixels", "stride"]
    assert ["layer2", "128", "8", "x", "12", "8"] in [line.split() for line in printed]
    _, everything, _ = lines("resnet18", "--extractor", "torchvision", "--all")
    assert len(everything) > len(printed) > 15


def test_the_command_needs_no_torch_for_the_default_networks():
    code, printed, _ = lines("efficientnet_lite0")
    assert code == 0
    assert ["blocks.2", "40", "28", "x", "28", "8"] in [line.split() for line in printed]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["resnet19"], "the networks that need no torch have no 'resnet19'. Did you mean 'resnet18'"),
        (["resnet19", "--extractor", "timm"], "timm has no backbone 'resnet19'. Did you mean 'resnet"),
        (["resnet18", "--size", "big"], "--size is 'big', but a number of pixels"),
        (["resnet18", "--size", "0"], "--size is '0'"),
    ],
)
def test_the_command_says_what_is_to_be_corrected(arguments, match):
    code, _, complaint = lines(*arguments)
    assert code == 2
    assert match in complaint


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        (("numba-cm", "resnet18"), UnknownComponentError, "Did you mean 'numba-cnn'"),
        (("ensemble", "resnet18"), ConfigError, "'ensemble' cannot list the layers"),
        (("torchvision", "inception_v3", (32, 32)), ShapeError, "inception_v3 cannot take images of 32 x 32 pixels"),
    ],
)
def test_what_cannot_be_listed_is_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        layer_shapes(*arguments)


def test_a_library_that_is_absent_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr("patchcore_plugin.offers._is_installed", lambda name: name != "timm")
    with pytest.raises(MissingLibraryError, match=r"timm.*patchcore-plugin\[timm\]"):
        layer_listing.layer_shapes("timm", "resnet18")


@pytest.mark.parametrize(("text", "size"), [(None, None), ("224", (224, 224)), ("320x240", (320, 240))])
def test_a_size_is_one_number_or_height_times_width(text, size):
    assert image_size(text) == size
