"""Resizing, held to torch and to what must survive it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from patchcore_reference.errors import EmptyInputError, NonFiniteError, ShapeError
from patchcore_reference.resize import resize_bilinear, resize_nearest

sides = st.integers(1, 12)
BOTH = pytest.mark.parametrize("resize", [resize_bilinear, resize_nearest])


@given(height=sides, width=sides, to_height=sides, to_width=sides, seed=st.integers(0, 1000))
def test_values_are_those_of_torch_without_antialiasing(height, width, to_height, to_width, seed):
    maps = np.random.default_rng(seed).standard_normal((2, 3, height, width)).astype(np.float32)
    size = (to_height, to_width)
    expected = torch.nn.functional.interpolate(torch.from_numpy(maps), size, mode="bilinear", align_corners=False)
    np.testing.assert_allclose(resize_bilinear(maps, size), expected.numpy(), rtol=1e-4, atol=2e-5)


@given(height=sides, width=sides, down=st.sampled_from([1, 2, 4, 8, 16]), seed=st.integers(0, 1000))
def test_nearest_cells_are_those_of_torch_for_the_strides_of_networks(height, width, down, seed):
    maps = np.random.default_rng(seed).standard_normal((2, 3, height, width)).astype(np.float32)
    size = (height * down, width * 8)
    expected = torch.nn.functional.interpolate(torch.from_numpy(maps), size, mode="nearest")
    np.testing.assert_array_equal(resize_nearest(maps, size), expected.numpy())


@given(side=sides, to_side=st.integers(1, 90))
def test_each_place_shows_the_cell_that_its_edge_is_in(side, to_side):
    """Two cells drawn on 82 places meet at the 41st; torch rounds 2/82 and lets them meet one later."""
    cells = [int(Fraction(i, to_side) * side) for i in range(to_side)]
    np.testing.assert_array_equal(resize_nearest(np.arange(side)[None], (1, to_side))[0], cells)


@given(value=st.floats(-1e30, 1e30), side=sides, to_side=sides)
def test_a_constant_stays_the_same_bits(value, side, to_side):
    maps = np.full((side, 3), value, dtype=np.float32)
    assert (resize_bilinear(maps, (to_side, 5)) == np.float32(value)).all()


def test_a_ramp_stays_a_ramp_between_the_outermost_middles():
    ramp = resize_bilinear(np.arange(8.0)[None], (1, 16))[0]
    np.testing.assert_allclose(ramp[1:-1], np.arange(1, 15) / 2 - 0.25, rtol=1e-6)
    assert (ramp[0], ramp[-1]) == (0, 7)


@given(seed=st.integers(0, 1000), size=st.tuples(sides, sides))
def test_no_value_leaves_the_range_of_the_map(seed, size):
    maps = np.random.default_rng(seed).standard_normal((4, 5)).astype(np.float32)
    resized = resize_bilinear(maps, size)
    assert resized.dtype == np.float32
    assert maps.min() <= resized.min() <= resized.max() <= maps.max()


@BOTH
def test_the_same_size_changes_nothing(resize):
    maps = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)
    resized = resize(maps, (3, 4))
    np.testing.assert_array_equal(resized, maps)
    assert resized.dtype == np.float32


@BOTH
@pytest.mark.parametrize(
    ("maps", "error", "words"),
    [
        (np.ones(3), ShapeError, "height, width"),
        (np.ones((0, 3)), EmptyInputError, "empty"),
        (np.full((2, 2), np.inf), NonFiniteError, "infinite"),
        (np.array([["a", "b"]]), ShapeError, "real numbers"),
    ],
)
def test_maps_that_cannot_be_resized_are_refused(resize, maps, error, words):
    with pytest.raises(error, match=words):
        resize(maps, (2, 2))


@BOTH
@pytest.mark.parametrize("size", [(0, 2), (2, -1), (2.0, 2), (2,), (True, 2)])
def test_a_size_that_is_none_is_refused(resize, size):
    with pytest.raises(ShapeError, match="two whole numbers"):
        resize(np.ones((2, 2)), size)
