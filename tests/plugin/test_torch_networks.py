"""The maps are those that torchvision's and timm's own forward passes give: convolutions, tokens, channels last."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
import torchvision
from torch_files import saved
from torchvision.models.feature_extraction import create_feature_extractor

from patchcore_plugin.errors import ConfigError, ShapeError
from patchcore_plugin.extractors.numba_cnn import NumbaCnn
from patchcore_plugin.extractors.numpy_cnn import NumpyCnn
from patchcore_plugin.extractors.timm_backbone import Timm, TimmBackbone
from patchcore_plugin.extractors.torch_survey import survey
from patchcore_plugin.extractors.torchvision_backbone import Torchvision, TorchvisionBackbone


def random_pixels(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def assert_close(found, wanted, tolerance=1e-5):
    assert len(found) == len(wanted)
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.shape == theirs.shape
        assert (ours - theirs).abs().max() <= tolerance * theirs.abs().max()


@pytest.fixture
def saved_weights(tmp_path):
    """Save a network whose batch norms do something, and return the path."""

    def save(network):
        for name, buffer in network.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.uniform_(0.5, 1.5)
        path = tmp_path / "weights.pth"
        path.write_bytes(saved(network.eval().state_dict()))
        return path

    return save


# --- torchvision ---


@pytest.mark.parametrize(
    ("backbone", "layers", "size"),
    [
        ("resnet18", ("relu", "layer1.0", "layer2", "layer3.1", "layer4"), (97, 130)),
        ("squeezenet1_1", ("features.3", "features.7"), (97, 64)),
    ],
)
def test_torchvisions_networks_give_what_their_own_forward_pass_gives(saved_weights, backbone, layers, size):
    network = torchvision.models.get_model(backbone, weights=None)
    part = TorchvisionBackbone(backbone=backbone, layers=layers, weights=saved_weights(network), device="cpu")
    pixels = random_pixels(2, 3, *size)
    with torch.no_grad():
        wanted = create_feature_extractor(network, list(layers))(torch.from_numpy(pixels))
    maps = part.extract(pixels)
    assert_close(maps, [wanted[layer] for layer in layers])
    assert part.channels == tuple(m.shape[1] for m in maps)


def test_wide_resnet50_gives_what_its_own_layers_give():
    part = TorchvisionBackbone(weights="random", device="cpu")
    network, pixels = part.library.initial("wide_resnet50_2", 0), random_pixels(1, 3, 64, 64)
    with torch.no_grad():
        stem = network.maxpool(network.relu(network.bn1(network.conv1(torch.from_numpy(pixels)))))
        layer2 = network.layer2(network.layer1(stem))
        wanted = (layer2, network.layer3(layer2))
    assert_close(part.extract(pixels), wanted)
    assert (part.layers, part.channels, part.strides) == (("layer2", "layer3"), (512, 1024), (8, 16))


def test_what_a_layer_gave_is_kept_before_an_activation_in_place_overwrites_it(saved_weights):
    network = torchvision.models.resnet18(weights=None)
    part = TorchvisionBackbone(
        backbone="resnet18", layers=("bn1", "layer1.0.bn1"), weights=saved_weights(network), device="cpu"
    )
    pixels = random_pixels(1, 3, 40, 56)
    with torch.no_grad():
        before = network.bn1(network.conv1(torch.from_numpy(pixels)))
        block = network.layer1[0]
        wanted = (before, block.bn1(block.conv1(network.maxpool(before.relu()))))
    maps = part.extract(pixels)
    assert_close(maps, wanted)
    assert all((m < 0).any() for m in maps)


class SmallTorchvision(Torchvision):
    """torchvision's transformers, as small as tests need them."""

    def names(self):
        return ("vit", "swin")

    def size(self, backbone):
        return (64, 64)

    def build(self, backbone):
        if backbone == "swin":
            return torchvision.models.SwinTransformer([4, 4], 24, [2, 2], [2, 4], [7, 7], stochastic_depth_prob=0.1)
        return torchvision.models.VisionTransformer(64, 8, num_layers=3, num_heads=2, hidden_dim=32, mlp_dim=64)


class SmallBackbone(TorchvisionBackbone):
    library = SmallTorchvision()


def test_patch_tokens_of_torchvisions_transformer_are_maps_without_the_class_token():
    layer = "encoder.layers.encoder_layer_1"
    part = SmallBackbone(backbone="vit", layers=(layer,), weights="random", device="cpu")
    network, pixels = part.library.initial("vit", 0), random_pixels(2, 3, 64, 64)
    with torch.no_grad():
        tokens = create_feature_extractor(network, [layer])(torch.from_numpy(pixels))[layer]
    (found,) = part.extract(pixels)
    assert found.shape == (2, 32, 8, 8)
    for y, x in [(0, 0), (0, 6), (3, 5)]:
        assert_close([found[:, :, y, x]], [tokens[:, 1 + 8 * y + x]])
    with pytest.raises(ShapeError, match="vit cannot take images of 64 x 96 pixels: Wrong image width"):
        part.extract(random_pixels(1, 3, 64, 96))


def test_torchvisions_channels_last_maps_are_turned():
    layers = ("features.0.0", "features.1", "features.3")  # a convolution among them, whose channels come first
    part = SmallBackbone(backbone="swin", layers=layers, weights="random", device="cpu")
    network, pixels = part.library.initial("swin", 0), random_pixels(1, 3, 96, 64)
    with torch.no_grad():
        wanted = create_feature_extractor(network, list(layers))(torch.from_numpy(pixels))
    wanted = [wanted[layer] if layer == layers[0] else wanted[layer].permute(0, 3, 1, 2) for layer in layers]
    assert_close(part.extract(pixels), wanted)
    assert part.channels == (24, 24, 48)


# --- timm ---


@pytest.mark.parametrize("backbone", ["test_resnet", "test_convnext", "test_efficientnet", "test_mambaout"])
def test_timms_networks_give_what_timm_takes_as_features(saved_weights, backbone):
    network = timm.create_model(backbone)
    taken = network.feature_info[:3]
    layers = tuple(layer["module"] for layer in taken)
    part = TimmBackbone(backbone=backbone, layers=layers, weights=saved_weights(network), device="cpu")
    pixels = random_pixels(2, 3, 64, 96)
    with torch.no_grad():
        outputs = create_feature_extractor(network, list(layers))(torch.from_numpy(pixels))
    turned = backbone == "test_mambaout"
    assert_close(
        part.extract(pixels), [outputs[name].permute(0, 3, 1, 2) if turned else outputs[name] for name in layers]
    )
    assert part.channels == tuple(layer["num_chs"] for layer in taken)
    assert part.strides == tuple(layer["reduction"] for layer in taken)


@pytest.mark.parametrize("size", [(160, 160), (96, 128)])
@pytest.mark.parametrize("backbone", ["test_vit", "test_vit3", "test_vit4"])
def test_patch_tokens_of_timms_transformers_are_maps_without_class_and_register_tokens(saved_weights, backbone, size):
    network = timm.create_model(backbone, num_classes=0)
    weights = saved_weights(network)
    network.set_input_size(img_size=size)
    pixels = random_pixels(2, 3, *size)
    with torch.no_grad():
        wanted = network.forward_intermediates(
            torch.from_numpy(pixels), indices=[1, 3], output_fmt="NCHW", intermediates_only=True
        )
    assert wanted[0].shape[2:] == (size[0] // 16, size[1] // 16)
    part = TimmBackbone(backbone=backbone, layers=("blocks.1", "blocks.3"), weights=weights, device="cpu")
    assert_close(part.extract(pixels), wanted)


def test_a_transformer_that_would_not_see_the_border_is_refused():
    part = TimmBackbone(backbone="vit_tiny_patch16_224", layers=("blocks.1",), weights="random", device="cpu")
    with pytest.raises(ConfigError, match="4 x 5 patches and would not see what is left at the border"):
        part.extract(random_pixels(1, 3, 64, 90))


def test_sizes_take_turns_without_disturbing_each_other():
    part = TimmBackbone(backbone="test_vit", layers=("blocks.1",), weights="random", device="cpu")
    small, large = random_pixels(1, 3, 64, 96), random_pixels(1, 3, 160, 160)
    first = [part.extract(pixels)[0] for pixels in (small, large)]
    again = [part.extract(pixels)[0] for pixels in (small, large)]
    assert all(map(torch.equal, first, again))


@pytest.mark.parametrize("backbone", ["efficientnet_lite0", "tf_efficientnet_lite0"])
def test_packaged_weights_give_the_maps_of_the_extractors_that_need_no_torch(backbone):
    settings = {"backbone": backbone, "layers": ("blocks.1", "blocks.2", "blocks.4", "blocks.6")}
    pixels = random_pixels(1, 3, 97, 130)
    found = TimmBackbone(**settings, device="cpu").extract(pixels)
    for plain in (NumpyCnn(**settings), NumbaCnn(**settings)):
        assert_close(found, [torch.from_numpy(m) for m in plain.extract(pixels)], 1e-4)
        assert plain.weights_sha256 == TimmBackbone(**settings).weights_sha256


# --- the dry run knows what the networks are like ---

TORCHVISION = [
    ("alexnet", "features.2"), ("convnext_tiny", "features.3"), ("densenet121", "features.denseblock2"),
    ("efficientnet_b0", "features.3"), ("googlenet", "inception4a"), ("inception_v3", "Mixed_5d"),
    ("maxvit_t", "blocks.1"), ("mnasnet0_5", "layers.9"), ("regnet_y_400mf", "trunk_output.block2"),
    ("swin_v2_t", "features.3"), ("vgg11_bn", "features.14"), ("vit_b_16", "encoder.layers.encoder_layer_5"),
]  # fmt: skip
TIMM = [
    ("beit_base_patch16_224", "blocks.5"), ("cait_xxs24_224", "blocks.5"), ("coatnet_0_rw_224", "stages.1"),
    ("hrnet_w18", "layer1"), ("mixer_b16_224", "blocks.5"), ("pvt_v2_b0", "stages.1"),
    ("swin_tiny_patch4_window7_224", "layers.1"), ("vit_small_patch14_reg4_dinov2.lvd142m", "blocks.5"),
    ("wide_resnet50_2.racm_in1k", "layer3"), ("xcit_nano_12_p8_224", "blocks.5"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("library", "backbone", "layer"),
    [(Torchvision(), *names) for names in TORCHVISION] + [(Timm(), *names) for names in TIMM],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_family_has_layers_with_maps_that_have_the_images_proportions(library, backbone, layer):
    found = survey(library, backbone, library.size(backbone))
    assert found.failure == ""
    assert layer in set(found.prominent())
    layout = found.layout(layer)
    assert layout.grid[0] == layout.grid[1]
    assert layout.channels >= 16
    assert 4 <= found.size[0] / layout.grid[0] <= 20


def test_windows_attention_heads_and_classifiers_are_no_maps():
    found = survey(Timm(), "swin_tiny_patch4_window7_224", (224, 224))
    assert "fits no grid" in found.refused["layers.0.blocks.0.attn"]
    found = survey(Torchvision(), "resnet18", (64, 64))
    assert "fits no grid" in found.refused["fc"]
    assert "gives a " in survey(Timm(), "hrnet_w18", (224, 224)).refused["stage2"]
