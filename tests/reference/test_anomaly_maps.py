"""Anomaly maps: where a score lands in the image, and what the blur must leave alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from patchcore_reference.anomaly_maps import anomaly_map
from patchcore_reference.errors import EmptyInputError, NonFiniteError, ShapeError
from patchcore_reference.resize import resize_bilinear, resize_nearest


def test_a_map_has_the_size_of_the_image_and_one_map_belongs_to_each_image():
    scores = np.random.default_rng(0).random((3, 4, 5))
    maps = anomaly_map(scores, (32, 50))
    assert maps.shape == (3, 32, 50)
    assert maps.dtype == np.float32
    np.testing.assert_array_equal(maps[1], anomaly_map(scores[1], (32, 50)))


drawings = st.fixed_dictionaries(
    {"resize": st.sampled_from(["bilinear", "nearest"]), "border": st.sampled_from(["symmetric", "reflect"])}
)


@given(value=st.floats(1e-6, 1e6), sigma=st.sampled_from([0.0, 0.5, 4.0]), how=drawings)
def test_a_constant_stays_constant_up_to_the_edge(value, sigma, how):
    maps = anomaly_map(np.full((3, 4), value), (20, 30), sigma, **how)
    np.testing.assert_allclose(maps, value, rtol=1e-6)


@given(seed=st.integers(0, 1000), sigma=st.floats(0, 6), how=drawings)
def test_no_value_leaves_the_range_of_the_scores(seed, sigma, how):
    scores = np.random.default_rng(seed).random((5, 6)).astype(np.float32)
    maps = anomaly_map(scores, (40, 48), sigma, **how)
    assert scores.min() - 1e-5 <= maps.min() <= maps.max() <= scores.max() + 1e-5


def test_a_single_bright_patch_is_bright_in_its_own_place():
    scores = np.zeros((9, 9))
    scores[3, 5] = 1
    blurred = anomaly_map(scores, (72, 72))
    np.testing.assert_allclose(ndimage.center_of_mass(blurred), [3 * 8 + 3.5, 5 * 8 + 3.5], atol=1e-3)
    assert blurred.sum() == pytest.approx(64, rel=1e-4)


def test_without_sigma_nothing_is_blurred():
    scores = np.random.default_rng(0).random((4, 4))
    np.testing.assert_array_equal(anomaly_map(scores, (16, 16), 0), resize_bilinear(scores, (16, 16)))
    np.testing.assert_array_equal(anomaly_map(scores, (16, 16), 0, resize="nearest"), resize_nearest(scores, (16, 16)))


def test_the_blur_is_the_one_of_the_official_code():
    scores = np.random.default_rng(0).random((7, 7)).astype(np.float32)
    expected = ndimage.gaussian_filter(resize_bilinear(scores, (56, 56)), sigma=4)
    np.testing.assert_allclose(anomaly_map(scores, (56, 56), 4), expected, rtol=1e-6)


@pytest.mark.parametrize(("border", "mode"), [("symmetric", "symmetric"), ("reflect", "reflect")])
def test_the_words_for_the_border_mean_what_they_mean_to_numpy(border, mode):
    scores = np.random.default_rng(0).random((5, 6)).astype(np.float32)
    large = resize_bilinear(scores, (40, 48))
    inside = anomaly_map(np.pad(large, 30, mode=mode), (100, 108), 4)[30:-30, 30:-30]
    np.testing.assert_allclose(anomaly_map(large, (40, 48), 4, border=border), inside, rtol=1e-5)


def test_the_two_borders_differ_where_they_should():
    scores = np.random.default_rng(0).random((5, 6))
    one, other = (anomaly_map(scores, (80, 96), 2, border=border) for border in ("symmetric", "reflect"))
    np.testing.assert_array_equal(one[9:-9, 9:-9], other[9:-9, 9:-9])
    assert (one[0] != other[0]).any()


@pytest.mark.parametrize("how", [{"resize": "cubic"}, {"border": "mirror"}])
def test_a_word_that_is_not_known_is_answered_with_those_that_are(how):
    ((name, word),) = how.items()
    with pytest.raises(ShapeError, match=f"{name} is '{word}', but one of '"):
        anomaly_map(np.ones((2, 2)), (4, 4), **how)


@pytest.mark.parametrize("sigma", [-1, float("nan"), float("inf"), True])
def test_a_sigma_that_is_no_width_is_refused(sigma):
    with pytest.raises(ShapeError, match="sigma"):
        anomaly_map(np.ones((2, 2)), (4, 4), sigma)


@pytest.mark.parametrize(
    ("scores", "error"),
    [(np.ones(4), ShapeError), (np.ones((0, 2)), EmptyInputError), (np.full((2, 2), np.nan), NonFiniteError)],
)
def test_scores_that_make_no_map_are_refused(scores, error):
    with pytest.raises(error):
        anomaly_map(scores, (4, 4))
