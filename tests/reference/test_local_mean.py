"""Neighbourhood means, held to torch's average pooling and to arithmetic done by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from patchcore_reference.errors import EmptyInputError, NonFiniteError, ShapeError
from patchcore_reference.local_mean import local_mean


@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 9), st.integers(1, 9)),
    radius=st.integers(0, 3),
    border=st.sampled_from(["zero", "valid"]),
    seed=st.integers(0, 1000),
)
def test_means_are_those_of_torch_pooling(shape, radius, border, seed):
    maps = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    size = 2 * radius + 1
    expected = torch.nn.functional.avg_pool2d(
        torch.from_numpy(maps), size, 1, radius, count_include_pad=border == "zero"
    ).numpy()
    np.testing.assert_allclose(local_mean(maps, size, border), expected, rtol=1e-5, atol=1e-6)


def test_a_constant_map_stays_constant_inside_its_valid_border():
    maps = np.full((2, 3, 5, 4), 0.1, dtype=np.float32)
    np.testing.assert_array_equal(local_mean(maps, 3, "valid"), maps)


def test_a_zero_border_darkens_edges_and_corners():
    means = local_mean(np.ones((1, 1, 4, 5), dtype=np.float32), 3, "zero")[0, 0]
    np.testing.assert_allclose([means[1, 2], means[0, 2], means[0, 0]], [1, 6 / 9, 4 / 9], rtol=1e-7)


def test_one_bright_cell_spreads_evenly_around_itself_and_into_no_other_channel_or_image():
    maps = np.zeros((2, 2, 5, 7), dtype=np.float32)
    maps[1, 0, 2, 4] = 9
    expected = np.zeros_like(maps)
    expected[1, 0, 1:4, 3:6] = 1
    np.testing.assert_array_equal(local_mean(maps), expected)


def test_a_patch_of_one_cell_changes_nothing():
    maps = np.random.default_rng(0).standard_normal((1, 2, 3, 4)).astype(np.float32)
    np.testing.assert_array_equal(local_mean(maps, 1), maps)


def test_the_maps_that_came_in_are_not_changed():
    maps = np.ones((1, 1, 3, 3), dtype=np.float32)
    maps.flags.writeable = False
    local_mean(maps)
    assert (maps == 1).all()


@pytest.mark.parametrize("patch_size", [0, 2, -3, 3.0, True, "3"])
def test_a_patch_without_a_middle_cell_is_refused(patch_size):
    with pytest.raises(ShapeError, match="odd whole number"):
        local_mean(np.ones((1, 1, 3, 3)), patch_size)


@pytest.mark.parametrize(
    ("maps", "error", "words"),
    [
        (np.ones((3, 3)), ShapeError, "images, channels, height, width"),
        (np.ones((1, 0, 3, 3)), EmptyInputError, "empty"),
        (np.full((1, 1, 2, 2), np.nan), NonFiniteError, "NaN"),
        (np.ones((1, 1, 2, 2), dtype=complex), ShapeError, "real numbers"),
    ],
)
def test_maps_that_cannot_be_averaged_are_refused(maps, error, words):
    with pytest.raises(error, match=words):
        local_mean(maps)


def test_an_unknown_border_is_refused():
    with pytest.raises(ShapeError, match="'zero' and 'valid'"):
        local_mean(np.ones((1, 1, 3, 3)), 3, "mirror")
