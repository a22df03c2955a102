"""``PatchCoreDetector`` on real solar cells: signs, ways to calibrate, and scikit-learn's own tools around it."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from host_rows import SIZE, pixels
from joblib import Parallel, delayed
from PIL import Image
from sklearn.base import clone, is_outlier_detector
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import estimator_checks_generator
from solar_cells import cells

from patchcore_plugin import PatchCore
from patchcore_plugin.errors import (
    ConfigError,
    MissingLibraryError,
    NoImagesError,
    ShapeError,
    TooFewRowsError,
    UnknownComponentError,
    UnknownOptionError,
)
from patchcore_plugin.hosts.sklearn_images import PatchCoreDetector

GOOD, NEW, DEFECTIVE = cells(0.0, 12), cells(0.0, 16)[12:], cells(1.0, 6)


def darker(images):
    return [pixels(path) // 2 for path in images]


@pytest.fixture(scope="module")
def fitted():
    return PatchCoreDetector(image_size=SIZE, contamination=0.4).fit(GOOD)


def test_scores_and_maps_are_those_of_the_product(fitted):
    plain = PatchCore.from_config(
        {"images": {"size": SIZE}, "calibration": {"holdout": 0}},
    ).fit(GOOD)
    scores = plain.score(DEFECTIVE)
    np.testing.assert_array_equal(-fitted.score_samples(DEFECTIVE), scores.image)
    for ours, theirs in zip(fitted.anomaly_map(DEFECTIVE), scores.maps, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert fitted.anomaly_map(DEFECTIVE[:1])[0].shape == pixels(DEFECTIVE[0]).shape


def test_signs_are_the_hosts(fitted):
    images = [*NEW, *DEFECTIVE]
    decisions = fitted.decision_function(images)
    np.testing.assert_array_equal(decisions, fitted.score_samples(images) - fitted.offset_)
    np.testing.assert_array_equal(fitted.predict(images), np.where(decisions >= 0, 1, -1))
    assert decisions.dtype == np.float64
    assert is_outlier_detector(fitted)
    assert set(fitted.predict(images).tolist()) == {-1, 1}


@pytest.mark.parametrize("reweight", [1, 3])
def test_each_image_is_scored_against_the_patches_of_the_others(reweight):
    settings = {"scoring": {"reweight_neighbors": reweight}, "calibration": {"seed": 0}}
    # With all rows kept, a bank of all images less one is what a detector of the others remembers.
    parameters = {"image_size": SIZE, "settings": settings, "sampler": "keep-all", "neighbors": "numpy-exact"}
    detector = PatchCoreDetector(**parameters, contamination=0.5).fit(GOOD[:3])
    alone = [
        -PatchCoreDetector(**parameters, calibration="train")
        .fit([image for image in GOOD[:3] if image != left_out])
        .score_samples([left_out])[0]
        for left_out in GOOD[:3]
    ]
    assert -detector.offset_ == pytest.approx(np.median(alone), rel=1e-6)


def test_images_scored_against_themselves_would_set_the_threshold_too_low(fitted):
    trusting = PatchCoreDetector(image_size=SIZE, calibration="train", coreset_ratio=0.5).fit(GOOD)
    wary = PatchCoreDetector(image_size=SIZE, coreset_ratio=0.5).fit(GOOD)
    assert -trusting.offset_ < 0.8 * -wary.offset_


def test_images_held_out_calibrate_and_are_not_remembered():
    detector = PatchCoreDetector(image_size=SIZE, calibration="holdout", holdout=0.5, contamination=0.2).fit(GOOD)
    inside = detector.detector_
    assert len(inside.bank.image_names) == 6
    assert -detector.offset_ == inside.calibration.threshold
    assert inside.calibration.false_alarm_rate == 0.2


@pytest.mark.parametrize(
    "form",
    [
        lambda paths: [str(path) for path in paths],
        lambda paths: np.array([str(path) for path in paths]),
        lambda paths: np.array([[str(path)] for path in paths], dtype=object),
        lambda paths: [Image.fromarray(pixels(path)) for path in paths],
        lambda paths: [pixels(path) for path in paths],
        lambda paths: np.stack([pixels(path) for path in paths]),
        lambda paths: np.stack([pixels(path, "RGB") for path in paths]),
        lambda paths: (path for path in paths),
    ],
    ids=["text", "array of text", "column", "pillow", "arrays", "stack", "colour stack", "generator"],
)
def test_samples_may_come_in_any_form_that_holds_one_image_each(form, fitted):
    expected = fitted.decision_function(DEFECTIVE)
    np.testing.assert_allclose(fitted.decision_function(form(DEFECTIVE)), expected, rtol=1e-5, atol=1e-4)


def test_a_column_of_a_data_frame_and_a_folder_are_samples_too(fitted, tmp_path):
    for path in DEFECTIVE:
        (tmp_path / path.name).symlink_to(path)
    table = pd.DataFrame({"path": [str(path) for path in DEFECTIVE]})
    expected = fitted.decision_function(DEFECTIVE)
    for form in (table[["path"]], table["path"], tmp_path, str(tmp_path)):
        np.testing.assert_array_equal(fitted.decision_function(form), expected)


@pytest.mark.parametrize(
    ("X", "problem", "says"),
    [
        (np.zeros((8, 8, 3), np.uint8), ShapeError, "8 samples but holds 1 image"),
        (np.zeros((8, 8), np.uint8), ShapeError, r"X\[None\]"),
        ([GOOD[0].parent], ShapeError, "1 samples but holds"),
        ([], NoImagesError, "empty"),
    ],
    ids=["one colour image", "one gray image", "folder in a list", "nothing"],
)
def test_what_does_not_hold_one_image_a_sample_is_refused(X, problem, says, fitted):
    with pytest.raises(problem, match=says):
        fitted.decision_function(X)


def test_an_image_does_not_depend_on_the_others_it_is_scored_with(fitted):
    images = [*NEW, *DEFECTIVE]
    together = fitted.decision_function(images)
    alone = [fitted.decision_function([image])[0] for image in images]
    np.testing.assert_allclose(alone, together, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(fitted.decision_function(images[::-1])[::-1], together, rtol=1e-4, atol=1e-3)


def test_a_fitted_detector_can_be_pickled_and_a_clone_is_not_fitted(fitted):
    expected = fitted.decision_function(DEFECTIVE)
    again = pickle.loads(pickle.dumps(fitted))  # noqa: S301  # its own
    np.testing.assert_array_equal(again.decision_function(DEFECTIVE), expected)
    unfitted = clone(fitted)
    assert unfitted.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        unfitted.predict(DEFECTIVE)
    with pytest.raises(NotFittedError):
        unfitted.anomaly_map(DEFECTIVE)


def test_processes_of_joblib_tell_the_same_scores(fitted):
    scores = Parallel(n_jobs=2)(delayed(fitted.decision_function)([image]) for image in DEFECTIVE)
    np.testing.assert_allclose(np.concatenate(scores), fitted.decision_function(DEFECTIVE), rtol=1e-4, atol=1e-3)


def test_a_pipeline_and_a_grid_search_take_images():
    truth = [1] * len(GOOD) + [-1] * len(DEFECTIVE)
    search = GridSearchCV(
        make_pipeline(FunctionTransformer(darker), PatchCoreDetector(image_size=SIZE, calibration="train")),
        {"patchcoredetector__coreset_ratio": [0.02, 0.2], "patchcoredetector__sampler": ["random", "pruned-greedy"]},
        scoring="roc_auc",
        cv=StratifiedKFold(2),
        error_score="raise",
    ).fit([*GOOD, *DEFECTIVE], truth)
    assert len(search.cv_results_["params"]) == 4
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.decision_function(NEW).shape == (len(NEW),)


def test_the_hosts_checks_of_tables_leave_a_detector_of_images_alone():
    with pytest.warns(SkipTestWarning, match="Can't test estimator"):
        checks = list(estimator_checks_generator(PatchCoreDetector()))
    assert len(checks) == 1  # whether it can be cloned, which asks for no data
    for estimator, check in checks:
        check(estimator)
    tags = PatchCoreDetector().__sklearn_tags__()
    assert not tags.input_tags.two_d_array
    assert tags.estimator_type == "outlier_detector"


@pytest.mark.parametrize(
    ("parameters", "problem", "says"),
    [
        ({"sampler": "prunned-greedy"}, UnknownComponentError, "pruned-greedy"),
        ({"neighbors": "numba-exact", "neighbors_options": {"nprobe": 3}}, UnknownOptionError, "nprobe"),
        ({"preset": "papers"}, ConfigError, "paper"),
        ({"settings": {"image": {}}}, UnknownOptionError, "images"),
        ({"settings": {"sampler": "random"}}, ConfigError, "table of settings"),
        ({"settings": {"calibration": {"holdout": 0.3}}}, ConfigError, "by its own parameters"),
        ({"image_size": -1}, ConfigError, "images.size"),
        ({"coreset_ratio": 0.1, "sampler": "keep-all"}, ConfigError, "keep-all"),
        ({"coreset_ratio": 0.1, "sampler_options": {"count": 5}}, ConfigError, "count"),
        ({"contamination": 0.0}, ConfigError, "contamination is 0.0"),
        ({"calibration": "no"}, ConfigError, "calibration is 'no'"),
        ({"calibration": "holdout", "holdout": 0.01}, TooFewRowsError, "no image to calibrate"),
    ],
    ids=str,
)
def test_parameters_that_cannot_be_are_refused_at_fit(parameters, problem, says):
    detector = PatchCoreDetector(**{"image_size": SIZE, **parameters})
    with pytest.raises(problem, match=says):
        detector.fit(GOOD[:4])
    with pytest.raises(NotFittedError):
        detector.predict(GOOD[:4])


def test_one_image_cannot_be_compared_with_others():
    with pytest.raises(TooFewRowsError, match="come from others"):
        PatchCoreDetector(image_size=SIZE).fit(GOOD[:1])


def test_a_failed_fit_leaves_what_was_fitted_before():
    detector = PatchCoreDetector(image_size=SIZE).fit(GOOD[:4])
    before = detector.decision_function(DEFECTIVE)
    with pytest.raises(TooFewRowsError):
        detector.fit(GOOD[:1])
    np.testing.assert_array_equal(detector.decision_function(DEFECTIVE), before)


def test_settings_may_be_a_file_and_parameters_lie_over_them(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('[images]\nsize = 96\n[sampler]\nname = "random"\ncount = 7\n[scoring]\nsigma = 2.0\n')
    inside = PatchCoreDetector(settings=file, image_size=SIZE, random_state=5).fit(GOOD[:4]).detector_.settings
    assert inside.images.size == (SIZE, SIZE)
    assert inside.scoring.sigma == 2.0
    assert (inside.sampler.name, inside.sampler.options["count"], inside.sampler.options["seed"]) == ("random", 7, 5)
    assert inside.calibration.seed == 5


def test_a_part_whose_library_is_missing_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(MissingLibraryError, match=r"patchcore-plugin\[faiss\]"):
        PatchCoreDetector(image_size=SIZE, neighbors="faiss-hnsw").fit(GOOD[:4])
