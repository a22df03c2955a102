"""scikit-learn's own checks of ``MemoryBankDetector``, and what they leave out: signs, ways to calibrate, its tools."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from unittest import SkipTest

import numpy as np
import pytest
from host_rows import EXACT, SAMPLERS, cell_patches
from joblib import Parallel, delayed
from sklearn.base import clone, is_outlier_detector
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from patchcore_plugin.errors import (
    ConfigError,
    MissingLibraryError,
    TooFewRowsError,
    UnknownComponentError,
    UnknownOptionError,
)
from patchcore_plugin.hosts.sklearn_estimator import MemoryBankDetector

COMBINATIONS = [("pruned-greedy", search) for search in EXACT] + [(one, "pruned-exact") for one in SAMPLERS[1:]]
LEFT_OUT = ("check_array_api_input", "SCIPY_ARRAY_API is not set")  # run with that variable set, below


def check_of(check):
    return getattr(check, "func", check).__name__


@parametrize_with_checks(
    [MemoryBankDetector(sampler=sampler, neighbors=search) for sampler, search in COMBINATIONS], xfail_strict=True
)
def test_the_hosts_checks_pass_without_expected_failures(estimator, check):
    left_out = None
    try:
        check(estimator)
    except SkipTest as reason:
        left_out = check_of(check), str(reason).partition(":")[0]
    assert left_out in (None, LEFT_OUT)


def test_no_check_is_left_out_where_the_host_allows_all():
    program = (
        "from sklearn.utils.estimator_checks import check_estimator\n"
        "from patchcore_plugin.hosts.sklearn_estimator import MemoryBankDetector\n"
        "done = check_estimator(MemoryBankDetector(neighbors='numpy-exact', sampler='numpy-greedy'))\n"
        "print(len(done), {one['status'] for one in done})"
    )
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], env=environment, capture_output=True, text=True
    )
    count, statuses = ran.stdout.split(maxsplit=1)
    assert statuses.strip() == "{'passed'}", ran.stderr
    assert int(count) >= 45


def test_the_checks_fail_where_each_row_is_compared_with_itself_alone():
    (check,) = [
        check
        for _, check in generated(MemoryBankDetector(sampler="keep-all", n_neighbors=1))
        if check_of(check) == "check_outliers_fit_predict"
    ]
    with pytest.raises(AssertionError):
        check(MemoryBankDetector(sampler="keep-all", n_neighbors=1))


def generated(estimator):
    from sklearn.utils.estimator_checks import estimator_checks_generator

    return estimator_checks_generator(estimator)


@pytest.fixture(scope="module")
def patches():
    return cell_patches()


@pytest.mark.parametrize("search", EXACT)
def test_every_search_tells_the_distances_to_the_nearest_rows(search, patches):
    fitted, queries = patches.good, patches.defective
    detector = MemoryBankDetector(neighbors=search, sampler="random", n_neighbors=3).fit(fitted)
    bank = fitted[detector.bank_.chosen].astype(np.float64)
    every = np.linalg.norm(queries[:, None].astype(np.float64) - bank, axis=2)
    scores = -detector.score_samples(queries)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, np.sort(every, axis=1)[:, :3].mean(axis=1), rtol=1e-6)


@pytest.mark.parametrize(("method", "join"), [("mean", np.mean), ("largest", np.max), ("median", np.median)])
def test_distances_are_joined_as_asked(method, join):
    rows, queries = np.array([[0.0], [1.0], [5.0]]), np.array([[2.0]])
    detector = MemoryBankDetector(sampler="keep-all", n_neighbors=3, method=method).fit(rows)
    assert -detector.score_samples(queries)[0] == join([1.0, 2.0, 3.0])


def test_signs_are_the_hosts(patches):
    detector = MemoryBankDetector().fit(patches.good)
    decisions = detector.decision_function(patches.all)
    np.testing.assert_array_equal(decisions, detector.score_samples(patches.all) - detector.offset_)
    np.testing.assert_array_equal(detector.predict(patches.all), np.where(decisions >= 0, 1, -1))
    assert detector.score_samples(patches.good + 1000).max() < detector.score_samples(patches.good).min()
    assert is_outlier_detector(detector)


@pytest.mark.parametrize("calibration", ["train", "loo"])
def test_the_share_asked_for_of_the_scores_fitted_lies_above_the_threshold(calibration, patches):
    detector = MemoryBankDetector(calibration=calibration, contamination=0.2).fit(patches.good)
    bank = detector.bank_
    scores = bank.scores(patches.good) if calibration == "train" else bank.scores_without_self(patches.good)
    assert np.mean(scores > -detector.offset_) == pytest.approx(0.2, abs=1 / len(scores))


def test_without_itself_a_row_is_compared_with_all_other_rows_of_the_bank(patches):
    fitted = np.repeat(patches.good[:60], 2, axis=0)  # each row has an equal one, which is another row
    detector = MemoryBankDetector(sampler="keep-all", calibration="loo", n_neighbors=2).fit(fitted)
    every = np.linalg.norm(fitted[:, None].astype(np.float64) - fitted, axis=2)
    np.fill_diagonal(every, np.inf)
    expected = np.sort(every, axis=1)[:, :2].mean(axis=1)
    np.testing.assert_allclose(detector.bank_.scores_without_self(fitted), expected, rtol=1e-6)
    assert (expected > 0).all()


def test_training_scores_of_rows_in_the_bank_would_set_the_threshold_too_low():
    rows, _ = make_blobs(n_samples=400, centers=1, n_features=8, random_state=0)
    fitted, new = rows[:200], rows[200:]
    flagged = {
        way: np.mean(MemoryBankDetector(coreset_ratio=0.5, calibration=way, n_neighbors=1).fit(fitted).predict(new) < 0)
        for way in ("train", "loo", "holdout")
    }
    assert flagged["train"] > 0.15
    assert flagged["loo"] <= 0.15
    assert flagged["holdout"] <= 0.15


def test_rows_held_out_calibrate_and_are_not_remembered(patches):
    fitted = patches.good
    detector = MemoryBankDetector(sampler="keep-all", calibration="holdout", holdout=0.25, n_neighbors=1).fit(fitted)
    aside = -detector.score_samples(fitted) > 0
    assert aside.sum() == round(0.25 * len(fitted))
    assert len(detector.bank_.rows) == len(fitted) - aside.sum()
    assert np.mean(-detector.score_samples(fitted[aside]) > -detector.offset_) <= 0.1


def test_an_index_stays_behind_when_a_detector_is_pickled(patches):
    detector = MemoryBankDetector(neighbors="torch-exact").fit(patches.good)
    expected = detector.decision_function(patches.all)
    state = pickle.dumps(detector)
    assert b"TorchExactIndex" not in state
    assert b"TorchExact" in state
    again = pickle.loads(state)  # noqa: S301  # its own
    np.testing.assert_array_equal(again.decision_function(patches.all), expected)


def test_a_pipeline_and_a_grid_search_choose_parts_by_name(patches):
    truth = np.r_[np.ones(len(patches.good)), -np.ones(len(patches.defective))]
    search = GridSearchCV(
        make_pipeline(StandardScaler(), MemoryBankDetector(neighbors="numpy-exact")),
        {
            "memorybankdetector__sampler": ["numpy-greedy", "random"],
            "memorybankdetector__n_neighbors": [1, 3],
            "memorybankdetector__sampler_options": [{"keep": 0.2}, {"count": 20}],
        },
        scoring="roc_auc",
        cv=StratifiedKFold(3),  # the host takes plain folds for anything but classifiers: some would hold one class
        error_score="raise",
    ).fit(patches.all, truth)
    assert len(search.cv_results_["params"]) == 8
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.score(patches.all, truth) == roc_auc_score(truth, search.decision_function(patches.all))


def test_processes_of_joblib_tell_the_same_scores(patches):
    detector = MemoryBankDetector(neighbors="numpy-exact", sampler="random").fit(patches.good)
    parts = np.array_split(patches.all, 4)
    scores = Parallel(n_jobs=2, max_nbytes=1000)(delayed(detector.decision_function)(part) for part in parts)
    np.testing.assert_array_equal(np.concatenate(scores), detector.decision_function(patches.all))


def test_the_same_random_state_gives_the_same_bank(patches):
    def chosen(state):
        return MemoryBankDetector(sampler="random", random_state=state).fit(patches.good).bank_.chosen.tolist()

    assert chosen(3) == chosen(3) != chosen(4)
    assert chosen(np.random.RandomState(5)) == chosen(np.random.RandomState(5))
    assert chosen(np.random.default_rng(5)) == chosen(np.random.default_rng(5))
    assert chosen(None) != chosen(None)


def test_a_random_state_reaches_the_sampler_unless_its_options_name_a_seed(patches):
    of_state = MemoryBankDetector(sampler="random", random_state=7).fit(patches.good)
    of_seed = MemoryBankDetector(sampler="random", sampler_options={"seed": 7}).fit(patches.good)
    np.testing.assert_array_equal(of_state.bank_.chosen, of_seed.bank_.chosen)


@pytest.mark.parametrize(
    ("parameters", "problem", "says"),
    [
        ({"sampler": "prunned-greedy"}, UnknownComponentError, "pruned-greedy"),
        ({"neighbors": "faiss"}, UnknownComponentError, "faiss-flat"),
        ({"neighbors_options": {"nprobe": 3}}, UnknownOptionError, "nprobe"),
        ({"sampler_options": {"kep": 0.1}}, UnknownOptionError, "keep"),
        ({"sampler": "keep-all", "coreset_ratio": 0.1}, ConfigError, "keep-all"),
        ({"coreset_ratio": 0.1, "sampler_options": {"count": 3}}, ConfigError, "count"),
        ({"coreset_ratio": 2}, ConfigError, "keep is 2"),
        ({"contamination": 0.7}, ConfigError, "contamination is 0.7"),
        ({"contamination": "auto"}, ConfigError, "contamination is 'auto'"),
        ({"calibration": "hold-out"}, ConfigError, "holdout"),
        ({"calibration": "holdout", "holdout": 1.0}, ConfigError, "holdout is 1.0"),
        ({"calibration": "holdout", "holdout": 0.001}, TooFewRowsError, "no row to calibrate"),
        ({"calibration": "loo", "sampler_options": {"count": 1}}, TooFewRowsError, "2 are needed"),
        ({"method": "average"}, ConfigError, "method is 'average'"),
        ({"n_neighbors": 0}, ValueError, "n_neighbors"),
        ({"random_state": "zero"}, ConfigError, "random_state is 'zero'"),
    ],
    ids=str,
)
def test_parameters_that_cannot_be_are_refused_at_fit_and_change_nothing(parameters, problem, says, patches):
    detector = MemoryBankDetector().set_params(**parameters)
    assert clone(detector).get_params() == detector.get_params()
    with pytest.raises(problem, match=says):
        detector.fit(patches.good[:100])
    assert issubclass(problem, ValueError)
    with pytest.raises(NotFittedError):
        detector.predict(patches.good)


def test_a_part_whose_library_is_missing_names_the_extra(patches, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingLibraryError, match=r"patchcore-plugin\[faiss\]"):
        MemoryBankDetector(neighbors="faiss-hnsw").fit(patches.good)


def test_fewer_rows_than_neighbors_are_all_of_them():
    detector = MemoryBankDetector(sampler="keep-all", n_neighbors=9).fit([[0.0], [3.0]])
    assert detector.n_neighbors_ == 2
    assert -detector.score_samples([[1.0]])[0] == 1.5
