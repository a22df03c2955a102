"""The plain forward passes against timm's and torchvision's, and every refusal."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st

from patchcore_reference import backbones
from patchcore_reference.convolution import convolve, fold_batch_norm, max_pool
from patchcore_reference.errors import EmptyInputError, InputError, NonFiniteError, ShapeError
from patchcore_reference.network_plan import length_after, pads

LITE0_CHANNELS = {"blocks.0": 16, "blocks.2": 40, "blocks.4": 112, "blocks.6": 320}


def outline(backbone):
    with torch.device("meta"):  # names and shapes without numbers: quick
        lite = backbone in backbones.efficientnet_lite.NAMES
        return timm.create_model(backbone) if lite else torchvision.models.get_model(backbone, weights=None)


def stranger(backbone):
    """The same network by its authors' library: random weights, and batch norms that do something."""
    torch.manual_seed(0)
    model = outline(backbone).to_empty(device="cpu")
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_uniform_(module.weight)
        elif isinstance(module, torch.nn.Linear):  # not compared, but must not be whatever the memory held
            torch.nn.init.zeros_(module.weight)
            torch.nn.init.zeros_(module.bias)
        elif isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.3)
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
    return model.eval()


def arrays_of(model):
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


def hooked_maps(model, pixels, layers):
    kept = {}
    for layer in layers:
        module = model.get_submodule(layer)
        module.register_forward_hook(lambda _module, _inputs, output, layer=layer: kept.update({layer: output.numpy()}))
    with torch.no_grad():
        model(torch.from_numpy(pixels))
    return [kept[layer] for layer in layers]


def random_pixels(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def largest_relative_error(ours, theirs):
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


@pytest.fixture(scope="module")
def lite0():
    return arrays_of(stranger("efficientnet_lite0"))


@pytest.mark.parametrize("backbone", backbones.NAMES)
def test_every_layer_agrees_with_the_network_of_timm_or_torchvision(backbone):
    model, layers = stranger(backbone), backbones.layer_names(backbone)
    pixels = random_pixels(2, 3, *((97, 130) if "lite" in backbone else (65, 50)))
    ours = backbones.feature_maps(pixels, arrays_of(model), backbone, layers)
    for layer, found, wanted in zip(layers, ours, hooked_maps(model, pixels, layers), strict=True):
        assert found.dtype == np.float32, layer
        assert found.shape == wanted.shape, layer
        assert largest_relative_error(found, wanted) <= 1e-4, layer


@pytest.mark.parametrize("backbone", backbones.NAMES)
def test_the_plan_names_the_weights_as_the_authors_libraries_do_and_in_their_order(backbone):
    shapes = backbones.network(backbone).weight_shapes()
    theirs = {name: tensor.shape for name, tensor in outline(backbone).state_dict().items() if name in shapes}
    assert list(theirs.items()) == list(shapes.items())


@pytest.mark.parametrize("backbone", ["tf_efficientnet_lite1", "resnet18"])
@pytest.mark.parametrize("size", [(1, 1), (2, 7), (64, 33)])
def test_images_of_any_size_from_one_pixel_agree_with_the_stranger(backbone, size):
    model, layers = stranger(backbone), backbones.layer_names(backbone)[-1:]
    pixels = random_pixels(1, 3, *size)
    (ours,) = backbones.feature_maps(pixels, arrays_of(model), backbone, layers)
    (theirs,) = hooked_maps(model, pixels, layers)
    assert ours.shape == theirs.shape
    assert largest_relative_error(ours, theirs) <= 1e-4


def test_channels_and_strides_describe_the_maps(lite0):
    layers = tuple(LITE0_CHANNELS)
    maps = backbones.feature_maps(random_pixels(1, 3, 64, 96), lite0, "efficientnet_lite0", layers)
    assert backbones.channels("efficientnet_lite0", layers) == tuple(LITE0_CHANNELS.values())
    assert backbones.strides("efficientnet_lite0", layers) == (2, 8, 16, 32)
    assert [m.shape[1:] for m in maps] == [(16, 32, 48), (40, 8, 12), (112, 4, 6), (320, 2, 3)]


def test_maps_come_in_the_order_asked_for_and_a_stage_is_its_last_block(lite0):
    pixels = random_pixels(1, 3, 33, 40)
    layers = ("blocks.4", "blocks.1", "blocks.4.2", "blocks.4.1")
    deep, shallow, last, middle = backbones.feature_maps(pixels, lite0, "efficientnet_lite0", layers)
    np.testing.assert_array_equal(deep, last)
    assert (deep != middle).any()
    assert shallow.shape[1] == 24


def test_nothing_behind_the_last_layer_is_needed(lite0):
    pixels, layers = random_pixels(1, 3, 33, 40), ("blocks.2",)
    enough = {name: array for name, array in lite0.items() if not name.startswith(("blocks.3", "conv_head"))}
    (some,) = backbones.feature_maps(pixels, enough, "efficientnet_lite0", layers)
    (whole,) = backbones.feature_maps(pixels, lite0, "efficientnet_lite0", layers)
    np.testing.assert_array_equal(some, whole)


def test_an_image_does_not_depend_on_its_batch_and_twice_gives_the_same_bits(lite0):
    pixels, layers = random_pixels(3, 3, 41, 58), ("blocks.2", "blocks.4")
    batch = backbones.feature_maps(pixels, lite0, "efficientnet_lite0", layers)
    again = backbones.feature_maps(pixels, lite0, "efficientnet_lite0", layers)
    alone = backbones.feature_maps(pixels[1:2], lite0, "efficientnet_lite0", layers)
    for one, two, single in zip(batch, again, alone, strict=True):
        np.testing.assert_array_equal(one, two)
        assert largest_relative_error(one[1:2], single) <= 1e-5


def test_read_only_strided_and_double_inputs_are_taken_and_left_as_they_were(lite0):
    pixels, layers = random_pixels(1, 3, 40, 33), ("blocks.2",)
    (wanted,) = backbones.feature_maps(pixels, lite0, "efficientnet_lite0", layers)
    channels_last = np.ascontiguousarray(pixels.astype(np.float64).transpose(0, 2, 3, 1))
    before = channels_last.copy()
    channels_last.flags.writeable = False
    frozen = {name: array.astype(np.float64) for name, array in lite0.items()}
    for array in frozen.values():
        array.flags.writeable = False
    (found,) = backbones.feature_maps(channels_last.transpose(0, 3, 1, 2), frozen, "efficientnet_lite0", layers)
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(channels_last, before)


# --- the operations ---


@given(
    length=st.integers(1, 40), kernel=st.sampled_from([1, 3, 5, 7]), stride=st.integers(1, 3), images=st.integers(1, 3)
)
def test_convolutions_agree_with_torch(length, kernel, stride, images):
    maps, other = random_pixels(images, 4, length, 9), random_pixels(6, 4, kernel, kernel, seed=1)
    single, bias = random_pixels(4, 1, kernel, kernel, seed=2), random_pixels(6, seed=3)
    for weight, groups in ((other, 1), (single, 4)):
        ours = convolve(maps, weight, bias[: len(weight)], stride=stride, depthwise=groups > 1)
        arguments = map(torch.from_numpy, (maps, weight, bias[: len(weight)]))
        theirs = torch.nn.functional.conv2d(*arguments, stride=stride, padding=kernel // 2, groups=groups)
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-4, atol=1e-4)


@given(height=st.integers(1, 20), width=st.integers(1, 20))
def test_the_largest_value_of_each_window_agrees_with_torch(height, width):
    maps = random_pixels(2, 3, height, width) - 5
    theirs = torch.nn.functional.max_pool2d(torch.from_numpy(maps), 3, 2, 1).numpy()
    np.testing.assert_array_equal(max_pool(maps, 3, 2, "symmetric"), theirs)


@given(length=st.integers(1, 500), kernel=st.sampled_from([1, 3, 5, 7]), stride=st.integers(1, 4))
def test_same_padding_keeps_the_rounded_up_share_and_puts_the_odd_zero_behind(length, kernel, stride):
    before, after = pads(length, kernel, stride, "same")
    assert length_after(length, kernel, stride, "same") == -(-length // stride)
    assert after - before in (0, 1)


def test_a_folded_batch_norm_answers_as_the_two_layers_do():
    convolution, norm = torch.nn.Conv2d(3, 5, 3, bias=False), torch.nn.BatchNorm2d(5, eps=1e-3).eval()
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.1, 3)
    torch.nn.init.normal_(norm.weight)
    pixels = torch.randn(2, 3, 8, 8)
    statistics = (norm.weight.detach(), norm.bias.detach(), norm.running_mean, norm.running_var)
    arrays = [tensor.numpy() for tensor in (convolution.weight.detach(), *statistics)]
    weight, bias = map(torch.from_numpy, fold_batch_norm(*arrays, 1e-3))
    with torch.no_grad():
        wanted = norm(convolution(pixels))
    torch.testing.assert_close(torch.nn.functional.conv2d(pixels, weight, bias), wanted, rtol=1e-4, atol=1e-5)


# --- refusals ---


def refused(error, match, *, weights=None, pixels=None, backbone="efficientnet_lite0", layers=("blocks.0",)):
    pixels = random_pixels(1, 3, 16, 16) if pixels is None else pixels
    with pytest.raises(error, match=match):
        backbones.feature_maps(pixels, weights or {}, backbone, layers)


def test_an_unknown_backbone_or_layer_is_answered_with_close_and_known_names():
    refused(InputError, r"'resnet5'.*mean 'resnet50'.*efficientnet_lite0.*wide_resnet50_2", backbone="resnet5")
    refused(InputError, r"'blocks.9'.*Did you mean.*blocks.0, blocks.0.0", layers=["blocks.9"])
    refused(InputError, r"write \['layer2'\]", backbone="resnet18", layers="layer2")
    refused(InputError, "no backbone None", backbone=None)
    refused(EmptyInputError, "no layer", layers=())


def test_weights_that_do_not_fit_are_named(lite0):
    lacking = {name: array for name, array in lite0.items() if name != "blocks.0.0.bn2.bias"}
    refused(InputError, r"lack 'blocks.0.0.bn2.bias'", weights=lacking)
    refused(ShapeError, r"'conv_stem.weight' has shape \(2, 2\)", weights=lite0 | {"conv_stem.weight": np.ones((2, 2))})
    negative = -np.ones(32, np.float32)
    refused(InputError, "variance is negative", weights=lite0 | {"bn1.running_var": negative})


@pytest.mark.parametrize(
    ("pixels", "error", "match"),
    [
        (np.zeros((3, 16, 16)), ShapeError, r"\(3, 16, 16\)"),
        (np.zeros((1, 16, 16, 3)), ShapeError, "colours stand last"),
        (np.zeros((1, 1, 16, 16)), ShapeError, r"\(images, 3, height, width\)"),
        (np.zeros((0, 3, 16, 16)), EmptyInputError, "empty"),
        (np.zeros((1, 3, 0, 16)), EmptyInputError, "empty"),
        (np.zeros((1, 3, 16, 16), complex), ShapeError, "complex"),
        (np.full((1, 3, 16, 16), np.nan), NonFiniteError, "NaN"),
        (np.full((1, 3, 16, 16), 1e300), NonFiniteError, "pixels as float32"),
    ],
)
def test_pixels_that_are_no_images_are_refused(lite0, pixels, error, match):
    refused(error, match, weights=lite0, pixels=pixels)
