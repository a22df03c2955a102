"""Averages over runs of patch values, held to the official scheme computed literally by torch."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from patchcore_reference.adaptive_mean import adaptive_mean, parts
from patchcore_reference.errors import EmptyInputError, NonFiniteError, ShapeError


def literally(maps, patch_size, layer_width, width):
    """Lay all patches out, resize every plane of them, average each layer, stack the layers, average again."""
    images, _, *grid = maps[0].shape
    averages = []
    for layer in map(torch.from_numpy, maps):
        patches = torch.nn.functional.unfold(layer, patch_size, padding=patch_size // 2)
        planes = patches.reshape(images, -1, *layer.shape[2:])
        planes = torch.nn.functional.interpolate(planes, grid, mode="bilinear", align_corners=False)
        runs = planes.permute(0, 2, 3, 1).reshape(images * grid[0] * grid[1], 1, -1)
        averages.append(torch.nn.functional.adaptive_avg_pool1d(runs, layer_width).squeeze(1))
    stacked = torch.stack(averages, dim=1).reshape(len(averages[0]), 1, -1)
    return torch.nn.functional.adaptive_avg_pool1d(stacked, width).reshape(images, *grid, width).numpy()


def random_maps(*shapes, seed=0):
    random = np.random.default_rng(seed)
    return [random.standard_normal(shape).astype(np.float32) for shape in shapes]


@given(
    images=st.integers(1, 3),
    channels=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    grid=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    radius=st.integers(0, 2),
    layer_width=st.integers(1, 40),
    width=st.integers(1, 90),
    seed=st.integers(0, 1000),
)
def test_embeddings_are_those_of_the_official_scheme(images, channels, grid, radius, layer_width, width, seed):
    shapes = [
        (images, wide, max(1, grid[0] >> halved), max(1, grid[1] >> halved)) for halved, wide in enumerate(channels)
    ]
    maps, size = random_maps(*shapes, seed=seed), 2 * radius + 1
    found = adaptive_mean(maps, size, layer_width, width)
    np.testing.assert_allclose(found, literally(maps, size, layer_width, width), rtol=1e-5, atol=2e-6)


def test_layers_of_a_wide_resnet_become_1024_values():
    maps = random_maps((1, 512, 8, 8), (1, 1024, 4, 4))
    found = adaptive_mean(maps)
    assert (found.shape, found.dtype) == ((1, 8, 8, 1024), np.float32)
    np.testing.assert_allclose(found, literally(maps, 3, 1024, 1024), rtol=1e-5, atol=1e-6)


@given(length=st.integers(1, 200), count=st.integers(1, 300))
def test_parts_are_those_of_torch(length, count):
    values = torch.arange(length, dtype=torch.float64)[None, None]
    pooled = torch.nn.functional.adaptive_avg_pool1d(values, count)[0, 0].numpy()
    np.testing.assert_allclose([np.arange(start, stop).mean() for start, stop in parts(length, count)], pooled)


def test_values_run_channel_by_channel_and_row_by_row():
    maps = np.arange(18, dtype=np.float32).reshape(1, 2, 3, 3)
    middle = adaptive_mean([maps], 3, layer_width=18, width=18)[0, 1, 1]
    np.testing.assert_array_equal(middle, np.arange(18))


def test_each_half_of_an_embedding_is_of_one_layer():
    maps = [np.ones((1, 5, 4, 4), np.float32), np.full((1, 9, 4, 4), 3, np.float32)]
    middle = adaptive_mean(maps, 3, layer_width=8, width=8)[0, 1, 1]
    np.testing.assert_array_equal(middle, [1, 1, 1, 1, 3, 3, 3, 3])


def test_an_image_does_not_depend_on_its_batch():
    maps = random_maps((4, 3, 6, 5), (4, 2, 3, 2))
    alone = adaptive_mean([layer[2:3] for layer in maps], 3, 7, 9)
    np.testing.assert_array_equal(adaptive_mean(maps, 3, 7, 9)[2:3], alone)


def test_patches_are_never_laid_out():
    """One layer's patches of one image, nine times the layer, would take 21 MB in float64."""
    maps = random_maps((2, 256, 34, 34))
    tracemalloc.start()
    adaptive_mean(maps, 3, 64, 64)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 8 * maps[0][0].size


def test_the_maps_that_came_in_are_not_changed():
    (maps,) = random_maps((1, 2, 4, 4))
    maps.flags.writeable = False
    before = maps.copy()
    adaptive_mean([maps], 3, 4, 4)
    np.testing.assert_array_equal(maps, before)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ((2, 4, 4), "patch_size is 2"),
        ((3, 0, 4), "layer_width is 0"),
        ((3, 4, True), "width is True"),
        ((3, 2.5, 4), "layer_width is 2.5"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, words):
    with pytest.raises(ShapeError, match=words):
        adaptive_mean(random_maps((1, 2, 4, 4)), *settings)


@pytest.mark.parametrize(
    ("maps", "error"),
    [
        ([], EmptyInputError),
        (random_maps((1, 2, 4)), ShapeError),
        (random_maps((1, 2, 4, 4), (2, 2, 4, 4)), ShapeError),
        (random_maps((1, 2, 4, 4), (1, 2, 5, 4)), ShapeError),
        ([np.full((1, 1, 2, 2), np.nan)], NonFiniteError),
    ],
)
def test_maps_that_cannot_be_joined_are_refused(maps, error):
    with pytest.raises(error):
        adaptive_mean(maps)
