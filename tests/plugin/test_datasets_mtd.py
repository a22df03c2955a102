"""Magnetic tiles: photographs and masks side by side, and a split that is drawn."""

from __future__ import annotations

from collections import Counter

import made_up_datasets as made_up
import pytest

from patchcore_plugin.datasets import GOOD, open_dataset
from patchcore_plugin.errors import ImageError, NoImagesError


@pytest.mark.parametrize("imgs", ["Imgs", "IMGS", "."])
def test_tiles_are_found_wherever_their_photographs_stand(imgs, tmp_path):
    dataset = open_dataset("mtd", made_up.mtd(tmp_path, imgs=imgs))
    split = dataset.split("magnetic-tile", seed=0)
    assert len(split.fit) == 8
    assert {path.suffix for path in split.fit} == {".jpg"}
    kinds = Counter(image.kind for image in split.test)
    assert kinds == {GOOD: 2, "blowhole": 3, "break": 2, "crack": 2, "fray": 1, "uneven": 2}
    assert all(image.masks == (image.path.with_suffix(".png"),) for image in split.test if image.kind != GOOD)
    assert {image.masks for image in split.test if image.kind == GOOD} == {()}


def test_capital_letters_in_folder_names_change_nothing(tmp_path):
    plain, other = made_up.mtd(tmp_path / "plain"), made_up.mtd(tmp_path / "other")
    for folder in list(other.glob("MT_*")):
        folder.rename(other / folder.name.upper())
    seen = [
        [(image.path.name, image.kind) for image in open_dataset("mtd", root).split("magnetic-tile", seed=1).test]
        for root in (plain, other)
    ]
    assert seen[0] == seen[1]


def test_the_seed_draws_the_good_tiles_and_no_others(tmp_path):
    dataset = open_dataset("mtd", made_up.mtd(tmp_path))
    splits = [dataset.split("magnetic-tile", seed) for seed in range(5)]
    assert len({split.fit for split in splits}) > 1
    defective = [tuple(image for image in split.test if image.kind != GOOD) for split in splits]
    assert len(set(defective)) == 1


def test_folders_beside_are_left_alone_and_named(tmp_path):
    root = made_up.mtd(tmp_path)
    made_up.picture(root / "notes" / "overview.png")
    (root / ".git").mkdir()
    dataset = open_dataset("mtd", root)
    assert dataset.notes == ("not looked at, being no folders MT_...: notes.",)
    assert len(dataset.split("magnetic-tile", seed=0).test) == 12


def test_a_folder_of_photographs_that_is_no_kind_is_refused(tmp_path):
    root = made_up.mtd(tmp_path)
    made_up.picture(root / "Scratch" / "Imgs" / "a.jpg")
    with pytest.raises(NoImagesError, match=r"Scratch holds 1 \.jpg file"):
        open_dataset("mtd", root)


def test_a_kind_with_masks_only_is_refused(tmp_path):
    root = made_up.mtd(tmp_path)
    (root / "MT_Fray/Imgs/exp1_num_0.jpg").unlink()
    with pytest.raises(NoImagesError, match=r"no \.jpg is in .*MT_Fray"):
        open_dataset("mtd", root).split("magnetic-tile", seed=0)


def test_a_defective_tile_without_mask_is_named(tmp_path):
    root = made_up.mtd(tmp_path)
    (root / "MT_Crack/Imgs/exp1_num_1.png").unlink()
    with pytest.raises(ImageError, match=r"exp1_num_1\.jpg has no mask: .*exp1_num_1\.png is not there"):
        open_dataset("mtd", root).split("magnetic-tile", seed=0)


def test_a_folder_without_good_tiles_is_refused_with_what_it_holds(tmp_path):
    made_up.picture(tmp_path / "MT_Crack" / "Imgs" / "a.jpg")
    with pytest.raises(NoImagesError, match=r"MT_Free and at least one of .* holds MT_Crack/"):
        open_dataset("mtd", tmp_path)
