from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from patchcore_plugin.errors import EmptyInputError, InputError, NonFiniteError, ShapeError
from patchcore_plugin.metrics import average_precision, best_f1, bootstrap_interval, image_auroc


def simulated(good, bad, seed, apart=1.0):
    """Scores of good images around 0 and of bad ones around ``apart``, both spread by 1."""
    rng = np.random.default_rng(seed)
    return np.repeat([False, True], [good, bad]), np.r_[rng.normal(size=good), apart + rng.normal(size=bad)]


def test_the_interval_holds_the_figure_and_lies_within_what_is_possible():
    labels, scores = simulated(40, 60, seed=0)
    for figure in (image_auroc, average_precision):
        low, high = bootstrap_interval(figure, labels, scores)
        assert 0 <= low < figure(labels, scores) < high <= 1
        assert {type(low), type(high)} == {float}


def test_the_same_seed_gives_the_same_interval_and_another_one_hardly_another():
    labels, scores = simulated(40, 60, seed=0)
    first = bootstrap_interval(image_auroc, labels, scores, seed=7)
    assert bootstrap_interval(image_auroc, labels, scores, seed=7) == first
    other = bootstrap_interval(image_auroc, labels, scores, seed=8)
    assert other != first
    assert other == pytest.approx(first, abs=0.02)


def test_nothing_outside_changes_the_draws_and_they_change_nothing_outside():
    labels, scores = simulated(20, 20, seed=0)
    copies = labels.copy(), scores.copy()
    np.random.seed(1)  # noqa: NPY002 - the global state that must not matter
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first = bootstrap_interval(image_auroc, labels, scores, resamples=50)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    np.random.seed(2)  # noqa: NPY002
    assert bootstrap_interval(image_auroc, labels, scores, resamples=50) == first
    np.testing.assert_array_equal(labels, copies[0])
    np.testing.assert_array_equal(scores, copies[1])


def test_every_draw_has_as_many_good_and_bad_images_as_there_are():
    seen = []

    def counting(labels, scores):
        seen.append((int(np.sum(labels)), len(labels), set(np.asarray(scores)[labels]) <= {1.0}))
        return 0.0

    bootstrap_interval(counting, [0, 1, 0, 0, 1], [0.0, 1.0, 0.0, 0.0, 1.0], resamples=30)
    assert len(seen) == 30
    assert set(seen) == {(2, 5, True)}


def test_a_higher_level_is_wider_and_more_images_are_narrower():
    def width(labels, scores, level=0.95):
        low, high = bootstrap_interval(image_auroc, labels, scores, level=level, resamples=300)
        return high - low

    few, many = simulated(30, 30, seed=0), simulated(480, 480, seed=0)
    assert width(*few, level=0.5) < width(*few, level=0.8) < width(*few, level=0.99)
    assert width(*many) == pytest.approx(width(*few) / 4, rel=0.35)


def test_perfect_separation_has_no_width():
    assert bootstrap_interval(image_auroc, [0, 0, 1, 1], [1, 2, 3, 4]) == (1.0, 1.0)
    assert bootstrap_interval(image_auroc, [0, 1], [2, 1]) == (0.0, 0.0)


def test_scores_may_be_rows_for_a_figure_that_reads_them():
    labels, scores = simulated(20, 20, seed=0)
    rows = np.stack([scores, -scores], axis=1)
    found = bootstrap_interval(lambda truth, both: image_auroc(truth, both[:, 0]), labels, rows)
    assert found == bootstrap_interval(image_auroc, labels, scores)


def true_values_inside(trials, resamples, good, bad):
    """The share of simulated test sets whose interval holds the AUROC of endless ones."""
    truth = NormalDist().cdf(1 / np.sqrt(2))
    inside = 0
    for seed in range(trials):
        low, high = bootstrap_interval(image_auroc, *simulated(good, bad, seed), resamples=resamples, seed=seed)
        inside += low <= truth <= high
    return inside / trials


@pytest.mark.long
def test_about_95_of_a_hundred_intervals_hold_the_true_figure():
    """Of 400 simulated test sets; 0.033 is three standard errors of that share."""
    assert 0.917 < true_values_inside(trials=400, resamples=300, good=80, bad=60) < 0.983


@pytest.mark.parametrize(
    ("labels", "scores", "options", "error", "text"),
    [
        ([1, 1], [0.1, 0.2], {}, InputError, "2 bad and 0 good images came"),
        ([], [], {}, EmptyInputError, "labels: there are none"),
        ([0, 1], [0.1, 0.2, 0.3], {}, ShapeError, r"2 labels but scores of shape \(3,\)"),
        ([0, 1], 0.5, {}, ShapeError, r"2 labels but scores of shape \(\)"),
        ([0, 3], [0.1, 0.2], {}, InputError, "must be true or 1 for bad"),
        ([0, 1], [0.1, np.nan], {}, NonFiniteError, "NaN"),
        ([0, 1], [0.1, 0.2], {"level": 95}, InputError, "level is 95, but a share between 0 and 1"),
        ([0, 1], [0.1, 0.2], {"level": 1.0}, InputError, "between 0 and 1"),
        ([0, 1], [0.1, 0.2], {"level": True}, InputError, "between 0 and 1"),
        ([0, 1], [0.1, 0.2], {"resamples": 0}, ShapeError, "resamples is 0"),
        ([0, 1], [0.1, 0.2], {"resamples": 2.5}, ShapeError, "resamples is 2.5"),
        ([0, 1], [0.1, 0.2], {"seed": -1}, ShapeError, "seed is -1"),
    ],
)
def test_what_cannot_be_resampled_is_refused(labels, scores, options, error, text):
    with pytest.raises(error, match=text):
        bootstrap_interval(image_auroc, labels, scores, **options)


def test_a_figure_has_to_be_one_finite_number():
    labels, scores = simulated(10, 10, seed=0)
    with pytest.raises(InputError, match="one finite number is needed"):
        bootstrap_interval(best_f1, labels, scores)
    with pytest.raises(InputError, match="the figure gave nan"):
        bootstrap_interval(lambda *_: float("nan"), labels, scores)
    with pytest.raises(InputError, match="the figure gave None"):
        bootstrap_interval(lambda *_: None, labels, scores)
    low, high = bootstrap_interval(lambda *both: best_f1(*both)[0], labels, scores)
    assert 0 < low < high <= 1
