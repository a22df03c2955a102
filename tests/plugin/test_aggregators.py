"""The aggregator: local means of each layer, joined on the finest grid."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from patchcore_plugin.aggregators.local_mean import LocalMean
from patchcore_plugin.contracts import Aggregator
from patchcore_plugin.errors import ConfigError, ShapeError


def random_maps(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def with_torch(maps, size):
    """The same by torch: pooling with zeros, bilinear interpolation, channels last."""
    pooled = [torch.nn.functional.avg_pool2d(torch.from_numpy(layer), size, 1, size // 2) for layer in maps]
    grids = [torch.nn.functional.interpolate(layer, pooled[0].shape[2:], mode="bilinear") for layer in pooled]
    return torch.cat(grids, dim=1).permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize("size", [1, 3, 5])
def test_embeddings_are_those_of_torch(size):
    maps = [random_maps(2, 5, 14, 10), random_maps(2, 7, 7, 5, seed=1)]
    np.testing.assert_allclose(LocalMean(patch_size=size).aggregate(maps), with_torch(maps, size), rtol=1e-4, atol=1e-5)


def test_it_is_an_aggregator_with_the_defaults_of_both_public_implementations():
    assert isinstance(LocalMean(), Aggregator)
    assert LocalMean() == LocalMean(patch_size=3, border="zero")


def test_the_valid_border_keeps_a_constant_map_constant():
    maps = [np.ones((1, 2, 6, 6), np.float32), np.ones((1, 1, 3, 3), np.float32)]
    np.testing.assert_array_equal(LocalMean(border="valid").aggregate(maps), np.ones((1, 6, 6, 3)))
    assert LocalMean(border="zero").aggregate(maps)[0, 0, 0, 0] == pytest.approx(4 / 9)


def test_an_image_does_not_depend_on_its_batch():
    maps = [random_maps(4, 3, 8, 8), random_maps(4, 2, 4, 4, seed=1)]
    alone = LocalMean().aggregate([layer[2:3] for layer in maps])
    np.testing.assert_array_equal(LocalMean().aggregate(maps)[2:3], alone)


def test_tensors_are_taken_as_they_are():
    maps = random_maps(1, 2, 4, 4)
    np.testing.assert_array_equal(LocalMean().aggregate([torch.from_numpy(maps)]), LocalMean().aggregate([maps]))


@pytest.mark.parametrize("settings", [{"patch_size": 2}, {"patch_size": 0}, {"patch_size": True}, {"border": "mirror"}])
def test_settings_that_mean_nothing_are_refused_when_they_are_made(settings):
    with pytest.raises(ConfigError, match="aggregator local-mean"):
        LocalMean(**settings)


def test_settings_cannot_be_changed_afterwards():
    with pytest.raises(dataclasses.FrozenInstanceError):
        LocalMean().patch_size = 5


def test_maps_of_the_wrong_shape_are_refused():
    with pytest.raises(ShapeError, match=r"\(3, 3\)"):
        LocalMean().aggregate([np.ones((3, 3))])
