from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from patchcore_plugin.errors import EmptyInputError, InputError, NonFiniteError, ShapeError
from patchcore_plugin.metrics import average_precision, best_f1, image_auroc, roc_curve


@st.composite
def labelled_scores(draw):
    """Good and bad images, at least one of each, with many equal scores."""
    pairs = draw(st.lists(st.tuples(st.booleans(), st.sampled_from([-2.0, 0.0, 0.5, 1.0, 1.5, 7.25])), max_size=30))
    pairs += [(True, draw(st.floats(-3, 9))), (False, draw(st.floats(-3, 9)))]
    labels, scores = zip(*draw(st.permutations(pairs)), strict=True)
    return np.array(labels), np.array(scores)


@given(labelled_scores())
def test_figures_agree_with_scikit_learn_ties_included(case):
    labels, scores = case
    assert image_auroc(labels, scores) == pytest.approx(sklearn_metrics.roc_auc_score(labels, scores))
    assert average_precision(labels, scores) == pytest.approx(sklearn_metrics.average_precision_score(labels, scores))


@given(labelled_scores())
def test_the_roc_curve_is_scikit_learns(case):
    labels, scores = case
    theirs = sklearn_metrics.roc_curve(labels, scores, drop_intermediate=False)
    for ours, expected in zip(roc_curve(labels, scores), theirs, strict=True):
        np.testing.assert_allclose(ours, expected)


@given(labelled_scores())
def test_best_f1_is_the_best_of_all_thresholds_and_is_reached_at_the_one_given(case):
    labels, scores = case
    of = {t: sklearn_metrics.f1_score(labels, scores >= t) for t in np.unique(scores)}
    f1, threshold = best_f1(labels, scores)
    assert f1 == pytest.approx(max(of.values()))
    assert of[threshold] == pytest.approx(f1)
    assert threshold == max(t for t, value in of.items() if value == pytest.approx(f1))


@given(labelled_scores())
def test_labels_and_scores_may_be_any_array_or_list(case):
    labels, scores = case
    assert image_auroc(labels.astype(int).tolist(), np.float32(scores)) == image_auroc(labels, np.float32(scores))


def test_perfect_useless_and_reversed_scores():
    labels = [0, 0, 1, 1]
    assert image_auroc(labels, [1, 2, 3, 4]) == 1.0
    assert image_auroc(labels, [5, 5, 5, 5]) == 0.5
    assert image_auroc(labels, [4, 3, 2, 1]) == 0.0
    assert best_f1(labels, [1, 2, 3, 4]) == (1.0, 3.0)


@pytest.mark.parametrize("figure", [image_auroc, average_precision, best_f1, roc_curve])
@pytest.mark.parametrize(
    ("labels", "scores", "error", "text"),
    [
        ([1, 1], [0.1, 0.2], InputError, "2 bad and 0 good images came.*at least one of each"),
        ([0], [0.1], InputError, "0 bad and 1 good images came"),
        ([], [], EmptyInputError, "labels: there are none"),
        ([0, 1], [0.1, np.nan], NonFiniteError, r"the first at \[1\]"),
        ([0, 1], [0.1, np.inf], NonFiniteError, r"the first at \[1\]"),
        ([0, 1], [0.1, 0.2, 0.3], ShapeError, r"2 labels but scores of shape \(3,\)"),
        ([0, 2], [0.1, 0.2], InputError, "must be true or 1 for bad"),
        (["good", "bad"], [0.1, 0.2], InputError, "must be true or 1 for bad"),
    ],
)
def test_what_cannot_be_judged_is_refused(figure, labels, scores, error, text):
    with pytest.raises(error, match=text):
        figure(labels, scores)
