"""Photographs that are least like the others: found among good ones, left out, and named."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_images import gratings
from solar_cells import cells

from patchcore_plugin import PatchCore
from patchcore_plugin.errors import ConfigError, NoImagesError

SMALL = ["images.size=64", "sampler.keep=0.1", "calibration.holdout=0"]


def fitted(images, *more):
    return PatchCore.from_preset("default", [*SMALL, *more]).fit(images)


def with_two_odd_ones():
    images = gratings(18)
    for number in (5, 11):
        images[number] = images[number].copy()
        images[number][20:44, 20:44] = 255
    return images


def test_the_odd_ones_are_left_out_and_named_and_nothing_of_them_is_remembered():
    detector = fitted(with_two_odd_ones(), "cleaning.drop=0.12")
    assert len(detector.report.left_out) == 2
    odd = {name for name in detector.report.left_out if "5" in name or "11" in name}
    assert odd == set(detector.report.left_out)
    assert detector.report.images == 16
    assert not odd & set(detector.bank.image_names)
    assert "left out as least like the others" in "\n".join(detector.report.in_words())


def test_what_is_left_is_fitted_as_if_it_had_come_alone():
    images = with_two_odd_ones()
    alone = [one for number, one in enumerate(images) if number not in (5, 11)]
    found, expected = fitted(images, "cleaning.drop=0.12").bank, fitted(alone).bank
    np.testing.assert_array_equal(found.embeddings, expected.embeddings)
    np.testing.assert_array_equal(found.origins, expected.origins)


def test_images_put_aside_are_looked_at_too():
    images = [*gratings(30), *[np.full((64, 64), 255, np.uint8)] * 2]
    detector = fitted(images, "cleaning.drop=0.0625", "calibration.holdout=0.3", "calibration.seed=3")
    kept = detector.report.images + detector.report.held_out
    assert kept == 30
    assert {name.rstrip("]")[-2:] for name in detector.report.left_out} == {"30", "31"}


def test_a_defect_among_good_solar_cells_costs_less_once_the_odd_ones_are_left_out():
    images = [*cells(0.0, 20), *cells(1.0, 2)]
    left_out = fitted(images, "cleaning.drop=0.1").report.left_out
    assert len(left_out) == 2
    assert {str(path) for path in cells(1.0, 2)} & set(map(str, left_out))


def test_nothing_is_left_out_unless_asked_for():
    detector = fitted(with_two_odd_ones())
    assert detector.report.left_out == ()
    assert "cleaning" not in detector.report.seconds


@pytest.mark.parametrize("options", [["memory.budget=2 GiB"], []])
def test_cleaning_needs_all_embeddings_in_memory(options, tmp_path):
    detector = PatchCore.from_preset("default", [*SMALL, "cleaning.drop=0.1", *options])
    with pytest.raises(ConfigError, match=r"cleaning\.drop"):
        detector.fit(gratings(8), store=None if options else tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_too_few_photographs_cannot_be_compared():
    with pytest.raises(NoImagesError, match="4 are needed"):
        fitted(gratings(3), "cleaning.drop=0.4")


@pytest.mark.parametrize("drop", [-0.1, 1.0, "some"])
def test_a_share_is_needed(drop):
    with pytest.raises(ConfigError, match=r"cleaning\.drop"):
        PatchCore.from_preset("default", [f"cleaning.drop={drop}"])
