"""What all layouts have in common: the table, the answers' shape, and what is said where something else lies."""

from __future__ import annotations

from itertools import pairwise

import made_up_datasets as made_up
import pytest

from patchcore_plugin import evaluation
from patchcore_plugin.datasets import GOOD, LAYOUT_NAMES, open_dataset
from patchcore_plugin.datasets.split import Split, complete
from patchcore_plugin.errors import InputError, NoImagesError, UnknownOptionError

MANIFEST = ("path,kind,split,mask", "a.png,good,fit,", "b.png,good,test,", "c.png,dent,test,")
MAKE = {
    "btad": made_up.btad,
    "csv": lambda root: made_up.manifest(root / "parts.csv", *MANIFEST),
    "elpv": made_up.elpv,
    "folder": made_up.folder,
    "mtd": made_up.mtd,
    "mvtec": lambda root: made_up.mvtec(root, "bottle", "cable"),
    "mvtec-ad2": lambda root: made_up.mvtec_ad2(root, "can", "vial"),
    "mvtec-loco": lambda root: made_up.mvtec_loco(root, "pushpins", "screw_bag"),
    "real-iad": lambda root: made_up.real_iad(root, "audiojack", "zipper"),
    "visa": lambda root: made_up.visa(root, "candle", "pcb1"),
}


def test_the_names_are_sorted_and_each_has_a_tree_here():
    assert list(LAYOUT_NAMES) == sorted(MAKE)


@pytest.mark.parametrize("layout", LAYOUT_NAMES)
def test_every_split_is_whole_and_its_sides_are_apart(layout, tmp_path):
    dataset = open_dataset(layout, str(MAKE[layout](tmp_path / "data")))
    assert dataset.layout == layout
    assert list(dataset.categories) == sorted(dataset.categories)
    for category in dataset.categories:
        split = dataset.split(category, seed=0)
        sides = [*split.fit, *split.calibrate, *(image.path for image in split.test)]
        assert split.category == category
        assert len(set(sides)) == len(sides)
        assert all(path.is_file() for path in sides)
        assert {image.kind for image in split.test} > {GOOD}
        for image in split.test:
            assert bool(image.masks) == (dataset.has_masks and image.kind != GOOD)
            assert all(mask.is_file() for mask in image.masks)


@pytest.mark.parametrize("layout", LAYOUT_NAMES)
def test_opening_twice_gives_the_same_split(layout, tmp_path):
    root = MAKE[layout](tmp_path / "data")
    one, other = open_dataset(layout, root), open_dataset(layout, root)
    assert one.split(one.categories[0], seed=3) == other.split(one.categories[0], seed=3)


@pytest.mark.parametrize("layout", sorted(set(LAYOUT_NAMES) - {"elpv", "folder", "mtd"}))
def test_a_published_split_ignores_the_seed(layout, tmp_path):
    dataset = open_dataset(layout, MAKE[layout](tmp_path / "data"))
    assert dataset.split(dataset.categories[0], seed=0) == dataset.split(dataset.categories[0], seed=1)


@pytest.mark.parametrize("layout", LAYOUT_NAMES)
def test_a_place_that_is_not_there_is_named(layout, tmp_path):
    with pytest.raises(NoImagesError, match="nowhere"):
        open_dataset(layout, tmp_path / "nowhere")


@pytest.mark.parametrize("layout", LAYOUT_NAMES)
def test_a_folder_that_holds_something_else_is_said_to(layout, tmp_path):
    (tmp_path / "holidays").mkdir()
    with pytest.raises(NoImagesError, match=r"expected.* holds holidays/"):
        open_dataset(layout, tmp_path)


@pytest.mark.parametrize("layout", LAYOUT_NAMES)
def test_an_unknown_category_lists_those_that_exist(layout, tmp_path):
    dataset = open_dataset(layout, MAKE[layout](tmp_path / "data"))
    with pytest.raises(UnknownOptionError, match=rf"no category 'bottel'.*Categories: .*{dataset.categories[-1]}"):
        dataset.split("bottel", seed=0)


def test_an_unknown_layout_is_corrected():
    with pytest.raises(UnknownOptionError, match=r"no layout 'mvtec-locco'. Did you mean 'mvtec-loco'"):
        open_dataset("mvtec-locco", ".")


def test_there_is_one_word_for_good_images():
    assert evaluation.GOOD == GOOD


def test_few_images_are_a_part_of_more_images_and_the_seed_decides_which(tmp_path):
    split = open_dataset("folder", made_up.folder(tmp_path / "parts", good=25)).split("parts", seed=0)
    shots = [split.low_shot(count, seed=5) for count in (1, 2, 5, 10, 20)]
    for few, more in pairwise(shots):
        assert set(few.fit) < set(more.fit)
    assert [len(shot.fit) for shot in shots] == [1, 2, 5, 10, 20]
    assert shots[2] == split.low_shot(5, seed=5) != split.low_shot(5, seed=6)
    assert shots[-1] == split  # in the order of the split, whatever was drawn first


@pytest.mark.parametrize("count", [0, 9])
def test_more_images_than_there_are_cannot_be_had(count, tmp_path):
    split = open_dataset("folder", made_up.folder(tmp_path / "parts")).split("parts", seed=0)
    with pytest.raises(
        InputError, match=rf"{count} images to learn from are asked for, but parts has 8\. Ask for 1 to 8"
    ):
        split.low_shot(count, seed=0)


def test_a_split_without_defects_is_refused_with_what_it_has(tmp_path):
    with pytest.raises(InputError, match=r"0 image\(s\) to learn from, and 0 good and 0 defective"):
        complete(Split("parts", (), (), ()), tmp_path)
