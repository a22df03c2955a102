"""Whitened embeddings: learned once, applied alike to what is remembered and to what is compared."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_up_images import gratings

from patchcore_plugin import PatchCore
from patchcore_plugin.errors import ConfigError, ModelFileError
from patchcore_plugin.whitening import fitted_whitening, whiten, whiten_in_place
from patchcore_reference.distances import euclidean_distances
from patchcore_reference.whitening import whitening_matrix

SMALL = ["images.size=64", "sampler.keep=0.2", "calibration.holdout=0.25", "embedding.whitening=0.5"]


def fitted(*more, images=None):
    return PatchCore.from_preset("default", [*SMALL, *more]).fit(images or gratings(8))


@pytest.fixture(scope="module")
def detector():
    return fitted()


def embedded(detector, images):
    raw = PatchCore.from_preset("default", SMALL[:3]).parts
    pixels = np.stack([np.repeat(((one / np.float32(255)) - 0.5)[None] / 0.5, 3, 0) for one in images])
    return raw.embed(pixels.astype(np.float32))


def test_scores_are_distances_between_whitened_embeddings(detector):
    images = gratings(2, seed=1)
    patches = embedded(detector, images)
    rows = patches.reshape(-1, patches.shape[-1]) @ detector.bank.whitening
    expected = euclidean_distances(rows, detector.bank.embeddings).min(axis=1).reshape(patches.shape[:3])
    np.testing.assert_allclose(detector.score(images).patch, expected, rtol=1e-4)


def test_the_matrix_is_that_of_the_reference_for_what_was_learned_from(detector):
    learned = [int(name.removeprefix("image ")) for name in detector.bank.image_names]
    good = gratings(8)
    patches = embedded(detector, [good[number] for number in learned])
    expected = whitening_matrix(patches.reshape(-1, patches.shape[-1]), 0.5)
    np.testing.assert_allclose(detector.bank.whitening, expected, rtol=1e-3, atol=1e-4)


def test_a_patch_that_is_remembered_is_at_no_distance_from_itself():
    images = gratings(4)
    found = fitted("calibration.holdout=0", "sampler.keep=1.0", images=images).score(images)
    assert found.patch.max() == 0


def test_held_out_images_score_as_they_do_later(detector):
    held_out = [n for n in range(8) if f"image {n}" not in detector.bank.image_names]
    good = gratings(8)
    later = detector.score([good[n] for n in held_out]).image
    np.testing.assert_array_equal(np.sort(later), np.sort(detector.bank.held_out_scores))


def test_an_image_scores_the_same_alone_and_among_others(detector):
    images = gratings(5, seed=2)
    together = detector.score(images).image
    np.testing.assert_array_equal(together, [detector.score([one]).image[0] for one in images])


def test_a_saved_model_scores_bit_for_bit_as_it_did(detector, tmp_path):
    detector.save(tmp_path / "model")
    again = PatchCore.load(tmp_path / "model")
    np.testing.assert_array_equal(again.bank.whitening, detector.bank.whitening)
    images = gratings(3, seed=3)
    np.testing.assert_array_equal(again.score(images).patch, detector.score(images).patch)


def test_an_altered_matrix_is_noticed(detector, tmp_path):
    detector.save(tmp_path / "model")
    data = bytearray((tmp_path / "model").read_bytes())
    place = data.find(detector.bank.whitening.tobytes())
    data[place] ^= 1
    (tmp_path / "model").write_bytes(data)
    with pytest.raises(ModelFileError, match="altered or damaged"):
        PatchCore.load(tmp_path / "model")


def test_without_whitening_nothing_is_learned_or_saved(tmp_path):
    plain = fitted("embedding.whitening=0")
    assert plain.bank.whitening is None
    plain.save(tmp_path / "model")
    assert PatchCore.load(tmp_path / "model").bank.whitening is None


def test_cleaning_compares_whitened_embeddings_too():
    images = gratings(12)
    images[7] = np.full((64, 64), 255, np.uint8)
    found = fitted("cleaning.drop=0.09", images=images)
    assert found.report.left_out == ("image 7",)
    assert np.isfinite(found.score(images).image).all()


@pytest.mark.parametrize("beside", [["memory.budget=1 GiB"], []])
def test_embeddings_on_disk_are_refused_before_any_image_is_read(beside, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no image")
    detector = PatchCore.from_preset("default", [*SMALL, *beside])
    with pytest.raises(ConfigError, match=r"embedding.whitening is 0.5.*Do without one of the two"):
        detector.fit([tmp_path / "broken.png"] * 4, store=None if beside else tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_tensors_are_whitened_where_they_are():
    rows = np.random.default_rng(0).standard_normal((12, 5)).astype(np.float32)
    tensor = torch.from_numpy(rows.copy())
    matrix = fitted_whitening(tensor, 0.5)
    whiten_in_place(tensor, 4, matrix)
    np.testing.assert_array_equal(tensor.numpy(), whiten(rows.reshape(3, 2, 2, 5), matrix).reshape(12, 5))


def test_what_is_whitened_is_a_copy():
    patches = np.random.default_rng(0).standard_normal((1, 2, 3, 4)).astype(np.float32)
    before = patches.copy()
    whiten(patches, 2 * np.eye(4, dtype=np.float32))
    np.testing.assert_array_equal(patches, before)


def test_a_sample_of_many_rows_is_enough():
    rows = np.random.default_rng(0).standard_normal((200_000, 4)).astype(np.float32) * np.float32([1, 2, 4, 8])
    np.testing.assert_allclose(fitted_whitening(rows, 1.0), whitening_matrix(rows, 1.0), atol=0.02)
