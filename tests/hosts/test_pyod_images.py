"""``PatchCoreOD`` on real solar cells: every member of PyOD's base class, heat maps, persistence."""

from __future__ import annotations

import numpy as np
import pytest
from host_rows import SIZE, pixels
from pyod.utils.persistence import load, save
from scipy.stats import rankdata
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from solar_cells import cells

from patchcore_plugin import PatchCore
from patchcore_plugin.errors import ConfigError, TooFewRowsError, UnknownComponentError
from patchcore_plugin.hosts.pyod_detector import PatchCoreOD

GOOD = cells(0.0, 24)
NEW = [*cells(0.0, 32)[24:], *cells(1.0, 8)]
TRUTH = [0] * 8 + [1] * 8


@pytest.fixture(scope="module")
def fitted():
    return PatchCoreOD(image_size=SIZE).fit(GOOD)


def stack(paths):
    return np.stack([pixels(path) for path in paths])


def within_one(values, shape=(16,)):
    return values.shape == shape and values.min() >= 0 and values.max() <= 1


def test_a_fit_sets_what_every_member_of_the_base_class_reads(fitted):
    scores = fitted.decision_scores_
    assert (scores.shape, scores.dtype) == ((24,), np.float64)
    assert fitted.threshold_ == np.percentile(scores, 90)
    np.testing.assert_array_equal(fitted.labels_, (scores > fitted.threshold_).astype(int))
    assert (fitted._mu, fitted._sigma, fitted._classes) == (scores.mean(), scores.std(), 2)


def test_scores_and_maps_are_those_of_the_product(fitted):
    plain = PatchCore.from_config({"images": {"size": SIZE}, "calibration": {"holdout": 0}}).fit(GOOD).score(NEW)
    np.testing.assert_array_equal(fitted.decision_function(NEW), plain.image)
    assert roc_auc_score(TRUTH, plain.image) > 0.6
    maps = fitted.anomaly_map(NEW[:2])
    assert [one.shape for one in maps] == [pixels(path).shape for path in NEW[:2]]
    np.testing.assert_array_equal(maps[1], plain.map(1))


def test_training_scores_leave_the_image_itself_out(fitted):
    assert (fitted.decision_scores_ >= fitted.decision_function(GOOD) - 1e-9).all()
    parameters = {"image_size": SIZE, "sampler": "keep-all", "neighbors": "numpy-exact"}
    of_three = PatchCoreOD(**parameters).fit(GOOD[:3]).decision_scores_
    of_others = PatchCoreOD(**parameters).fit(GOOD[1:3]).decision_function(GOOD[:1])
    np.testing.assert_allclose(of_three[0], of_others[0], rtol=1e-5)


@pytest.mark.parametrize("form", [list, stack, lambda paths: [str(path) for path in paths]])
@pytest.mark.parametrize("method", ["linear", "unify"])
def test_probabilities_come_with_confidences_for_lists_and_stacks(fitted, method, form):
    probabilities, confidence = fitted.predict_proba(form(NEW), method=method, return_confidence=True)
    assert within_one(probabilities, (16, 2))
    assert within_one(confidence)
    np.testing.assert_allclose(fitted.predict_proba(form(NEW), method=method), probabilities)


def test_a_kind_of_probability_that_does_not_exist_is_refused(fitted):
    with pytest.raises(ValueError, match="not a valid probability"):
        fitted.predict_proba(NEW, method="something")


def test_labels_confidences_ranks_and_rejections_take_images(fitted):
    labels, confidence = fitted.predict(NEW, return_confidence=True)
    np.testing.assert_array_equal(labels, fitted.decision_function(NEW) > fitted.threshold_)
    assert within_one(confidence)
    assert set(fitted.predict_with_rejection(NEW, T=2, c_r=0.1).tolist()) <= {-2, 0, 1}
    assert (np.diff(fitted._predict_rank(NEW)[np.argsort(fitted.decision_function(NEW))]) >= 0).all()
    ranks = rankdata(fitted._predict_rank(NEW, normalized=True))
    assert np.corrcoef(ranks, rankdata(fitted.decision_function(NEW)))[0, 1] > 0.8


def test_the_old_ways_to_fit_and_judge_still_work():
    detector = PatchCoreOD(image_size=SIZE)
    with pytest.warns(FutureWarning, match="deprecated"):
        assert detector.fit_predict(NEW).shape == (16,)
    for scoring in ("roc_auc_score", "prc_n_score"):
        with pytest.warns(FutureWarning, match="deprecated"):
            assert 0 <= detector.fit_predict_score(NEW, TRUTH, scoring=scoring) <= 1


def test_a_detector_comes_back_from_the_hosts_file_as_it_was(fitted, tmp_path):
    save(fitted, tmp_path / "detector.joblib")
    loaded = load(tmp_path / "detector.joblib", strict=True, trusted=True)
    np.testing.assert_array_equal(loaded.decision_function(NEW), fitted.decision_function(NEW))
    np.testing.assert_array_equal(loaded.decision_scores_, fitted.decision_scores_)
    assert loaded.threshold_ == fitted.threshold_
    np.testing.assert_array_equal(loaded.anomaly_map(NEW[:1])[0], fitted.anomaly_map(NEW[:1])[0])


def test_a_clone_is_not_fitted_and_fits_to_the_same(fitted):
    again = clone(fitted)
    assert again.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        again.decision_function(NEW)
    np.testing.assert_array_equal(again.fit(GOOD).decision_scores_, fitted.decision_scores_)


def test_labels_given_by_mistake_change_nothing(fitted):
    with_labels = PatchCoreOD(image_size=SIZE).fit(GOOD, [0] * 24)
    np.testing.assert_array_equal(with_labels.predict_proba(NEW), fitted.predict_proba(NEW))


def test_random_states_choose_other_rows_and_are_repeatable():
    def rows(state):
        parameters = {"image_size": SIZE, "sampler": "random", "coreset_ratio": 0.1}
        return PatchCoreOD(**parameters, random_state=state).fit(GOOD[:4]).detector_.bank.origins

    np.testing.assert_array_equal(rows(3), rows(3))
    assert (rows(3) != rows(4)).any()


@pytest.mark.parametrize(
    ("parameters", "problem", "says"),
    [
        ({"neighbors": "pruned"}, UnknownComponentError, "pruned-exact"),
        ({"settings": {"calibration": {"holdout": 0.1}}}, ConfigError, "by its own parameters"),
    ],
    ids=str,
)
def test_parameters_that_cannot_be_are_refused_at_fit(parameters, problem, says):
    with pytest.raises(problem, match=says):
        PatchCoreOD(image_size=SIZE, **parameters).fit(GOOD[:3])


def test_bounds_of_the_contamination_and_a_single_image():
    for contamination in (0, 0.51, -0.5):
        with pytest.raises(ValueError, match="contamination must be in"):
            PatchCoreOD(contamination=contamination)
    with pytest.raises(TooFewRowsError, match="come from others"):
        PatchCoreOD(image_size=SIZE).fit(GOOD[:1])
