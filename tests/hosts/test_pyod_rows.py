"""``MemoryBankOD``: what PyOD's own tests ask of any detector of tables, its persistence, ensembles and ADEngine."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from host_rows import EXACT, SAMPLERS, cell_patches
from pyod.models.knn import KNN
from pyod.models.lscp import LSCP
from pyod.utils.data import generate_data
from pyod.utils.persistence import load, save
from scipy.stats import rankdata
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score

from patchcore_plugin.errors import (
    ConfigError,
    MissingLibraryError,
    TooFewRowsError,
    UnknownComponentError,
    UnknownOptionError,
)
from patchcore_plugin.hosts.pyod_detector import MemoryBankOD

# What the host's tests of its detectors draw, and the least ROC AUC most of them ask for.
TRAIN, TEST, _, TRUTH = generate_data(n_train=200, n_test=100, contamination=0.1, random_state=42)
LEAST_AUROC = 0.8


@pytest.fixture(scope="module", params=EXACT)
def fitted(request):
    return MemoryBankOD(contamination=0.1, neighbors=request.param).fit(TRAIN)


def within_one(values, shape=(100,)):
    return values.shape == shape and values.min() >= 0 and values.max() <= 1


def test_a_fit_sets_what_every_member_of_the_base_class_reads(fitted):
    scores = fitted.decision_scores_
    assert (scores.shape, scores.dtype) == ((200,), np.float64)
    assert fitted.threshold_ == np.percentile(scores, 90)
    np.testing.assert_array_equal(fitted.labels_, (scores > fitted.threshold_).astype(int))
    assert (fitted._mu, fitted._sigma, fitted._classes) == (scores.mean(), scores.std(), 2)
    assert fitted.labels_.sum() == 20


def test_scores_are_higher_for_outliers_and_belong_to_their_rows(fitted):
    scores = fitted.decision_function(TEST)
    assert scores.shape == (100,)
    assert roc_auc_score(TRUTH, scores) >= LEAST_AUROC
    np.testing.assert_allclose(fitted.decision_function(TEST[::-2])[::-1], scores[1::2], rtol=1e-12)


def test_labels_are_zero_and_one(fitted):
    labels, confidence = fitted.predict(TEST, return_confidence=True)
    np.testing.assert_array_equal(labels, fitted.predict(TEST))
    np.testing.assert_array_equal(labels, fitted.decision_function(TEST) > fitted.threshold_)
    assert set(labels.tolist()) == {0, 1}
    assert within_one(confidence)
    np.testing.assert_array_equal(confidence, fitted.predict_confidence(TEST))


@pytest.mark.parametrize("method", ["linear", "unify"])
def test_probabilities_of_both_kinds_come_with_confidences(fitted, method):
    probabilities, confidence = fitted.predict_proba(TEST, method=method, return_confidence=True)
    assert within_one(probabilities, (100, 2))
    assert within_one(confidence)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(probabilities, fitted.predict_proba(TEST, method=method))
    assert roc_auc_score(TRUTH, probabilities[:, 1]) >= LEAST_AUROC


def test_a_kind_of_probability_that_does_not_exist_is_refused(fitted):
    with pytest.raises(ValueError, match="not a valid probability"):
        fitted.predict_proba(TEST, method="something")


def test_unsure_predictions_can_be_rejected(fitted):
    with pytest.warns(UserWarning, match="cost of rejection"):  # the host's, for its own default
        labels = fitted.predict_with_rejection(TEST)
    assert set(labels.tolist()) <= {-2, 0, 1}
    labels, (expected, most, cost) = fitted.predict_with_rejection(TEST, T=4, c_r=0.1, return_stats=True)
    assert labels.shape == (100,)
    assert 0 <= expected <= 1
    assert 0 <= most <= 1
    assert cost >= 0
    assert fitted.compute_rejection_stats(T=4, c_r=0.1) == (expected, most, cost)


def test_ranks_keep_the_order_of_scores(fitted):
    scores, ranks = fitted.decision_function(TEST), fitted._predict_rank(TEST)
    normalized = fitted._predict_rank(TEST, normalized=True)
    for found in (ranks, normalized):
        np.testing.assert_allclose(rankdata(found), rankdata(scores), atol=2)  # the strictest of the host's bounds
        assert found.min() >= 0
    assert ranks.max() <= 200
    assert normalized.max() <= 1


def test_the_old_ways_to_fit_and_judge_still_work():
    detector = MemoryBankOD()
    with pytest.warns(FutureWarning, match="deprecated"):
        assert detector.fit_predict(TRAIN).shape == (200,)
    for scoring in ("roc_auc_score", "prc_n_score"):
        with pytest.warns(FutureWarning, match="deprecated"):
            assert 0 <= detector.fit_predict_score(TEST, TRUTH, scoring=scoring) <= 1
    with pytest.warns(FutureWarning, match="deprecated"), pytest.raises(NotImplementedError):
        detector.fit_predict_score(TEST, TRUTH, scoring="something")


@pytest.mark.parametrize("contamination", [0, 0.51, -0.5, 1.0])
def test_contamination_stays_within_the_hosts_bounds(contamination):
    with pytest.raises(ValueError, match="contamination must be in"):
        MemoryBankOD(contamination=contamination)
    detector = MemoryBankOD().set_params(contamination=contamination)  # the host looks at it in the constructor alone
    with pytest.raises(ConfigError, match="contamination is"):
        detector.fit(TRAIN)


def test_half_of_all_may_be_outliers():
    assert MemoryBankOD(contamination=0.5).fit(TRAIN).labels_.sum() == 100


class Threshold:
    """Stands for a thresholder of pythresh, which the host takes in the place of a number."""

    def fit(self, scores):
        self.thresh_ = float(np.median(scores))
        self.labels_ = self.predict(scores)

    def predict(self, scores):
        return (scores > self.thresh_).astype(int)


def test_a_thresholder_may_stand_in_the_place_of_the_contamination():
    detector = MemoryBankOD(contamination=Threshold()).fit(TRAIN)
    assert detector.labels_.sum() == 100
    assert detector.predict(TEST).shape == (100,)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_detector_comes_back_from_the_hosts_file_as_it_was(sampler, tmp_path):
    detector = MemoryBankOD(sampler=sampler, neighbors="torch-exact").fit(TRAIN)
    expected = detector.decision_function(TEST)
    save(detector, tmp_path / "detector.joblib")
    loaded = load(tmp_path / "detector.joblib", strict=True, trusted=True)
    np.testing.assert_array_equal(loaded.decision_function(TEST), expected)
    np.testing.assert_array_equal(loaded.decision_scores_, detector.decision_scores_)
    np.testing.assert_array_equal(loaded.labels_, detector.labels_)
    assert loaded.threshold_ == detector.threshold_


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_clone_is_not_fitted_and_fits_to_the_same(sampler):
    detector = MemoryBankOD(sampler=sampler, random_state=42, n_neighbors=3).fit(TRAIN)
    again = clone(detector)
    assert again.get_params() == detector.get_params()
    assert getattr(again, "decision_scores_", None) is None
    np.testing.assert_array_equal(again.fit(TRAIN).decision_function(TEST), detector.decision_function(TEST))


def test_parameters_are_set_by_name_and_told_in_the_representation():
    detector = MemoryBankOD().set_params(n_neighbors=3, sampler="random")
    assert (detector.n_neighbors, detector.get_params()["sampler"]) == (3, "random")
    assert "n_neighbors=3" in repr(detector)
    with pytest.raises(ValueError, match="Invalid parameter"):
        detector.set_params(neighbours=3)


@pytest.mark.parametrize("method", ["largest", "mean", "median"])
def test_all_rows_remembered_score_as_the_hosts_own_nearest_neighbors(method):
    ours, theirs = MemoryBankOD(method=method).fit(TRAIN), KNN(method=method).fit(TRAIN)
    np.testing.assert_allclose(ours.decision_scores_, theirs.decision_scores_, rtol=1e-9)
    np.testing.assert_allclose(ours.decision_function(TEST), theirs.decision_function(TEST), rtol=1e-9)
    np.testing.assert_array_equal(ours.labels_, theirs.labels_)


def test_training_scores_leave_each_row_itself_out():
    patches = cell_patches()
    detector = MemoryBankOD(sampler="pruned-greedy", coreset_ratio=0.3, n_neighbors=1).fit(patches.good)
    bank = detector.bank_
    assert (detector.decision_scores_ > 0).all()
    np.testing.assert_allclose(detector.decision_function(patches.good)[bank.chosen], 0, atol=1e-6)
    every = np.linalg.norm(patches.good[:, None].astype(np.float64) - bank.rows, axis=2)
    every[bank.chosen, np.arange(len(bank.chosen))] = np.inf
    np.testing.assert_allclose(detector.decision_scores_, every.min(axis=1), rtol=1e-6)


def test_labels_given_by_mistake_change_nothing():
    alone, with_labels = MemoryBankOD().fit(TRAIN), MemoryBankOD().fit(TRAIN, np.zeros(200))
    np.testing.assert_array_equal(with_labels.predict_proba(TEST), alone.predict_proba(TEST))


def test_the_hosts_ensembles_take_it_as_a_member():
    lscp = LSCP([MemoryBankOD(n_neighbors=3), MemoryBankOD(n_neighbors=9)], n_bins=2, random_state=0).fit(TRAIN)
    assert roc_auc_score(TRUTH, lscp.decision_function(TEST)) >= LEAST_AUROC


@pytest.mark.parametrize(
    ("parameters", "problem", "says"),
    [
        ({"sampler": "keepall"}, UnknownComponentError, "keep-all"),
        ({"neighbors": "faiss"}, UnknownComponentError, "faiss-flat"),
        ({"neighbors_options": {"nprobe": 3}}, UnknownOptionError, "nprobe"),
        ({"coreset_ratio": 0.1}, ConfigError, "keep-all"),
        ({"sampler": "random", "coreset_ratio": 0.001}, TooFewRowsError, "2 are needed"),
        ({"method": "average"}, ConfigError, "method is 'average'"),
        ({"n_neighbors": 0}, ValueError, "n_neighbors"),
        ({"random_state": "zero"}, ConfigError, "random_state"),
    ],
    ids=str,
)
def test_parameters_that_cannot_be_are_refused_at_fit_and_change_nothing(parameters, problem, says):
    detector = MemoryBankOD(**parameters)
    with pytest.raises(problem, match=says):
        detector.fit(TRAIN)
    with pytest.raises(NotFittedError):
        detector.decision_function(TEST)
    assert not hasattr(detector, "n_features_in_")


@pytest.mark.parametrize("bad", [np.full((3, 2), np.nan), np.zeros((3, 5)), np.zeros(2)], ids=["nan", "wide", "1-D"])
def test_rows_that_cannot_be_scored_are_refused(bad):
    with pytest.raises(ValueError, match=r"NaN|features|2D"):
        MemoryBankOD().fit(TRAIN).decision_function(bad)


def test_a_part_whose_library_is_missing_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingLibraryError, match=r"patchcore-plugin\[faiss\]"):
        MemoryBankOD(neighbors="faiss-hnsw").fit(TRAIN)
