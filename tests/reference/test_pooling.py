"""Image scores of several patches: the mean of the highest, smoothed or not, held to what can be said of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from patchcore_reference.errors import EmptyInputError, NonFiniteError, ShapeError
from patchcore_reference.pooling import pooled_scores

GRIDS = arrays.arrays(
    np.float32, st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9)), elements=st.floats(0, 100, width=32)
)


@given(scores=GRIDS)
def test_with_both_at_zero_it_is_the_worst_patch(scores):
    np.testing.assert_array_equal(pooled_scores(scores), scores.max(axis=(1, 2)))


@given(scores=GRIDS, share=st.floats(0, 1))
def test_a_share_is_the_mean_of_that_many_of_the_highest_patches(scores, share):
    count = max(1, round(share * scores[0].size))
    expected = [np.mean(sorted(image.ravel().astype(float))[-count:]) for image in scores]
    np.testing.assert_allclose(pooled_scores(scores, top_share=share), expected, rtol=1e-12)


@given(scores=GRIDS, sigma=st.floats(0.3, 3))
def test_smoothing_is_a_gaussian_that_never_leaves_the_range_of_the_scores(scores, sigma):
    found = pooled_scores(scores, sigma=sigma)
    expected = [ndimage.gaussian_filter(image.astype(float), sigma).max() for image in scores]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert (found <= scores.max(axis=(1, 2)).astype(float) * (1 + 1e-9) + 1e-12).all()


def test_a_faint_line_is_found_before_a_bright_point_once_scores_are_smoothed():
    point, line = np.zeros((2, 20, 20))
    point[10, 10], line[10] = 3, 2
    assert np.argmax(pooled_scores(np.stack([point, line]))) == 0
    assert np.argmax(pooled_scores(np.stack([point, line]), sigma=1)) == 1
    assert np.argmax(pooled_scores(np.stack([point, line]), top_share=0.05)) == 1


def test_images_do_not_influence_each_other():
    scores = np.random.default_rng(0).random((5, 7, 6))
    alone = [pooled_scores(one[None], top_share=0.1, sigma=1.5)[0] for one in scores]
    np.testing.assert_array_equal(pooled_scores(scores, top_share=0.1, sigma=1.5), alone)


@pytest.mark.parametrize(
    ("scores", "options", "error"),
    [
        (np.ones((3, 3)), {}, ShapeError),
        (np.ones((1, 0, 3)), {}, EmptyInputError),
        (np.full((1, 2, 2), np.nan), {}, NonFiniteError),
        (np.ones((1, 2, 2)), {"top_share": 1.1}, ShapeError),
        (np.ones((1, 2, 2)), {"top_share": True}, ShapeError),
        (np.ones((1, 2, 2)), {"sigma": -1}, ShapeError),
        (np.ones((1, 2, 2)), {"sigma": np.inf}, ShapeError),
    ],
)
def test_what_cannot_be_pooled_is_refused(scores, options, error):
    with pytest.raises(error):
        pooled_scores(scores, **options)
