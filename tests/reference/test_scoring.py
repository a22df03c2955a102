"""Image scores: Eq. 6 and 7, their bounds, and the probes on which wrong readings of them differ."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from patchcore_reference.errors import EmptyInputError, NonFiniteError, ShapeError, TooFewRowsError, WidthMismatchError
from patchcore_reference.scoring import farthest_patch, image_scores, neighborhood_weight, patch_scores, reweighted


def straight_from_the_paper(patches, bank, neighbors):
    """Eq. 6 and 7 as they are printed, for distances small enough for exp."""
    to_bank = cdist(patches, bank)
    patch = to_bank.min(axis=1).argmax()
    nearest = to_bank[patch].argmin()
    around = cdist(bank[[nearest]], bank)[0].argsort(kind="stable")[:neighbors]
    s_star = to_bank[patch, nearest]
    return (1 - np.exp(s_star) / np.exp(to_bank[patch, around]).sum()) * s_star


@given(seed=st.integers(0, 10_000), neighbors=st.integers(2, 9))
def test_scores_are_those_of_the_printed_formula(seed, neighbors):
    random = np.random.default_rng(seed)
    images, bank = random.standard_normal((3, 6, 4)), random.standard_normal((9, 4))
    expected = [straight_from_the_paper(patches, bank, neighbors) for patches in images]
    np.testing.assert_allclose(image_scores(images, bank, neighbors), expected, rtol=1e-12)


def test_one_neighbor_means_the_distance_of_the_farthest_patch():
    images, bank = np.array([[[0.0], [5.0]], [[1.0], [1.5]]]), np.array([[0.0], [1.0]])
    np.testing.assert_array_equal(image_scores(images, bank), [4, 0.5])


def test_the_neighbours_are_those_of_the_bank_row_and_the_distances_those_of_the_patch():
    """Row 0 is nearest to the patch. Its own neighbour is row 1; the patch's second nearest is row 2."""
    patch, bank = np.array([[[0.0, 0.0]]]), np.array([[2.0, 0.0], [3.5, 0.0], [-2.5, 0.0], [0.0, 9.0], [0.0, -9.0]])
    expected = 2 * (1 - np.exp(2) / (np.exp(2) + np.exp(3.5)))
    wrong = 2 * (1 - np.exp(2) / (np.exp(2) + np.exp(2.5)))
    (score,) = image_scores(patch, bank, neighbors=2)
    assert score == pytest.approx(expected, rel=1e-12)
    assert score != pytest.approx(wrong, rel=1e-3)


@given(
    distances=st.lists(st.floats(0, 1e4), min_size=1, max_size=12),
    scale=st.sampled_from([1e-3, 1.0, 1e4]),
)
def test_a_score_lies_between_its_bounds_and_never_overflows(distances, scale):
    support = scale * np.array(sorted(distances))
    s_star, b = support[0], len(support)
    score = reweighted(s_star, support)
    assert (1 - 1 / b) * s_star * (1 - 1e-12) <= score <= s_star


@given(distance=st.floats(0, 1e4), b=st.integers(2, 20))
def test_equally_far_neighbours_give_the_lower_bound(distance, b):
    assert reweighted(distance, np.full(b, distance)) == pytest.approx((1 - 1 / b) * distance, rel=1e-12)


def test_a_single_neighbour_is_not_re_weighted_where_the_formula_would_give_zero():
    assert reweighted(3.5, np.array([3.5])) == 3.5


def test_more_neighbours_than_rows_are_cut_to_the_bank():
    random = np.random.default_rng(0)
    images, bank = random.standard_normal((2, 3, 2)), random.standard_normal((4, 2))
    np.testing.assert_array_equal(image_scores(images, bank, 99), image_scores(images, bank, 4))


@given(seed=st.integers(0, 1000))
def test_an_image_is_scored_for_itself_and_the_order_of_patches_and_rows_does_not_matter(seed):
    random = np.random.default_rng(seed)
    images, bank = random.standard_normal((3, 5, 4)), random.standard_normal((12, 4))
    scores = image_scores(images, bank, 3)
    alone = np.concatenate([image_scores(image[None], bank, 3) for image in images])
    shuffled = image_scores(images[:, random.permutation(5)], bank[random.permutation(12)], 3)
    np.testing.assert_array_equal(scores, alone)
    np.testing.assert_allclose(scores, shuffled, rtol=1e-12)


def test_patches_that_are_all_in_the_bank_score_zero():
    bank = np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32)
    np.testing.assert_array_equal(image_scores(bank[None, :5], bank, 3), [0])


def test_equally_far_patches_are_answered_by_the_lower_one():
    assert farthest_patch(np.array([1.0, 3.0, 2.0, 3.0])) == 1


@given(distances=st.lists(st.floats(0, 1e6), min_size=1))
def test_the_farthest_patch_is_the_farthest(distances):
    assume(distances)
    assert distances[farthest_patch(np.array(distances))] == max(distances)


def test_no_images_get_no_scores():
    assert image_scores(np.empty((0, 4, 2)), np.ones((3, 2))).shape == (0,)


def test_a_patch_scores_as_the_mean_over_its_neighbours_of_distances_or_of_their_squares():
    distances = np.array([[1.0, 3.0], [0.0, 0.5]], dtype=np.float32)
    np.testing.assert_array_equal(patch_scores(distances), [2, 0.25])
    np.testing.assert_array_equal(patch_scores(distances, "squared"), [5, 0.125])


@given(distances=st.lists(st.floats(0, 2.0**100, width=32), min_size=1))
def test_one_neighbour_leaves_distances_as_they_are_and_squares_never_overflow(distances):
    column = np.array(distances, dtype=np.float32)[:, None]
    np.testing.assert_array_equal(patch_scores(column), column[:, 0])
    np.testing.assert_array_equal(patch_scores(column, "squared"), column[:, 0].astype(np.float64) ** 2)


@given(seed=st.integers(0, 1000), k=st.integers(1, 9), distance=st.sampled_from(["euclidean", "squared"]))
def test_an_image_without_re_weighting_scores_as_its_worst_patch(seed, k, distance):
    random = np.random.default_rng(seed)
    images, bank = random.standard_normal((2, 6, 4)), random.standard_normal((9, 4))
    nearest = np.sort(np.stack([cdist(patches, bank) for patches in images]), axis=-1)[..., :k]
    expected = (nearest ** (2 if distance == "squared" else 1)).mean(axis=-1).max(axis=-1)
    np.testing.assert_allclose(image_scores(images, bank, patch_neighbors=k, distance=distance), expected, rtol=1e-12)


@given(seed=st.integers(0, 1000), b=st.integers(2, 9))
def test_squares_are_re_weighted_by_the_weight_of_the_distances(seed, b):
    random = np.random.default_rng(seed)
    images, bank = random.standard_normal((2, 6, 4)), random.standard_normal((9, 4))
    s_star = image_scores(images, bank)
    weight = image_scores(images, bank, b) / s_star
    np.testing.assert_allclose(image_scores(images, bank, b, distance="squared"), weight * s_star**2, rtol=1e-12)


@given(distances=st.lists(st.floats(0, 100), min_size=1, max_size=9))
def test_the_weight_times_the_distance_is_the_score(distances):
    support = np.sort(np.array(distances))
    assert reweighted(support[0], support) == neighborhood_weight(support[0], support) * support[0]


@pytest.mark.parametrize(
    ("distances", "distance", "error", "words"),
    [
        (np.ones(3), "euclidean", ShapeError, "queries, neighbors"),
        (np.ones((3, 0)), "euclidean", EmptyInputError, "at least one neighbor"),
        (np.full((3, 1), np.inf), "squared", NonFiniteError, "distances"),
        (np.ones((3, 1)), "manhattan", ShapeError, "'manhattan', but one of 'euclidean', 'squared'"),
    ],
)
def test_distances_that_make_no_patch_score_are_refused(distances, distance, error, words):
    with pytest.raises(error, match=words):
        patch_scores(distances, distance)


def test_more_neighbours_of_a_patch_than_rows_are_refused():
    with pytest.raises(TooFewRowsError):
        image_scores(np.ones((1, 2, 2)), np.ones((3, 2)), patch_neighbors=4)


@pytest.mark.parametrize(
    ("embeddings", "neighbors", "error", "words"),
    [
        (np.ones((2, 2)), 1, ShapeError, "images, patches, width"),
        (np.ones((1, 2, 3)), 1, WidthMismatchError, "3 values"),
        (np.ones((1, 2, 2)), 0, ShapeError, "neighbors is 0"),
        (np.ones((1, 2, 2)), True, ShapeError, "neighbors is True"),
        (np.full((1, 2, 2), np.nan), 1, NonFiniteError, "queries"),
        (np.ones((1, 0, 2)), 1, EmptyInputError, "distances"),
    ],
)
def test_images_that_cannot_be_scored_are_refused(embeddings, neighbors, error, words):
    with pytest.raises(error, match=words):
        image_scores(embeddings, np.ones((3, 2)), neighbors)


@pytest.mark.parametrize(
    ("distances", "error"),
    [(np.array([]), EmptyInputError), (np.ones((2, 2)), ShapeError), (np.array([1.0, np.nan]), NonFiniteError)],
)
def test_distances_that_cannot_be_weighed_are_refused(distances, error):
    with pytest.raises(error):
        farthest_patch(distances)
    with pytest.raises(error):
        reweighted(1.0, distances)


def test_a_score_that_is_not_finite_is_refused():
    with pytest.raises(NonFiniteError, match="s_star"):
        reweighted(float("nan"), np.ones(3))
