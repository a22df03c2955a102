from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from solar_cells import cells

from patchcore_plugin import PatchCore
from patchcore_plugin.bank_file import read_bank, write_bank
from patchcore_plugin.errors import (
    ImageError,
    NoImagesError,
    NonFiniteError,
    NotFittedError,
    UnknownComponentError,
    UnknownOptionError,
    WeightsError,
    WidthMismatchError,
)
from patchcore_plugin.metrics import image_auroc
from patchcore_plugin.scores import Scores
from patchcore_reference.scoring import image_scores

SMALL = ["images.size=[96, 96]", "sampler.keep=0.05"]


@pytest.fixture(scope="module")
def good():
    return cells(0.0, 30)


@pytest.fixture(scope="module")
def bad():
    return cells(1.0, 10)


@pytest.fixture(scope="module")
def fitted(good):
    return PatchCore.from_preset("default", SMALL).fit(good[:20])


def test_defective_cells_score_above_good_ones(fitted, good, bad):
    scores = fitted.score([*good[20:], *bad])
    assert image_auroc([0] * 10 + [1] * 10, scores.image) > 0.8


def test_a_saved_detector_scores_bit_for_bit_as_it_did(fitted, bad, tmp_path):
    fitted.save(tmp_path / "m.safetensors")
    before, after = fitted.score(bad), PatchCore.load(tmp_path / "m.safetensors").score(bad)
    for name in ("image", "patch", "nearest", "p_value", "label"):
        assert getattr(before, name).tobytes() == getattr(after, name).tobytes()
    assert all(a.tobytes() == b.tobytes() for a, b in zip(before.maps, after.maps, strict=True))


def test_a_half_precision_bank_is_saved_bit_for_bit_and_half_the_size(fitted, good, bad, tmp_path):
    half = PatchCore.from_preset("default", [*SMALL, "scoring.bank_dtype=float16"]).fit(good[:20])
    half.save(tmp_path / "half.safetensors")
    assert PatchCore.load(tmp_path / "half.safetensors").score(bad).image.tobytes() == half.score(bad).image.tobytes()
    assert half.bank.embeddings.nbytes * 2 == fitted.bank.embeddings.nbytes
    np.testing.assert_allclose(half.score(bad).image, fitted.score(bad).image, rtol=1e-2)


@pytest.mark.long
@pytest.mark.parametrize(
    "swap",
    [
        "extractor.name=numpy-cnn",
        "neighbors.name=numpy-exact",
        "sampler.name=numpy-greedy",
        "sampler.name=numba-greedy",
    ],
)
def test_one_word_swaps_a_part_and_the_scores_stay(good, bad, swap):
    few = ["calibration.holdout=0", "sampler.keep=0.2", "images.size=64"]
    plain = PatchCore.from_preset("default", few).fit(good[:4]).score(bad[:3])
    swapped = PatchCore.from_preset("default", [*few, swap]).fit(good[:4]).score(bad[:3])
    np.testing.assert_allclose(swapped.image, plain.image, rtol=1e-3)


def test_an_image_scores_the_same_alone_and_in_a_batch(fitted, bad):
    together = fitted.score(bad[:4])
    for i, path in enumerate(bad[:4]):
        np.testing.assert_allclose(fitted.score(path).image, together.image[i : i + 1], rtol=1e-4)


def test_batches_joined_are_the_whole(fitted, good, bad):
    paths = [*good, *bad]
    joined = Scores.join(list(fitted.score_batches(paths)))
    assert joined.names == tuple(str(path) for path in paths)
    assert joined.image.tobytes() == fitted.score(paths).image.tobytes()


def test_images_that_are_remembered_whole_score_zero_and_name_themselves(good):
    detector = PatchCore.from_preset("default", ["images.size=64", "sampler.name=keep-all", "calibration.holdout=0"])
    scores = detector.fit(good[:3]).score(good[:3])
    np.testing.assert_allclose(scores.image, 0, atol=1e-3)
    for i, path in enumerate(good[:3]):
        origins = [detector.bank.origin(row) for row in scores.nearest[i].ravel()]
        assert origins == [(str(path), *place) for place in np.ndindex(scores.patch[i].shape)]


def test_the_reweighted_score_is_equation_7(fitted, bad, tmp_path):
    fitted.save(tmp_path / "m")
    reweighted = PatchCore.load(tmp_path / "m", ["scoring.reweight_neighbors=5"])
    batch = np.stack([np.asarray(Image.open(path)) for path in bad[:3]])
    patches = [_embeddings(fitted, image) for image in batch]
    expected = image_scores(np.stack(patches), fitted.bank.embeddings, 5)
    np.testing.assert_allclose(reweighted.score(batch).image, expected, rtol=1e-4)
    assert (reweighted.score(batch).image < fitted.score(batch).image).all()


def _embeddings(detector, image):
    from patchcore_plugin.images import prepare

    grid = detector.parts.embed(prepare(image, detector.settings.images)[None])
    return grid.reshape(-1, grid.shape[-1])


def test_maps_have_each_image_s_own_size(fitted):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, shape, dtype=np.uint8) for shape in [(120, 80), (50, 300, 3), (96, 96)]]
    scores = fitted.score(images)
    assert [one.shape for one in scores.maps] == [(120, 80), (50, 300), (96, 96)]
    assert all(np.isfinite(one).all() and one.dtype == np.float32 for one in scores.maps)


def test_a_map_is_hot_where_the_defect_is(fitted, good):
    image = np.asarray(Image.open(good[25])).copy()
    image[200:230, 60:90] = 255
    y, x = np.unravel_index(np.argmax(fitted.score(image).maps[0]), image.shape)
    assert 180 < y < 250
    assert 40 < x < 110


def test_what_a_center_crop_left_out_is_nan_in_the_map(good):
    detector = PatchCore.from_preset("default", [*SMALL, "images.crop=[48, 96]", "calibration.holdout=0"]).fit(good[:3])
    drawn = detector.score(np.zeros((200, 100), np.uint8)).maps[0]
    assert np.isnan(drawn[:49]).all()
    assert np.isnan(drawn[151:]).all()
    assert np.isfinite(drawn[51:149]).all()


def test_the_threshold_comes_from_images_the_bank_never_saw(fitted, good):
    assert len(fitted.bank.image_names) == 18
    held_out = set(map(str, good[:20])) - set(fitted.bank.image_names)
    np.testing.assert_allclose(np.sort(fitted.score(sorted(held_out)).image), fitted.calibration.good_scores, rtol=1e-5)


def test_without_held_out_images_there_is_no_verdict(good):
    detector = PatchCore.from_preset("default", [*SMALL, "calibration.holdout=0"]).fit(good[:3])
    scores = detector.score(good[3])
    assert (scores.p_value, scores.label) == (None, None)


def test_fitting_twice_gives_the_same_bits(good, fitted):
    again = PatchCore.from_preset("default", SMALL).fit(good[:20])
    assert again.bank.embeddings.tobytes() == fitted.bank.embeddings.tobytes()
    assert again.bank.origins.tobytes() == fitted.bank.origins.tobytes()


def test_a_fit_that_fails_keeps_what_was_there(good, bad, tmp_path):
    detector = PatchCore.from_preset("default", SMALL).fit(good[:5])
    before = detector.score(bad[0]).image
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"broken\.png"):
        detector.fit(tmp_path)
    assert detector.score(bad[0]).image.tobytes() == before.tobytes()


def test_unreadable_images_are_skipped_only_if_asked(good, tmp_path, caplog):
    folder = [good[0], good[1], tmp_path / "broken.png"]
    folder[2].write_bytes(b"no image")
    detector = PatchCore.from_preset("default", [*SMALL, "calibration.holdout=0"])
    with pytest.raises(ImageError, match=r"broken\.png"):
        detector.fit(folder)
    detector.fit(folder, skip_unreadable=True)
    assert detector.bank.image_names == (str(good[0]), str(good[1]))
    assert "broken.png" in caplog.text


def test_warming_up_does_not_mind_a_bank_larger_than_one_image(good):
    detector = PatchCore.from_preset("default", ["images.size=64", "sampler.count=100", "calibration.holdout=0"])
    detector.warm_up()  # one image has 64 patches
    assert len(detector.fit(good[:3]).bank) == 100


def test_scoring_before_fitting_says_what_to_do():
    with pytest.raises(NotFittedError, match="Call fit"):
        PatchCore().score(np.zeros((10, 10), np.uint8))


def test_a_bank_of_another_width_is_refused(fitted, tmp_path):
    fitted.save(tmp_path / "m")
    other = PatchCore.load(tmp_path / "m", ["extractor.layers=['blocks.2']"])
    with pytest.raises(WidthMismatchError, match=r"40 values but each memory-bank row has 152"):
        other.score(np.zeros((10, 10), np.uint8))


def test_a_bank_made_with_other_weights_is_refused(fitted, tmp_path):
    write_bank(tmp_path / "m", replace(fitted.bank, weights_sha256="0" * 64))
    with pytest.raises(WeightsError, match="Install or name the same weights"):
        PatchCore.load(tmp_path / "m")


def test_a_saved_model_does_not_change_with_later_defaults(fitted, tmp_path):
    fitted.save(tmp_path / "m")
    sampler = read_bank(tmp_path / "m").settings["sampler"]
    unused = {"count": None, "megabytes": None, "radius": None}
    assert sampler == {"name": "pruned-greedy", "keep": 0.05, "seed": 0, **unused}


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(NoImagesError, match="holds no files"):
        PatchCore().fit(tmp_path)


def test_nan_in_an_array_is_refused(fitted):
    with pytest.raises(NonFiniteError, match="NaN"):
        fitted.score(np.full((20, 20), np.nan, np.float32))


def test_a_misspelt_option_is_refused_before_anything_is_read():
    with pytest.raises(UnknownOptionError, match="keep"):
        PatchCore.from_config({"sampler": {"kep": 0.1}})


def test_a_misspelt_part_is_refused_with_the_ones_that_exist():
    with pytest.raises(UnknownComponentError, match="numba-greedy"):
        PatchCore.from_config({"sampler": {"name": "numba-gredy"}})


NOTHING_COMPILES_AFTER_WARMING_UP = """
import os, pathlib
from patchcore_plugin import PatchCore
from solar_cells import cells
compiled = lambda: len(list(pathlib.Path(os.environ["NUMBA_CACHE_DIR"]).rglob("*.nbc")))
detector = PatchCore()
detector.warm_up()
warm = compiled()
detector.fit(cells(0.0, 60)).score(cells(1.0, 10))
print(warm, compiled())
"""


@pytest.mark.long
def test_after_warming_up_nothing_is_left_to_compile(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", NOTHING_COMPILES_AFTER_WARMING_UP]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    warm, afterwards = map(int, run.stdout.split())
    assert 0 < warm == afterwards
