"""VisA, whose split is a table, and BTAD, whose formats vary."""

from __future__ import annotations

import shutil

import made_up_datasets as made_up
import pytest

from patchcore_plugin.datasets import GOOD, open_dataset
from patchcore_plugin.errors import ImageError, InputError, NoImagesError


def replaced(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_visa_follows_its_table(tmp_path):
    split = open_dataset("visa", made_up.visa(tmp_path, "candle")).split("candle", seed=0)
    images = tmp_path / "candle" / "Data" / "Images"
    assert split.fit == tuple(images / "Normal" / f"000{number}.JPG" for number in range(4))
    assert split.calibrate == ()
    assert [image.kind for image in split.test] == ["anomaly"] * 3 + [GOOD] * 2
    assert split.test[2].masks == (tmp_path / "candle/Data/Masks/Anomaly/002.png",)


def test_objects_of_visa_that_are_not_on_disk_are_left_out_and_named(tmp_path):
    root = made_up.visa(tmp_path, "candle", "capsules", "pcb1")
    shutil.rmtree(root / "capsules")
    dataset = open_dataset("visa", root)
    assert dataset.categories == ("candle", "pcb1")
    assert dataset.notes == ("in the table but not on disk: capsules.",)
    shutil.rmtree(root / "candle")
    shutil.rmtree(root / "pcb1")
    with pytest.raises(NoImagesError, match=r"folders candle, capsules, pcb1 are expected.* holds LICENSE-DATASET"):
        open_dataset("visa", root)


def test_visa_without_its_table_names_it(tmp_path):
    root = made_up.visa(tmp_path, "candle")
    (root / "split_csv" / "1cls.csv").unlink()
    with pytest.raises(
        NoImagesError, match=r"split_csv/1cls\.csv is expected, but .*split_csv holds 2cls_fewshot\.csv"
    ):
        open_dataset("visa", root)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("candle,train,normal", "candle,train,anomaly", r"line 2: split 'train' with label 'anomaly'"),
        ("candle,test,anomaly", "candle,val,anomaly", r"line 8: split 'val' with label 'anomaly'"),
    ],
)
def test_a_line_of_visa_that_means_nothing_is_named(old, new, said, tmp_path):
    root = made_up.visa(tmp_path, "candle")
    replaced(root / "split_csv" / "1cls.csv", old, new)
    with pytest.raises(InputError, match=said):
        open_dataset("visa", root).split("candle", seed=0)


@pytest.mark.parametrize("name", ["Data/Images/Normal/0005.JPG", "Data/Masks/Anomaly/001.png"])
def test_a_file_of_visa_that_is_missing_is_named_with_its_line(name, tmp_path):
    root = made_up.visa(tmp_path, "candle")
    (root / "candle" / name).unlink()
    with pytest.raises(ImageError, match=rf"1cls\.csv, line \d+: the (image|mask) .*{name} is not there"):
        open_dataset("visa", root).split("candle", seed=0)


def test_a_table_of_visa_cut_short_is_refused(tmp_path):
    root = made_up.visa(tmp_path, "candle")
    table = root / "split_csv" / "1cls.csv"
    table.write_text("\n".join(table.read_text().splitlines()[:5]))
    with pytest.raises(InputError, match=r"candle 4 image\(s\) to learn from, and 0 good and 0 defective"):
        open_dataset("visa", root).split("candle", seed=0)


@pytest.mark.parametrize(
    ("category", "image", "mask"), [("01", "bmp", "png"), ("02", "png", "png"), ("03", "bmp", "bmp")]
)
def test_btad_is_read_in_the_formats_of_each_product(category, image, mask, tmp_path):
    dataset = open_dataset("btad", made_up.btad(tmp_path))
    assert dataset.categories == ("01", "02", "03")
    split = dataset.split(category, seed=0)
    folder = tmp_path / category
    assert split.fit == tuple(folder / "train" / "ok" / f"000{number}.{image}" for number in range(4))
    assert [one.kind for one in split.test] == ["ko", "ko", GOOD, GOOD]
    assert split.test[1].masks == (folder / "ground_truth" / "ko" / f"0001.{mask}",)


def test_a_mask_of_btad_that_is_missing_is_named(tmp_path):
    root = made_up.btad(tmp_path)
    (root / "03/ground_truth/ko/0000.bmp").unlink()
    with pytest.raises(ImageError, match=r"03/test/ko/0000\.bmp has no mask"):
        open_dataset("btad", root).split("03", seed=0)
