"""The aggregators by torch, and adaptive-mean: what the reference gives, as tensors on the device."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from patchcore_plugin.aggregators import torch_adaptive_mean
from patchcore_plugin.aggregators.adaptive_mean import AdaptiveMean
from patchcore_plugin.aggregators.local_mean import LocalMean
from patchcore_plugin.aggregators.torch_adaptive_mean import TorchAdaptiveMean
from patchcore_plugin.aggregators.torch_local_mean import TorchLocalMean
from patchcore_plugin.contracts import Aggregator
from patchcore_plugin.errors import ConfigError, EmptyInputError, NonFiniteError, ShapeError
from patchcore_plugin.torch_layers import resize_bilinear
from patchcore_reference.adaptive_mean import adaptive_mean
from patchcore_reference.resize import resize_bilinear as plain_resize

SMALL = {"layer_width": 11, "width": 13}
TORCH = [TorchLocalMean(device="cpu"), TorchAdaptiveMean(**SMALL, device="cpu")]
EVERY = [*TORCH, AdaptiveMean(**SMALL)]


@st.composite
def layers(draw):
    """Feature maps of one to three layers, each on a grid no finer than the one before, of any scale and type."""
    random, images = np.random.default_rng(draw(st.integers(0, 10**6))), draw(st.integers(1, 3))
    height, width, maps = draw(st.integers(1, 12)), draw(st.integers(1, 12)), []
    scale = 10.0 ** draw(st.integers(-6, 6))
    for _ in range(draw(st.integers(1, 3))):
        maps.append(scale * random.uniform(0.1, 1, (images, draw(st.integers(1, 7)), height, width)))
        height, width = draw(st.integers(1, height)), draw(st.integers(1, width))
    kind = draw(st.sampled_from([np.float32, np.float64]))
    return [layer.astype(kind) for layer in maps]


def random_maps(*shapes, seed=0):
    random = np.random.default_rng(seed)
    return [random.standard_normal(shape).astype(np.float32) for shape in shapes]


def held_to(found, wanted):
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-5, atol=0)


@given(maps=layers(), radius=st.integers(0, 3), border=st.sampled_from(["zero", "valid"]))
def test_local_means_are_those_of_the_reference(maps, radius, border):
    settings = {"patch_size": 2 * radius + 1, "border": border}
    held_to(TorchLocalMean(**settings).aggregate(maps), LocalMean(**settings).aggregate(maps))


@given(maps=layers(), radius=st.integers(0, 2), layer_width=st.integers(1, 60), width=st.integers(1, 80))
def test_adaptive_means_are_those_of_the_reference(maps, radius, layer_width, width):
    settings = {"patch_size": 2 * radius + 1, "layer_width": layer_width, "width": width}
    wanted = adaptive_mean(maps, *settings.values())
    held_to(TorchAdaptiveMean(**settings).aggregate(maps), wanted)
    np.testing.assert_array_equal(AdaptiveMean(**settings).aggregate(maps), wanted)


@given(maps=layers(), size=st.tuples(st.integers(1, 300), st.integers(1, 300)))
def test_resizing_is_that_of_the_reference_on_grids_of_any_size(maps, size):
    found = resize_bilinear(torch.from_numpy(maps[0]), size).numpy()
    np.testing.assert_allclose(found, plain_resize(maps[0], size), rtol=1e-6)


def test_the_official_widths_are_the_default():
    assert AdaptiveMean() == AdaptiveMean(patch_size=3, layer_width=1024, width=1024)
    assert TorchAdaptiveMean() == TorchAdaptiveMean(patch_size=3, layer_width=1024, width=1024, device="auto")


@pytest.mark.parametrize("values", [1, 1000, 10**9])
def test_how_many_images_are_laid_out_at_a_time_does_not_decide(monkeypatch, values):
    maps = random_maps((5, 4, 6, 7), (5, 3, 3, 4))
    wanted = TorchAdaptiveMean(**SMALL).aggregate(maps)
    monkeypatch.setattr(torch_adaptive_mean, "_VALUES", values)
    assert torch.equal(TorchAdaptiveMean(**SMALL).aggregate(maps), wanted)


@pytest.mark.parametrize("part", EVERY, ids=repr)
def test_an_image_does_not_depend_on_its_batch(part):
    maps = random_maps((4, 3, 8, 8), (4, 2, 4, 4))
    alone = part.aggregate([layer[2:3] for layer in maps])
    np.testing.assert_array_equal(part.aggregate(maps)[2:3], alone)


@pytest.mark.parametrize("part", EVERY, ids=repr)
def test_arrays_and_tensors_of_any_layout_are_taken_and_left_alone(part):
    maps = random_maps((2, 3, 6, 5), (2, 2, 3, 3))
    wanted = np.asarray(part.aggregate(maps))
    for layer in maps:
        layer.flags.writeable = False
    last = [np.ascontiguousarray(layer.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) for layer in maps]
    tensors = [torch.tensor(layer).to(memory_format=torch.channels_last) for layer in maps]
    before = [tensor.clone() for tensor in tensors]
    for same in (maps, last, tensors):
        np.testing.assert_allclose(part.aggregate(same), wanted, rtol=1e-6, atol=1e-7)
    assert all(map(torch.equal, tensors, before))


@pytest.mark.parametrize("part", TORCH, ids=repr)
def test_half_precision_maps_are_averaged_in_float32(part):
    for kind in (torch.float16, torch.bfloat16):
        maps = [torch.from_numpy(layer).to(kind) for layer in random_maps((1, 3, 6, 5), (1, 2, 3, 3))]
        assert torch.equal(part.aggregate(maps), part.aggregate([layer.float() for layer in maps]))


@pytest.mark.parametrize("part", TORCH, ids=repr)
def test_settings_of_the_program_are_left_alone_and_change_nothing(part):
    maps = [torch.from_numpy(layer).requires_grad_() for layer in random_maps((1, 3, 6, 5), (1, 2, 3, 3))]
    wanted = part.aggregate(maps)
    assert not wanted.requires_grad
    torch.set_default_dtype(torch.float64)
    try:
        with torch.autocast("cpu"), torch.device("meta"):
            assert torch.equal(part.aggregate(maps), wanted)
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("part", EVERY, ids=repr)
def test_they_keep_their_contract_and_cannot_be_changed(part):
    assert isinstance(part, Aggregator)
    with pytest.raises(dataclasses.FrozenInstanceError):
        part.patch_size = 5


@pytest.mark.parametrize("make", [TorchLocalMean, TorchAdaptiveMean, AdaptiveMean])
@pytest.mark.parametrize("size", [2, 0, True, 3.0])
def test_a_neighbourhood_without_a_middle_is_refused(make, size):
    with pytest.raises(ConfigError, match=f"patch_size is {size}"):
        make(patch_size=size)


@pytest.mark.parametrize("make", [TorchAdaptiveMean, AdaptiveMean])
@pytest.mark.parametrize("settings", [{"layer_width": 0}, {"width": 2.5}, {"width": True}])
def test_widths_that_mean_nothing_are_refused(make, settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        make(**settings)


def test_an_unknown_border_is_refused():
    with pytest.raises(ConfigError, match="border is 'mirror'"):
        TorchLocalMean(border="mirror")


@pytest.mark.parametrize("part", EVERY, ids=repr)
@pytest.mark.parametrize(
    ("maps", "error", "words"),
    [
        ([], EmptyInputError, "no feature maps"),
        ([np.ones((3, 3))], ShapeError, r"maps\[0\] has shape \(3, 3\)"),
        ([np.ones((0, 1, 3, 3))], EmptyInputError, "empty"),
        (random_maps((1, 2, 4, 4), (2, 2, 4, 4)), ShapeError, r"maps\[1\] holds 2 image"),
        (random_maps((1, 2, 4, 4), (1, 2, 4, 5)), ShapeError, "finest layer first"),
        ([np.full((1, 1, 2, 2), np.inf)], NonFiniteError, r"maps\[0\].*\[0, 0, 0, 0\]"),
    ],
)
def test_maps_that_cannot_be_joined_are_refused(part, maps, error, words):
    with pytest.raises(error, match=words):
        part.aggregate(maps)


@given(maps=layers(), weights=st.lists(st.floats(0.1, 10), min_size=3, max_size=3))
def test_weighted_layers_are_those_of_the_plain_part(maps, weights):
    weights = tuple(weights[: len(maps)])
    found = TorchLocalMean(device="cpu", layer_weights=weights).aggregate(maps)
    expected = LocalMean(layer_weights=weights).aggregate(maps)
    unit = np.abs(expected).max(axis=(0, 1, 2), keepdims=True)
    np.testing.assert_allclose(found.numpy() / unit, expected / unit, atol=1e-5)


@pytest.mark.parametrize("part", [LocalMean, TorchLocalMean])
def test_a_weight_of_no_use_is_refused_when_the_part_is_made_and_a_missing_one_when_it_works(part):
    with pytest.raises(ConfigError, match=r"weight is 0\.0"):
        part(layer_weights=(1.0, 0.0))
    with pytest.raises(ShapeError, match="2 weights for 1 layer"):
        part(layer_weights=(1.0, 2.0)).aggregate([np.ones((1, 2, 4, 4), np.float32)])
