"""One extractor at several sizes of the image: all maps, finest first, and at scale 1 exactly what it gives alone."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from patchcore_plugin import PatchCore, components
from patchcore_plugin.aggregators.local_mean import LocalMean
from patchcore_plugin.contracts import FeatureExtractor
from patchcore_plugin.errors import ConfigError, NonFiniteError, ShapeError, UnknownComponentError, UnknownOptionError
from patchcore_plugin.extractors.ensemble import Ensemble
from patchcore_plugin.extractors.multi_scale import MultiScale
from patchcore_plugin.extractors.numba_cnn import NumbaCnn
from patchcore_plugin.layer_listing import layer_shapes
from patchcore_plugin.planning import plan_fit

PLAIN = {"name": "numpy-cnn", "layers": ["blocks.2"]}
RESNET = {"name": "torchvision", "backbone": "resnet18", "layers": ["layer1", "layer2"], "weights": "random"}


def random_pixels(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@dataclass(frozen=True)
class Mirror:
    """An extractor whose only map is the pixels themselves, as they came."""

    layers = ("seen",)
    channels = (3,)
    strides = (1,)

    def extract(self, pixels):
        return (pixels,)


@pytest.fixture
def mirror(monkeypatch):
    monkeypatch.setattr(components, "create", lambda *_, **__: Mirror())
    return lambda *scales: MultiScale(scales=scales, of={"name": "mirror"})


def test_the_maps_of_all_scales_come_out_together_finest_first():
    part, pixels = MultiScale(), random_pixels(2, 3, 64, 96)
    assert isinstance(part, FeatureExtractor)
    assert part.layers == ("1:blocks.2", "1:blocks.4", "0.5:blocks.2", "0.5:blocks.4")
    assert part.channels == (40, 112, 40, 112)
    assert part.strides == (8, 16, 16, 32)
    assert all(isinstance(stride, int) for stride in part.strides)
    maps = part.extract(pixels)
    assert [found.shape[2:] for found in maps] == [(8, 12), (4, 6), (4, 6), (2, 3)]
    half = interpolate(torch.from_numpy(pixels), (32, 48), mode="bilinear", antialias=True).numpy()
    expected = (*NumbaCnn().extract(pixels), *NumbaCnn().extract(half))
    for found, wanted in zip(maps, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())
    assert LocalMean().aggregate(maps).shape == (2, 8, 12, sum(part.channels))


def test_scale_1_alone_is_the_extractor_itself_bit_for_bit():
    pixels = random_pixels(2, 3, 50, 70)
    alone, one = NumbaCnn(), MultiScale(scales=(1.0,))
    assert (one.channels, one.strides, one.weights_sha256) == (alone.channels, alone.strides, alone.weights_sha256)
    for found, wanted in zip(one.extract(pixels), alone.extract(pixels), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_at_scale_1_the_pixels_are_handed_on_untouched(mirror):
    pixels = torch.from_numpy(random_pixels(1, 3, 8, 8))
    assert mirror(1.0).extract(pixels)[0] is pixels


@pytest.mark.parametrize("scale", [0.25, 0.5, 2 / 3, 0.75, 1.5, 2.0])
@pytest.mark.parametrize("size", [(24, 36), (25, 31)])
def test_pixels_are_resized_as_torch_does_with_antialiasing(mirror, scale, size):
    pixels = random_pixels(2, 3, *size)
    (found,) = mirror(scale).extract(pixels)
    expected = interpolate(torch.from_numpy(pixels), found.shape[2:], mode="bilinear", antialias=True).numpy()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("scale", "size", "scaled"),
    [(0.5, (33, 32), (17, 16)), (0.55, (100, 100), (55, 55)), (0.1, (4, 3), (1, 1)), (1.5, (3, 5), (5, 8))],
)
def test_sizes_are_rounded_up_but_not_for_what_floats_add(mirror, scale, size, scaled):
    assert mirror(scale).extract(random_pixels(1, 3, *size))[0].shape[2:] == scaled


@given(size=st.tuples(st.integers(1, 70), st.integers(1, 70)), scales=st.permutations([1.0, 0.5, 0.25]))
def test_grids_shrink_along_the_layers_whatever_the_size(size, scales):
    grids = [found.shape[2:] for found in MultiScale(scales=scales).extract(random_pixels(1, 3, *size))]
    assert grids == sorted(grids, reverse=True)
    assert {column for _, column in grids[:1]} == {-(-size[1] // 8)}


def test_scales_that_give_no_whole_strides_are_put_in_order_too():
    part = MultiScale(scales=(0.75, 1.5, 2 / 3))
    assert part.layers[:2] == ("1.5:blocks.2", "0.75:blocks.2")
    assert part.strides == pytest.approx((16 / 3, 32 / 3, 32 / 3, 12, 64 / 3, 24))
    assert [type(stride) for stride in part.strides] == [float, float, float, int, float, int]
    assert len(part.extract(random_pixels(1, 3, 48, 48))) == 6


def test_maps_are_of_the_inner_extractors_kind_and_tensors_are_taken():
    part, pixels = MultiScale(of=RESNET), torch.from_numpy(random_pixels(1, 3, 64, 64))
    maps = part.extract(pixels)
    assert all(isinstance(found, torch.Tensor) for found in maps)
    assert [tuple(found.shape[1:]) for found in maps] == [(64, 16, 16), (128, 8, 8), (64, 8, 8), (128, 4, 4)]


def test_it_can_be_a_member_of_an_ensemble_and_look_through_one():
    within = Ensemble(members=({"name": "multi-scale", "of": PLAIN}, {"name": "numpy-cnn", "layers": ["blocks.4"]}))
    assert within.layers == ("multi-scale:1:blocks.2", "multi-scale:0.5:blocks.2", "efficientnet_lite0:blocks.4")
    assert len(within.extract(random_pixels(1, 3, 32, 32))) == 3
    through = MultiScale(of={"name": "ensemble", "members": [PLAIN]})
    assert through.layers == ("1:efficientnet_lite0:blocks.2", "0.5:efficientnet_lite0:blocks.2")


def test_every_option_is_written_out_and_makes_the_same_part_again():
    part = MultiScale(scales=[1, 0.5], of={"name": "numba-cnn"})
    assert part.scales == (1.0, 0.5)
    assert part.of == {
        "name": "numba-cnn",
        "backbone": "efficientnet_lite0",
        "layers": ("blocks.2", "blocks.4"),
        "weights": "package",
    }
    again = components.create("extractor", "multi-scale", scales=list(part.scales), of=dict(part.of))
    assert again == part == MultiScale()
    assert hash(again) == hash(part)
    assert len({part, MultiScale(scales=(1.0,)), MultiScale(of=PLAIN)}) == 3
    for same in (copy.deepcopy(part), pickle.loads(pickle.dumps(part))):  # noqa: S301 - our own
        assert same == part
        assert same.layers == part.layers


def test_a_detector_that_looks_at_two_scales_is_configured_planned_saved_and_loaded(tmp_path):
    config, images = tmp_path / "mine.toml", np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3), dtype=np.uint8)
    config.write_text("""
        [images]
        size = 64
        [extractor]
        name = "multi-scale"
        scales = [1, 0.5]
        [extractor.of]
        name = "numpy-cnn"
        layers = ["blocks.2"]
    """)
    detector = PatchCore.from_config(config, overrides=["sampler.name=keep-all"])
    assert plan_fit(list(images), detector, model=tmp_path / "model.safetensors").sizes.width == 80
    detector.fit(list(images)).save(tmp_path / "model.safetensors")
    loaded = PatchCore.load(tmp_path / "model.safetensors")
    assert loaded.settings.extractor.options["of"]["backbone"] == "efficientnet_lite0"
    assert loaded.bank.width == 80
    np.testing.assert_array_equal(loaded.score(list(images)).image, detector.score(list(images)).image)


def test_the_command_line_names_scales_and_the_inner_extractor():
    overrides = ["extractor.name=multi-scale", "extractor.scales=[1, 0.25]", 'extractor.of={name = "numpy-cnn"}']
    part = PatchCore.from_preset("default", overrides=overrides).parts.extractor
    assert part == MultiScale(scales=(1.0, 0.25), of={"name": "numpy-cnn"})


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"scales": ()}, ConfigError, "a list of numbers is needed"),
        ({"scales": 0.5}, ConfigError, "a list of numbers is needed"),
        ({"scales": (1.0, 0.0)}, ConfigError, r"scales has 0\.0, but numbers above 0 and at most 4"),
        ({"scales": (-1,)}, ConfigError, "scales has -1"),
        ({"scales": (4.5,)}, ConfigError, r"scales has 4\.5"),
        ({"scales": (float("nan"),)}, ConfigError, "scales has nan"),
        ({"scales": (float("inf"),)}, ConfigError, "scales has inf"),
        ({"scales": (True,)}, ConfigError, "scales has True"),
        ({"scales": ("large",)}, ConfigError, "scales has 'large'"),
        ({"scales": (1, 0.5, 1.0)}, ConfigError, r"\[1\.0, 0\.5, 1\.0\] has a number twice"),
        ({"of": "numba-cnn"}, ConfigError, "of is 'numba-cnn', but a table with a name"),
        ({"of": {"backbone": "resnet18"}}, ConfigError, "a table with a name"),
        ({"of": {"name": "numba-cmm"}}, UnknownComponentError, "Did you mean 'numba-cnn'"),
        ({"of": {"name": "numba-cnn", "layer": []}}, UnknownOptionError, "Did you mean 'layers'"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_at_once(options, error, match):
    with pytest.raises(error, match=match):
        MultiScale(**options)


def test_an_extractor_that_does_not_tell_its_strides_is_refused(monkeypatch):
    class Silent:
        layers, channels = ("a",), (3,)

        def extract(self, pixels):
            return (pixels,)

    monkeypatch.setattr(components, "create", lambda *_, **__: Silent())
    with pytest.raises(ConfigError, match="of, 'silent', does not tell the strides"):
        MultiScale(of={"name": "silent"})


def test_an_image_that_is_too_small_at_a_scale_is_refused_with_the_scale_and_what_to_do():
    deep = {"name": "torchvision", "backbone": "inception_v3", "layers": ["Mixed_5b"], "weights": "random"}
    told = (
        r"at scale 0\.25 images of 32 x 32 pixels become 8 x 8, which 'torchvision' refuses: inception_v3 .*"
        r"Or leave that scale out of extractor\.scales\."
    )
    with pytest.raises(ShapeError, match=told):
        MultiScale(scales=(0.25,), of=deep).extract(random_pixels(1, 3, 32, 32))


def test_an_extractor_that_rounds_grids_down_is_refused_where_the_order_breaks():
    layers = ["features.pool0", "features.transition1"]
    part = MultiScale(of={**RESNET, "backbone": "densenet121", "layers": layers})
    told = r"0\.5:features\.pool0 has a grid of 8 x 8, finer than the 7 x 7 of 1:.*multiples of 8 at every scale"
    with pytest.raises(ShapeError, match=told):
        part.extract(random_pixels(1, 3, 57, 57))


@pytest.mark.parametrize("scales", [(1.0,), (0.5,), (1.0, 0.5)])
@pytest.mark.parametrize(
    ("pixels", "error"),
    [
        (np.zeros((3, 32, 32)), ShapeError),
        (np.zeros((1, 32, 32, 3)), ShapeError),
        (np.full((1, 3, 32, 32), np.nan), NonFiniteError),
    ],
)
def test_bad_pixels_are_refused_at_every_scale(scales, pixels, error):
    with pytest.raises(error):
        MultiScale(scales=scales).extract(pixels)


def test_layers_of_a_backbone_are_listed_by_the_extractors_that_have_one():
    with pytest.raises(ConfigError, match="'multi-scale' cannot list the layers"):
        layer_shapes("multi-scale", "resnet18")


def test_no_torch_is_loaded():
    code = (
        "import sys, numpy; from patchcore_plugin.extractors.multi_scale import MultiScale;"
        "MultiScale(of={'name': 'numpy-cnn'}).extract(numpy.zeros((1, 3, 32, 32)));"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
