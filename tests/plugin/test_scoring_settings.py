"""The settings that turn distances into scores and maps: each does to real embeddings what the reference says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from solar_cells import cells

from patchcore_plugin import PatchCore
from patchcore_plugin.bank_file import write_bank
from patchcore_plugin.errors import ConfigError, TooFewRowsError
from patchcore_plugin.images import iterate
from patchcore_reference.anomaly_maps import anomaly_map
from patchcore_reference.neighbors import nearest_rows
from patchcore_reference.pooling import pooled_scores
from patchcore_reference.scoring import image_scores, patch_scores

SMALL = ["images.size=64", "sampler.keep=0.2", "calibration.holdout=0.2"]
NEW = ("neighbors", "distance", "map_resize", "map_border")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    PatchCore.from_preset("default", SMALL).fit(cells(0.0, 6)).save(path)
    return path


@pytest.fixture(scope="module")
def embeddings(model):
    detector = PatchCore.load(model)
    (batch,) = iterate(cells(1.0, 4), detector.settings.images, batch_size=9)
    grid = detector.parts.embed(batch.pixels)
    return grid.reshape(len(grid), -1, grid.shape[-1])


@pytest.mark.parametrize("distance", ["euclidean", "squared"])
@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("b", [1, 5])
def test_image_and_patch_scores_are_those_of_the_reference(model, embeddings, distance, k, b):
    settings = [f"scoring.neighbors={k}", f"scoring.distance={distance}", f"scoring.reweight_neighbors={b}"]
    detector = PatchCore.load(model, settings)
    scores, bank = detector.score(cells(1.0, 4)), detector.bank.embeddings
    distances, rows = nearest_rows(embeddings.reshape(-1, embeddings.shape[-1]), bank, k=k)
    np.testing.assert_allclose(scores.patch.ravel(), patch_scores(distances, distance), rtol=1e-4)
    np.testing.assert_array_equal(scores.nearest.ravel(), rows[:, 0])
    expected = image_scores(embeddings, bank, b, patch_neighbors=k, distance=distance)
    np.testing.assert_allclose(scores.image, expected, rtol=1e-4)


@pytest.mark.parametrize("resize", ["bilinear", "nearest"])
@pytest.mark.parametrize("border", ["symmetric", "reflect"])
def test_maps_are_drawn_as_the_settings_say(model, resize, border):
    image = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    scores = PatchCore.load(model, [f"scoring.map_resize={resize}", f"scoring.map_border={border}"]).score(image)
    expected = anomaly_map(scores.patch[0], (64, 64), 4.0, resize=resize, border=border)
    np.testing.assert_array_equal(scores.map(0), expected)


def test_held_out_images_are_scored_as_any_other(model):
    settings = [*SMALL, "scoring.neighbors=3", "scoring.distance=squared"]
    detector = PatchCore.from_preset("default", settings).fit(cells(0.0, 6))
    held_out = {str(path) for path in cells(0.0, 6)} - set(detector.bank.image_names)
    expected = np.sort(detector.score(sorted(held_out)).image)
    np.testing.assert_allclose(detector.calibration.good_scores, expected, rtol=1e-5)
    assert (expected > PatchCore.load(model).calibration.good_scores).all()


@pytest.mark.parametrize("change", ["neighbors=2", "distance=squared", "reweight_neighbors=5"])
def test_a_threshold_that_was_measured_on_other_scores_is_not_used(model, change):
    changed = PatchCore.load(model, [f"scoring.{change}"])
    assert (changed.calibration, changed.score(cells(1.0, 1)).label) == (None, None)
    for kept in ("scoring.sigma=1", "scoring.map_resize=nearest", "neighbors.name=numpy-exact"):
        assert PatchCore.load(model, [kept]).calibration.threshold == PatchCore.load(model).calibration.threshold


def test_more_neighbours_than_the_bank_has_rows_are_refused_and_the_former_model_stays(model):
    detector = PatchCore.from_preset("default", ["images.size=64", "sampler.count=9", "scoring.neighbors=9"])
    kept = detector.fit(cells(0.0, 3)).bank
    detector.settings = detector.settings.model_copy(
        update={"scoring": detector.settings.scoring.model_copy(update={"neighbors": 10})}
    )
    with pytest.raises(TooFewRowsError, match=r"scoring\.neighbors is 10, but the memory bank has 9 row\(s\)"):
        detector.fit(cells(0.0, 3))
    assert detector.bank is kept


def test_a_model_saved_before_these_settings_existed_scores_as_it_did(model, tmp_path):
    now = PatchCore.load(model)
    scoring = {name: value for name, value in now.bank.settings["scoring"].items() if name not in NEW}
    images = {name: value for name, value in now.bank.settings["images"].items() if name != "resize"}
    assert set(now.bank.settings["scoring"]) - set(scoring) == set(NEW)
    write_bank(
        tmp_path / "old", replace(now.bank, settings={**now.bank.settings, "scoring": scoring, "images": images})
    )
    old = PatchCore.load(tmp_path / "old").score(cells(1.0, 2))
    assert old.image.tobytes() == now.score(cells(1.0, 2)).image.tobytes()
    assert old.map(1).tobytes() == now.score(cells(1.0, 2)).map(1).tobytes()


@pytest.mark.parametrize("pooling", [(0.1, 0.0), (0.0, 1.5), (0.05, 1.0)])
def test_an_image_scores_by_several_patches_where_settings_say_so(model, pooling):
    detector = PatchCore.load(model, [f"scoring.top_share={pooling[0]}", f"scoring.image_sigma={pooling[1]}"])
    scores = detector.score(cells(1.0, 4))
    expected = pooled_scores(scores.patch, top_share=pooling[0], sigma=pooling[1])
    np.testing.assert_allclose(scores.image, expected, rtol=1e-6)
    assert (scores.image < scores.patch.max(axis=(1, 2))).all()
    assert detector.calibration is None  # its threshold was measured on the worst patches


@pytest.mark.parametrize("other", ["top_share", "image_sigma"])
def test_the_weight_of_one_patch_and_the_pool_of_several_exclude_each_other(other):
    with pytest.raises(ConfigError, match="reweight_neighbors"):
        PatchCore.from_preset("default", ["scoring.reweight_neighbors=3", f"scoring.{other}=0.5"])
