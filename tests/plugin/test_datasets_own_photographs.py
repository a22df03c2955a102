"""Photographs of one's own: in folders, or named one by one in a CSV manifest."""

from __future__ import annotations

from collections import Counter

import made_up_datasets as made_up
import pytest

from patchcore_plugin.datasets import GOOD, open_dataset
from patchcore_plugin.errors import ImageError, InputError, NoImagesError

HEADER = "path,kind,split"
ROWS = ("g/1.png,good,fit", "g/2.png,good,calibrate", "g/3.png,good,test", "b/1.png,dent,test")


def test_folders_are_kinds_and_the_category_is_called_as_the_folder(tmp_path):
    dataset = open_dataset("folder", made_up.folder(tmp_path / "gears"))
    assert dataset.categories == ("gears",)
    assert not dataset.has_masks
    split = dataset.split("gears", seed=0)
    assert len(split.fit) == 8
    assert Counter(image.kind for image in split.test) == {GOOD: 2, "dent": 3, "scratch": 3}
    assert {image.masks for image in split.test} == {()}


def test_the_order_of_the_files_is_the_one_people_expect_and_does_not_follow_the_draw(tmp_path):
    split = open_dataset("folder", made_up.folder(tmp_path / "gears", good=30)).split("gears", seed=0)
    numbers = [int(path.stem.removeprefix("part")) for path in split.fit]
    assert len(numbers) == 24
    assert numbers == sorted(numbers)


def test_masks_are_a_folder_of_their_own_and_no_kind(tmp_path):
    root = made_up.folder(tmp_path / "gears", masks=True)
    dataset = open_dataset("folder", root)
    assert dataset.has_masks
    split = dataset.split("gears", seed=0)
    assert sorted({image.kind for image in split.test}) == ["dent", GOOD, "scratch"]
    assert split.test[-1].masks == (root / "ground_truth" / "scratch" / "part2.png",)
    (root / "ground_truth" / "scratch" / "part2.png").unlink()
    with pytest.raises(ImageError, match=r"scratch/part2\.png has no mask"):
        dataset.split("gears", seed=0)


def test_a_folder_without_good_parts_says_what_it_holds(tmp_path):
    made_up.pictures(tmp_path / "gears" / "dent", 2)
    with pytest.raises(NoImagesError, match=r"a folder 'good' and one for each kind .* holds dent/"):
        open_dataset("folder", tmp_path / "gears")


def test_a_manifest_is_followed_row_by_row(tmp_path):
    file = made_up.manifest(tmp_path / "gears.csv", HEADER, *ROWS)
    dataset = open_dataset("csv", file)
    assert (dataset.root, dataset.categories, dataset.has_masks) == (file, ("gears",), False)
    split = dataset.split("gears", seed=0)
    assert split.fit == (tmp_path / "g/1.png",)
    assert split.calibrate == (tmp_path / "g/2.png",)
    assert [(image.path, image.kind) for image in split.test] == [
        (tmp_path / "g/3.png", GOOD),
        (tmp_path / "b/1.png", "dent"),
    ]


def test_a_manifest_may_hold_categories_several_masks_columns_of_ones_own_and_a_byte_order_mark(tmp_path):
    rows = [
        f"{kind},{category}/{path},{side},{category},{masks},noted"
        for category in ("nut", "gear")
        for path, kind, side, masks in (
            ("1.png", "good", "fit", ""),
            ("2.png", "good", "test", ""),
            ("3.png", "dent", "test", "m1.png; m2.png"),
        )
    ]
    file = made_up.manifest(tmp_path / "all.csv", "\ufeffKind,path,split,category,mask,remark".replace("K", "k"), *rows)
    for name in ("m1.png", "m2.png"):
        made_up.mask(tmp_path / name)
    dataset = open_dataset("csv", file)
    assert (dataset.categories, dataset.has_masks) == (("gear", "nut"), True)
    assert dataset.split("nut", seed=0).test[1].masks == (tmp_path / "m1.png", tmp_path / "m2.png")


@pytest.mark.parametrize(
    ("header", "rows", "said"),
    [
        ("path,kind", ["a.png,good"], r"columns path, kind; path, kind, split are needed.*Missing: split"),
        ("path;kind;split", ["a.png;good;fit"], r"with commas between them\. Missing: path, kind, split"),
        ("path,path,kind,split", ["a.png,a.png,good,fit"], r"once each"),
        ("path,kind,split,maskk", ["a.png,good,fit,"], r"column 'maskk', which has no meaning\. Did you mean 'mask'"),
        (HEADER, [], r"has no rows"),
        (HEADER, ["a.png,good"], r"line 2: 2 values, but the header has 3"),
        (HEADER, ["", "a.png,good,train"], r"line 3: split is 'train', but one of fit, calibrate, test"),
        (HEADER, ["a.png,dent,fit"], r"line 2: an image of kind 'dent' in fit"),
        (HEADER, ["a.png,dent,calibrate"], r"line 2: an image of kind 'dent' in calibrate"),
        (HEADER, ["a.png,Good,test"], r"line 2: kind is 'Good'\. Write 'good'"),
        (HEADER, [",good,test"], r"line 2: the path or the kind is empty"),
        (HEADER, ["a.png,good,fit", "b.png,good,fit", "a.png,good,test"], r"lines 2 and 4: the same path 'a\.png'"),
        (HEADER + ",mask", ["a.png,good,test,m.png"], r"line 2: a good image with a mask"),
        (HEADER + ",mask", ["a.png,dent,test,m.png", "b.png,dent,test,"], r"line 3: a defective image without a mask"),
    ],
)
def test_a_manifest_that_cannot_be_meant_is_refused_with_its_line(header, rows, said, tmp_path):
    file = tmp_path / "gears.csv"
    file.write_text("\n".join([header, *rows]) + "\n")
    with pytest.raises(InputError, match=said):
        open_dataset("csv", file)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "gears.csv").write_bytes(b"\xff\xfe\x00path")
    with pytest.raises(InputError, match=r"cannot be read: .* Save it as CSV in UTF-8"):
        open_dataset("csv", tmp_path / "gears.csv")


def test_a_folder_in_place_of_a_manifest_is_told_apart(tmp_path):
    with pytest.raises(NoImagesError, match=r"is expected to be a file, but .* holds nothing"):
        open_dataset("csv", tmp_path)


def test_an_image_of_a_manifest_that_is_missing_is_named_with_its_line(tmp_path):
    file = made_up.manifest(tmp_path / "gears.csv", HEADER, *ROWS)
    (tmp_path / "b" / "1.png").unlink()
    with pytest.raises(ImageError, match=r"gears\.csv, line 5: .*b/1\.png is not there"):
        open_dataset("csv", file).split("gears", seed=0)


@pytest.mark.parametrize("left", [(0, 1, 2), (0, 3), (1, 2, 3)])
def test_a_manifest_needs_images_for_fitting_and_both_kinds_for_testing(left, tmp_path):
    file = made_up.manifest(tmp_path / "gears.csv", HEADER, *(ROWS[i] for i in left))
    with pytest.raises(InputError, match="at least one of each is needed"):
        open_dataset("csv", file).split("gears", seed=0)
