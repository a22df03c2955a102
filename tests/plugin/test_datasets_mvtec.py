"""The three data sets of MVTec, which differ in where validation images, defects and masks stand."""

from __future__ import annotations

import shutil

import made_up_datasets as made_up
import pytest

from patchcore_plugin.datasets import GOOD, open_dataset
from patchcore_plugin.errors import ImageError, InputError, NoImagesError


def names(paths, root):
    return [path.relative_to(root).as_posix() for path in paths]


def test_mvtec_ad_is_read_with_its_kinds_and_masks(tmp_path):
    dataset = open_dataset("mvtec", made_up.mvtec(tmp_path, "cable", "bottle"))
    assert dataset.categories == ("bottle", "cable")
    assert dataset.has_masks
    split = dataset.split("cable", seed=0)
    folder = tmp_path / "cable"
    assert names(split.fit, folder) == [f"train/good/00{number}.png" for number in range(4)]
    assert split.calibrate == ()
    assert [image.kind for image in split.test] == ["dent"] * 2 + [GOOD] * 2 + ["scratch"] * 2
    assert names(split.test[5].masks, folder) == ["ground_truth/scratch/001_mask.png"]


def test_visa_as_its_own_script_arranges_it_is_read_as_mvtec_ad(tmp_path):
    folder = tmp_path / "candle"
    made_up.pictures(folder / "train" / "good", 2, "{:04d}.JPG")
    made_up.pictures(folder / "test" / "good", 1, "{:04d}.JPG", first=2)
    made_up.pictures(folder / "test" / "bad", 1, "{:03d}.JPG")
    made_up.mask(folder / "ground_truth" / "bad" / "000.png")
    split = open_dataset("mvtec", tmp_path).split("candle", seed=0)
    assert names(split.test[0].masks, folder) == ["ground_truth/bad/000.png"]


def test_without_any_masks_only_images_can_be_judged(tmp_path):
    root = made_up.mvtec(tmp_path, "bottle")
    shutil.rmtree(root / "bottle" / "ground_truth")
    dataset = open_dataset("mvtec", root)
    assert not dataset.has_masks
    assert {image.masks for image in dataset.split("bottle", seed=0).test} == {()}


def test_one_missing_mask_is_named(tmp_path):
    root = made_up.mvtec(tmp_path, "bottle")
    (root / "bottle/ground_truth/dent/001_mask.png").unlink()
    with pytest.raises(ImageError, match=r"dent/001\.png has no mask: neither 001_mask\.png nor 001\.png"):
        open_dataset("mvtec", root).split("bottle", seed=0)


def test_two_masks_of_one_image_are_named(tmp_path):
    root = made_up.mvtec(tmp_path, "bottle")
    made_up.mask(root / "bottle/ground_truth/dent/001_mask.bmp")
    with pytest.raises(ImageError, match=r"001\.png has 2 masks: .*001_mask\.bmp, .*001_mask\.png"):
        open_dataset("mvtec", root).split("bottle", seed=0)


def test_a_category_in_place_of_the_data_set_is_told_apart(tmp_path):
    root = made_up.mvtec(tmp_path, "bottle")
    with pytest.raises(NoImagesError, match=rf"bottle is one category by itself. Give the folder above it: {tmp_path}"):
        open_dataset("mvtec", root / "bottle")


def test_a_missing_kind_of_test_images_is_named_with_what_is_there(tmp_path):
    root = made_up.mvtec(tmp_path, "bottle")
    shutil.rmtree(root / "bottle" / "test" / "good")
    with pytest.raises(NoImagesError, match=r"a folder 'good'.*bottle/test holds dent/, scratch/"):
        open_dataset("mvtec", root).split("bottle", seed=0)
    shutil.rmtree(root / "bottle" / "test")
    with pytest.raises(NoImagesError, match=r"bottle/test is expected, but .*bottle holds ground_truth/, license\.txt"):
        open_dataset("mvtec", root).split("bottle", seed=0)


def test_loco_joins_the_masks_of_an_image_and_keeps_its_validation_images(tmp_path):
    dataset = open_dataset("mvtec-loco", made_up.mvtec_loco(tmp_path, "pushpins"))
    split = dataset.split("pushpins", seed=0)
    folder = tmp_path / "pushpins"
    assert names(split.calibrate, folder) == ["validation/good/000.png", "validation/good/001.png"]
    assert sorted({image.kind for image in split.test}) == [GOOD, "logical_anomalies", "structural_anomalies"]
    assert [len(image.masks) for image in split.test] == [0, 0, 1, 2, 1, 2]
    assert names(split.test[3].masks, folder) == [f"ground_truth/logical_anomalies/001/00{n}.png" for n in (0, 1)]


def test_loco_names_the_folder_of_masks_that_is_missing(tmp_path):
    root = made_up.mvtec_loco(tmp_path, "pushpins")
    shutil.rmtree(root / "pushpins/ground_truth/structural_anomalies/001")
    with pytest.raises(NoImagesError, match=r"structural_anomalies/001 is expected, but .* holds 000/\."):
        open_dataset("mvtec-loco", root).split("pushpins", seed=0)


@pytest.mark.parametrize("make", [made_up.mvtec_loco, made_up.mvtec_ad2])
def test_the_younger_data_sets_are_not_taken_for_the_first(make, tmp_path):
    with pytest.raises(InputError, match=r"folder validation, which MVTec AD has not. Use the layout mvtec-loco"):
        open_dataset("mvtec", make(tmp_path, "can"))


def test_the_first_data_set_is_not_taken_for_the_younger_ones(tmp_path):
    root = made_up.mvtec(tmp_path, "bottle")
    with pytest.raises(NoImagesError, match=r"CATEGORY/validation/good is expected, but .* holds bottle/"):
        open_dataset("mvtec-loco", root)
    with pytest.raises(NoImagesError, match=r"CATEGORY/test_public is expected, but .* holds bottle/"):
        open_dataset("mvtec-ad2", root)


def test_ad2_tests_what_is_public_and_says_what_is_left_out(tmp_path):
    dataset = open_dataset("mvtec-ad2", made_up.mvtec_ad2(tmp_path, "can"))
    split = dataset.split("can", seed=0)
    folder = tmp_path / "can"
    (note,) = dataset.notes
    assert note.startswith("test_private and test_private_mixed: left out, since their labels are not public")
    assert (len(split.fit), len(split.calibrate)) == (4, 2)
    assert [image.kind for image in split.test] == ["bad", "bad", GOOD, GOOD]
    assert names(split.test[0].masks, folder) == ["test_public/ground_truth/bad/000_shift_1_mask.png"]


def test_ad2_without_private_images_has_nothing_to_say(tmp_path):
    root = made_up.mvtec_ad2(tmp_path, "can")
    for name in ("test_private", "test_private_mixed"):
        shutil.rmtree(root / "can" / name)
    assert open_dataset("mvtec-ad2", root).notes == ()
