"""Layers joined: which patch and which channel stands where."""

from __future__ import annotations

import numpy as np
import pytest

from patchcore_reference.embeddings import join_layers
from patchcore_reference.errors import EmptyInputError, NonFiniteError, ShapeError
from patchcore_reference.resize import resize_bilinear


def random_maps(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_each_channel_stands_in_the_order_of_the_layers_at_its_own_patch():
    fine, coarse = random_maps(2, 3, 4, 6), random_maps(2, 5, 2, 3, seed=1)
    joined = join_layers([fine, coarse])
    assert joined.shape == (2, 4, 6, 8)
    assert joined.dtype == np.float32
    np.testing.assert_array_equal(joined[1, 3, 2, :3], fine[1, :, 3, 2])
    np.testing.assert_array_equal(joined[..., 3:], resize_bilinear(coarse, (4, 6)).transpose(0, 2, 3, 1))


def test_a_single_layer_is_only_turned_around():
    maps = random_maps(1, 2, 3, 5)
    np.testing.assert_array_equal(join_layers([maps]), maps.transpose(0, 2, 3, 1))


def test_an_image_does_not_depend_on_its_batch():
    fine, coarse = random_maps(3, 2, 4, 4), random_maps(3, 2, 2, 2, seed=1)
    alone = join_layers([fine[1:2], coarse[1:2]])
    np.testing.assert_array_equal(join_layers([fine, coarse])[1:2], alone)


@pytest.mark.parametrize(
    ("maps", "error", "words"),
    [
        ([], EmptyInputError, "at least one layer"),
        ([np.ones((1, 1, 2, 2)), np.ones((2, 1, 2, 2))], ShapeError, r"maps\[1\] holds 2 image"),
        ([np.ones((1, 1, 2, 2)), np.ones((1, 1, 4, 4))], ShapeError, "finest layer first"),
        ([np.ones((1, 1, 4, 2)), np.ones((1, 1, 2, 4))], ShapeError, "finest layer first"),
        ([np.ones((1, 1, 2, 2)), np.full((1, 1, 1, 1), np.nan)], NonFiniteError, r"maps\[1\]"),
        ([np.ones((1, 2, 2))], ShapeError, r"maps\[0\]"),
    ],
)
def test_layers_that_do_not_fit_are_refused(maps, error, words):
    with pytest.raises(error, match=words):
        join_layers(maps)


def test_a_weight_multiplies_its_layer_alone():
    maps = [np.random.default_rng(0).standard_normal((2, c, n, n)).astype(np.float32) for c, n in ((3, 8), (5, 4))]
    plain, weighted = join_layers(maps), join_layers(maps, (1.0, 2.0))
    np.testing.assert_array_equal(weighted, plain * np.repeat(np.float32([1, 2]), [3, 5]))


@pytest.mark.parametrize("weights", [(1.0,), (1.0, 1.0, 1.0), (1.0, 0.0), (1.0, -1.0), (1.0, np.nan), (1.0, True)])
def test_weights_that_are_not_one_above_zero_for_each_layer_are_refused(weights):
    with pytest.raises(ShapeError, match="weight"):
        join_layers([np.ones((1, 2, 4, 4), np.float32)] * 2, weights)
