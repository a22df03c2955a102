"""Several extractors as one: all maps, finest first, ready for one aggregator; no torch unless a member needs it."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from patchcore_plugin import PatchCore, components
from patchcore_plugin.aggregators.local_mean import LocalMean
from patchcore_plugin.contracts import FeatureExtractor
from patchcore_plugin.errors import ConfigError, ShapeError, UnknownComponentError, UnknownOptionError, WeightsError
from patchcore_plugin.extractors.ensemble import Ensemble
from patchcore_plugin.extractors.numba_cnn import NumbaCnn
from patchcore_plugin.extractors.numpy_cnn import NumpyCnn
from patchcore_plugin.extractors.torchvision_backbone import TorchvisionBackbone

LITES = tuple({"name": "numba-cnn", "backbone": f"efficientnet_lite{number}"} for number in (0, 1, 2))
RESNET = {"name": "torchvision", "backbone": "resnet18", "layers": ["layer1", "layer2"], "weights": "random"}


def random_pixels(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_three_packaged_networks_give_all_their_maps_finest_first():
    part, pixels = Ensemble(), random_pixels(2, 3, 64, 96)
    assert part == Ensemble(members=LITES)
    assert isinstance(part, FeatureExtractor)
    assert part.layers == (
        *(f"efficientnet_lite{number}:blocks.2" for number in (0, 1, 2)),
        *(f"efficientnet_lite{number}:blocks.4" for number in (0, 1, 2)),
    )
    assert part.channels == (40, 40, 48, 112, 112, 120)
    assert part.strides == (8, 8, 8, 16, 16, 16)
    maps = part.extract(pixels)
    alone = [NumbaCnn(backbone=member["backbone"]).extract(pixels) for member in LITES]
    for place, found in enumerate(maps):
        np.testing.assert_array_equal(found, alone[place % 3][place // 3])
    assert LocalMean().aggregate(maps).shape == (2, 8, 12, sum(part.channels))


def test_members_of_other_libraries_and_grids_are_joined():
    part = Ensemble(members=({"name": "numpy-cnn", "layers": ["blocks.2"]}, RESNET))
    assert part.layers == ("resnet18:layer1", "efficientnet_lite0:blocks.2", "resnet18:layer2")
    pixels = random_pixels(1, 3, 64, 64)
    resnet = TorchvisionBackbone(backbone="resnet18", layers=("layer1", "layer2"), weights="random").extract(pixels)
    lite = NumpyCnn(layers=("blocks.2",)).extract(pixels)
    for found, wanted in zip(part.extract(pixels), (resnet[0], lite[0], resnet[1]), strict=True):
        assert type(found) is type(wanted)
        np.testing.assert_array_equal(
            np.asarray(torch.as_tensor(found).cpu()), np.asarray(torch.as_tensor(wanted).cpu())
        )
    assert LocalMean().aggregate(part.extract(pixels)).shape == (1, 16, 16, 64 + 40 + 128)


def test_every_option_of_every_member_is_written_out_and_makes_the_same_part_again():
    part = Ensemble(members=(LITES[0], RESNET))
    assert part.members[0] == {**LITES[0], "layers": ("blocks.2", "blocks.4"), "weights": "package"}
    assert part.members[1]["seed"] == 0
    again = components.create("extractor", "ensemble", members=[dict(member) for member in part.members])
    assert again == part
    assert hash(again) == hash(part)
    for same in (copy.deepcopy(part), pickle.loads(pickle.dumps(part))):  # noqa: S301 - our own
        assert same == part
        assert same.layers == part.layers


def test_a_detector_with_an_ensemble_is_configured_saved_and_loaded(tmp_path):
    written = """
        [images]
        size = 64
        [extractor]
        name = "ensemble"
        [[extractor.members]]
        name = "numpy-cnn"
        layers = ["blocks.2"]
        [[extractor.members]]
        name = "numpy-cnn"
        backbone = "efficientnet_lite1"
        layers = ["blocks.2"]
    """
    config, images = tmp_path / "mine.toml", np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3), dtype=np.uint8)
    config.write_text(written)
    detector = PatchCore.from_config(config, overrides=["sampler.name=keep-all"]).fit(list(images))
    assert detector.bank.width == 80
    detector.save(tmp_path / "model.safetensors")
    loaded = PatchCore.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.score(list(images)).image, detector.score(list(images)).image)


def test_the_checksum_changes_with_each_members():
    whole = Ensemble(members=LITES[:2]).weights_sha256
    assert whole == Ensemble(members=LITES[:2]).weights_sha256
    assert len({whole, Ensemble(members=LITES[1:]).weights_sha256, Ensemble(members=LITES).weights_sha256}) == 3


def test_one_backbone_with_two_kinds_of_weights_keeps_its_layers_apart():
    part = Ensemble(members=(RESNET, {**RESNET, "seed": 1}))
    assert part.layers == ("resnet18:layer1", "resnet18#2:layer1", "resnet18:layer2", "resnet18#2:layer2")


def test_grids_that_are_rounded_differently_are_refused_with_what_to_do():
    part = Ensemble(members=({**RESNET, "backbone": "densenet121", "layers": ["features.transition1"]}, LITES[0]))
    with pytest.raises(
        ShapeError, match=r"lite0:blocks\.2 has a grid of 13 x 13, finer than the 12 x 12 of densenet121"
    ):
        part.extract(random_pixels(1, 3, 97, 97))


@pytest.mark.parametrize(
    ("members", "error", "match"),
    [
        ((), ConfigError, "a list of extractors is needed"),
        ("numba-cnn", ConfigError, "a list of extractors is needed"),
        (("numba-cnn",), ConfigError, r"members\[0\] is 'numba-cnn', but a table with a name"),
        (({"backbone": "resnet18"},), ConfigError, r"members\[0\].* a table with a name"),
        (({"name": "numba-cmm"},), UnknownComponentError, "Did you mean 'numba-cnn'"),
        (({"name": "numba-cnn", "layer": []},), UnknownOptionError, "Did you mean 'layers'"),
        (({"name": "numba-cnn", "layers": ["blocks.9"]},), ConfigError, "no layer of efficientnet_lite0 'blocks.9'"),
        ((LITES[0], LITES[1], dict(LITES[0])), ConfigError, r'"efficientnet_lite0".* is twice in members'),
    ],
)
def test_members_that_cannot_be_used_are_refused_at_once(members, error, match):
    with pytest.raises(error, match=match):
        Ensemble(members=members)


def test_a_member_that_does_not_tell_its_strides_is_refused(monkeypatch):
    @dataclass(frozen=True)
    class Silent:
        layers = ("a",)
        channels = (3,)

        def extract(self, pixels):
            return (pixels,)

    monkeypatch.setattr(components, "create", lambda *_, **__: Silent())
    with pytest.raises(ConfigError, match=r"members\[0\], 'silent', does not tell the strides"):
        Ensemble(members=({"name": "silent"},))


def test_a_member_without_weights_says_so():
    with pytest.raises(WeightsError, match="no package carries weights for 'resnet18'"):
        Ensemble(members=(LITES[0], {**RESNET, "weights": "package"})).extract(random_pixels(1, 3, 64, 64))


def test_no_torch_is_loaded():
    code = (
        "import sys, numpy; from patchcore_plugin.extractors.ensemble import Ensemble;"
        "Ensemble(members=({'name': 'numpy-cnn'},)).extract(numpy.zeros((1, 3, 32, 32)));"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
