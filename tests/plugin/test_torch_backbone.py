"""Extractors that run networks of torch: the contract's laws, whatever the library, the caller and the input."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from patchcore_plugin import components
from patchcore_plugin.contracts import FeatureExtractor
from patchcore_plugin.errors import ConfigError, EmptyInputError, NonFiniteError, ShapeError, WeightsError
from patchcore_plugin.extractors import torch_backbone
from patchcore_plugin.extractors.timm_backbone import TimmBackbone
from patchcore_plugin.extractors.torchvision_backbone import TorchvisionBackbone

# One of each kind: residual and convolutional, a transformer's tokens, channels last, packaged weights.
KINDS = {
    "resnet18": TorchvisionBackbone(backbone="resnet18", weights="random", device="cpu"),
    "vit": TimmBackbone(backbone="test_vit", layers=("blocks.1", "blocks.4"), weights="random", device="cpu"),
    "mambaout": TimmBackbone(backbone="test_mambaout", layers=("stages.0", "stages.1"), weights="random", device="cpu"),
    "lite": TimmBackbone(device="cpu"),
}
EACH = pytest.mark.parametrize("part", KINDS.values(), ids=KINDS)
RESNET = KINDS["resnet18"]


def random_pixels(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def assert_close(found, wanted, tolerance=1e-4):
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.shape == theirs.shape
        assert (ours - theirs).abs().max() <= tolerance * theirs.abs().max()


def assert_same_bits(found, wanted):
    for ours, theirs in zip(found, wanted, strict=True):
        assert torch.equal(ours, theirs)


@pytest.fixture
def network_of(monkeypatch):
    """Look behind the curtain: the network a part runs, which no caller can reach."""

    def look(part):
        seen = []
        fill = torch_backbone.filled_network
        torch_backbone._loaded.cache_clear()
        monkeypatch.setattr(torch_backbone, "filled_network", lambda *args: seen.append(fill(*args)) or seen[0])
        part.extract(random_pixels(1, 3, 64, 64))
        return seen[0]

    yield look
    torch_backbone._loaded.cache_clear()


# --- what comes out ---


@EACH
def test_it_is_a_feature_extractor_whose_maps_are_as_it_says(part):
    assert isinstance(part, FeatureExtractor)
    maps = part.extract(random_pixels(2, 3, 64, 96))
    for found, channels, stride in zip(maps, part.channels, part.strides, strict=True):
        assert found.shape == (2, channels, 64 // stride, 96 // stride)
        assert found.dtype == torch.float32
        assert found.is_contiguous()
        assert found.device == torch.device("cpu")


@EACH
def test_an_image_does_not_depend_on_its_batch_nor_on_its_place_in_it(part):
    pixels = random_pixels(3, 3, 64, 96)
    batch = part.extract(pixels)
    assert_close([m[1:2] for m in batch], part.extract(pixels[1:2]))
    assert_close([m.flip(0) for m in batch], part.extract(pixels[::-1]))


@EACH
def test_twice_gives_the_same_bits_and_leaves_earlier_results_alone(part):
    pixels = random_pixels(2, 3, 64, 64)
    first = part.extract(pixels)
    kept = [m.clone() for m in first]
    part.extract(pixels * 3)
    assert_same_bits(first, kept)
    assert_same_bits(part.extract(pixels), kept)


@EACH
def test_maps_are_ordinary_tensors_that_may_be_written_to_and_carry_no_gradients(part):
    pixels = torch.from_numpy(random_pixels(1, 3, 64, 64)).requires_grad_()
    before = pixels.detach().clone()
    for found in part.extract(pixels):
        assert not found.is_inference()
        assert not found.requires_grad
        found += 1
        assert (found * torch.ones((), requires_grad=True)).requires_grad
    assert pixels.requires_grad
    assert pixels.grad is None
    assert torch.equal(pixels.detach(), before)


def test_a_layer_that_hands_on_its_input_gives_a_copy():
    pixels = torch.from_numpy(random_pixels(1, 3, 160, 160))
    maps = TimmBackbone(backbone="test_vit", layers=("pos_drop", "norm_pre"), weights="random", device="cpu").extract(
        pixels
    )
    assert torch.equal(*maps)
    assert maps[0].data_ptr() != maps[1].data_ptr()


def test_read_only_strided_double_and_torch_pixels_are_taken_and_left_as_they_were():
    pixels = random_pixels(1, 3, 40, 33)
    wanted = RESNET.extract(pixels)
    double = np.ascontiguousarray(pixels[:, :, ::-1].astype(np.float64))
    double.flags.writeable = False
    before = double.copy()
    channels_last = torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last)
    for same in (double[:, :, ::-1], torch.from_numpy(pixels.copy()), channels_last, pixels.tolist()):
        assert_same_bits(RESNET.extract(same), wanted)
    np.testing.assert_array_equal(double, before)


@pytest.mark.parametrize(
    ("pixels", "error"),
    [
        (np.zeros((3, 16, 16)), ShapeError),
        (np.zeros((1, 16, 16, 3)), ShapeError),
        (np.zeros((0, 3, 16, 16)), EmptyInputError),
        (np.full((1, 3, 16, 16), np.inf), NonFiniteError),
        (torch.full((1, 3, 16, 16), torch.nan), NonFiniteError),
        (np.full((1, 3, 16, 16), 1e300), NonFiniteError),
        (np.zeros((1, 3, 16, 16), dtype=bool), ShapeError),
        ("pixels", ShapeError),
    ],
)
def test_pixels_that_are_no_images_are_refused_before_any_weight_is_read(pixels, error):
    with pytest.raises(error):
        TorchvisionBackbone(weights="/absent.pth", device="cpu").extract(pixels)


# --- how the network is run ---


def test_what_stands_behind_the_last_layer_never_runs(network_of):
    part = TorchvisionBackbone(backbone="resnet18", layers=("layer1", "layer2.0"), weights="random", device="cpu")
    network, ran = network_of(part), []
    for name, module in network.named_modules():
        module.register_forward_hook(lambda *_, name=name: ran.append(name))
    part.extract(random_pixels(1, 3, 32, 32))
    assert {"conv1", "layer1.1.conv2", "layer1"} <= set(ran)
    assert not [name for name in ran if name.startswith(("layer2.1", "layer3", "layer4", "avgpool", "fc"))]


def test_calls_change_neither_the_weights_nor_the_running_means_nor_the_number_of_hooks(network_of):
    network = network_of(RESNET)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    hooks = [len(module._forward_hooks) for module in network.modules()]
    for _ in range(3):
        RESNET.extract(random_pixels(2, 3, 32, 32))
    assert hooks == [len(module._forward_hooks) for module in network.modules()]
    assert not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_the_callers_training_autocast_and_inference_mode_change_nothing_and_are_left_as_they_are():
    pixels = random_pixels(1, 3, 64, 64)
    wanted = RESNET.extract(pixels)
    with torch.enable_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert_same_bits(RESNET.extract(pixels), wanted)
        assert torch.is_autocast_enabled("cpu")
        assert torch.is_grad_enabled()
    with torch.inference_mode():
        assert_same_bits(RESNET.extract(pixels), wanted)
        assert torch.is_inference_mode_enabled()


@pytest.mark.parametrize("backbone", ["resnet18", "googlenet", "swin_v2_t"])
def test_building_and_running_leaves_torchs_global_state_alone(backbone):
    torch_backbone._loaded.cache_clear()
    state = torch.random.get_rng_state()
    settings = (torch.get_default_dtype(), torch.get_num_threads(), torch.backends.cudnn.benchmark)
    layer = {"resnet18": "layer1", "googlenet": "inception3a", "swin_v2_t": "features.1"}[backbone]
    part = TorchvisionBackbone(backbone=backbone, layers=(layer,), weights="random", seed=5, device="cpu")
    part.extract(random_pixels(1, 3, 64, 64))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert settings == (torch.get_default_dtype(), torch.get_num_threads(), torch.backends.cudnn.benchmark)
    assert torch.is_grad_enabled()


def test_threads_may_share_a_part():
    batches = [random_pixels(1, 3, 32, 32) * scale for scale in range(1, 9)]
    wanted = [RESNET.extract(pixels) for pixels in batches]
    with ThreadPoolExecutor(4) as pool:
        for found, expected in zip(pool.map(RESNET.extract, batches), wanted, strict=True):
            assert_close(found, expected)


def test_a_pass_that_fails_leaves_nothing_behind(network_of, monkeypatch):
    part = dataclasses.replace(RESNET, layers=("layer1", "layer2"))
    network, pixels = network_of(part), random_pixels(1, 3, 32, 32)
    wanted = part.extract(pixels)
    with monkeypatch.context() as broken:
        broken.setattr(network.layer2[1], "forward", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            part.extract(pixels * 2)
    assert_same_bits(part.extract(pixels), wanted)


@EACH
def test_bfloat16_is_close_to_float32_and_gives_float32(part):
    pixels = random_pixels(1, 3, 64, 64)
    rough = dataclasses.replace(part, dtype="bfloat16").extract(pixels)
    for found, exact in zip(rough, part.extract(pixels), strict=True):
        assert found.dtype == torch.float32
        assert not torch.equal(found, exact)
        assert torch.cosine_similarity(found.flatten(), exact.flatten(), dim=0) > 0.999


def test_float16_is_close_to_float32_and_says_when_it_overflows():
    part, pixels = dataclasses.replace(RESNET, dtype="float16"), random_pixels(1, 3, 64, 64)
    assert_close(part.extract(pixels), RESNET.extract(pixels), 1e-2)
    with pytest.raises(NonFiniteError, match=r"layer2 gives values beyond float16.*bfloat16"):
        part.extract(pixels * 6e4)


@EACH
def test_channels_last_gives_the_same_maps_in_the_same_layout(part):
    pixels = random_pixels(2, 3, 64, 96)
    found = dataclasses.replace(part, channels_last=True).extract(pixels)
    assert_close(found, part.extract(pixels))
    assert all(m.is_contiguous() for m in found)


# --- settings ---


@EACH
def test_a_part_is_a_small_value_that_can_be_copied_pickled_and_compared(part):
    pixels = random_pixels(1, 3, 64, 64)
    wanted = part.extract(pixels)
    carried = pickle.dumps(part)
    assert len(carried) < 1000
    for same in (copy.deepcopy(part), pickle.loads(carried)):  # noqa: S301 - our own
        assert same == part
        assert hash(same) == hash(part)
        assert_same_bits(same.extract(pixels), wanted)
    with pytest.raises(dataclasses.FrozenInstanceError):
        part.layers = ()


def test_parts_are_created_by_name_with_lists_as_files_have_them():
    part = components.create("extractor", "torchvision", backbone="resnet18", layers=["layer1"], weights="random")
    assert part == TorchvisionBackbone(backbone="resnet18", layers=("layer1",), weights="random")
    assert components.create("extractor", "timm") == TimmBackbone()


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"backbone": "resnet19"}, r"torchvision has no backbone 'resnet19'\. Did you mean 'resnet1"),
        ({"backbone": ["resnet18"]}, "has no backbone"),
        ({"backbone": "fcn_resnet50"}, "has no backbone"),
        ({"layers": ("layer2", "layer5")}, r"no layer of resnet18 'layer5'\. Did you mean .*layer3\.1"),
        ({"layers": ()}, "no layer of resnet18 is asked for"),
        ({"layers": "layer2"}, "a list of names is needed"),
        ({"layers": [3]}, "no layer of resnet18 3"),
        ({"layers": ("layer3", "layer2")}, r"not ordered .* Write \['layer2', 'layer3'\]"),
        ({"layers": ("layer2", "layer2.1")}, "same map of resnet18 twice"),
        ({"layers": ("layer2", "layer2")}, "same map of resnet18 twice"),
        ({"layers": ("fc",)}, r"'fc' of resnet18 gives a tensor of shape \('B', 1000\)"),
        ({"layers": ("layer1.0.relu",)}, "runs 2 times for one image"),
        ({"weights": None}, "weights is None"),
        ({"weights": ""}, "weights is ''"),
        ({"dtype": "float64"}, "dtype is 'float64', but one of float32, bfloat16, float16"),
        ({"device": "tpu"}, "device is 'tpu'"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": True}, "seed is True"),
        ({"sha256": "abc"}, "64 hexadecimal digits"),
        ({"sha256": "not hexadecimal"}, "64 hexadecimal digits"),
        ({"channels_last": "yes"}, "true or false"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_at_once(settings, match):
    with pytest.raises(ConfigError, match=match):
        TorchvisionBackbone(**{"backbone": "resnet18"} | settings)


def test_without_weights_it_says_which_ones_to_give():
    with pytest.raises(WeightsError, match=r"no package carries weights for 'wide_resnet50_2'.*file.*'hub'"):
        TorchvisionBackbone(device="cpu").extract(random_pixels(1, 3, 32, 32))
