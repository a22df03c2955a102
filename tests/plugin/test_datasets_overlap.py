"""Equal bytes under other names: found, refused where the split is published, kept together where it is drawn."""

from __future__ import annotations

import shutil
from pathlib import Path

import made_up_datasets as made_up
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchcore_plugin.datasets import GOOD, open_dataset
from patchcore_plugin.datasets.content_hash import content_hash, equal_files
from patchcore_plugin.datasets.random_split import random_split
from patchcore_plugin.errors import ImageError, InputError


def written(folder, contents):
    paths = [folder / f"{number}.png" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


@given(contents=st.lists(st.sampled_from([b"", b"a", b"b", b"aa", b"ab"]), max_size=8))
def test_equal_files_are_exactly_those_with_equal_bytes(contents, tmp_path_factory):
    paths = written(tmp_path_factory.mktemp("files"), contents)
    together = {content: tuple(i for i, one in enumerate(contents) if one == content) for content in contents}
    assert equal_files(paths) == sorted(group for group in together.values() if len(group) > 1)


def test_large_files_that_differ_in_one_byte_far_from_the_middle_are_different(tmp_path):
    zeros = bytes(1 << 18)
    paths = written(tmp_path, [zeros, zeros[:-1] + b"1", b"1" + zeros[1:], zeros])
    assert equal_files(paths) == [(0, 3)]


def test_a_file_is_read_only_if_another_has_its_size(tmp_path, monkeypatch):
    paths = written(tmp_path, [b"one", b"two", b"three"])
    opened = []
    real = Path.open
    monkeypatch.setattr(Path, "open", lambda path, *rest, **more: opened.append(path) or real(path, *rest, **more))
    assert equal_files(paths) == []
    assert set(opened) == set(paths[:2])


def test_the_hash_is_sha_256(tmp_path):
    (path,) = written(tmp_path, [b"abc"])
    assert content_hash(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"gone\.png cannot be read"):
        equal_files([tmp_path / "gone.png"])
    with pytest.raises(ImageError, match=r"gone\.png cannot be read"):
        content_hash(tmp_path / "gone.png")


@pytest.mark.parametrize("side", ["test/good/007.png", "test/scratch/007.png"])
def test_a_published_test_that_repeats_an_image_learned_from_is_refused_with_the_pair(side, tmp_path):
    root = made_up.mvtec(tmp_path, "bottle")
    shutil.copy(root / "bottle/train/good/002.png", root / "bottle" / side)
    made_up.mask(root / "bottle/ground_truth/scratch/007_mask.png")
    with pytest.raises(InputError, match=rf"002\.png \(to learn from\) = .*{side} \(to test\)") as caught:
        open_dataset("mvtec", root).split("bottle", seed=0)
    assert "1 image(s)" in str(caught.value)
    assert "CSV manifest" in str(caught.value)


def test_validation_images_are_compared_with_both_other_sides(tmp_path):
    root = made_up.mvtec_loco(tmp_path, "pushpins")
    folder = root / "pushpins"
    shutil.copy(folder / "train/good/000.png", folder / "validation/good/008.png")
    shutil.copy(folder / "validation/good/001.png", folder / "test/good/009.png")
    with pytest.raises(InputError, match=r"2 image\(s\)") as caught:
        open_dataset("mvtec-loco", root).split("pushpins", seed=0)
    assert "(to learn from) =" in str(caught.value)
    assert "(for the threshold) =" in str(caught.value)


def test_an_image_twice_on_one_side_is_nobodys_harm(tmp_path):
    root = made_up.mvtec(tmp_path, "bottle")
    shutil.copy(root / "bottle/train/good/002.png", root / "bottle/train/good/007.png")
    assert len(open_dataset("mvtec", root).split("bottle", seed=0).fit) == 5


def test_of_many_pairs_the_first_are_named_and_the_others_counted(tmp_path):
    root = made_up.mvtec(tmp_path, "bottle")
    made_up.pictures(root / "bottle/train/good", 12, first=10)
    for path in (root / "bottle/train/good").glob("01?.png"):
        shutil.copy(path, root / "bottle/test/good")
    for path in (root / "bottle/train/good").glob("02?.png"):
        shutil.copy(path, root / "bottle/test/good")
    with pytest.raises(InputError, match=r"(?s)12 image\(s\).*and 2 more"):
        open_dataset("mvtec", root).split("bottle", seed=0)


@given(contents=st.lists(st.sampled_from(range(6)), min_size=2, max_size=12), seed=st.integers(0, 2**32 - 1))
def test_a_drawn_split_divides_the_contents_and_depends_on_the_seed_alone(contents, seed, tmp_path_factory):
    if len(set(contents)) < 2:
        contents = [*contents, 6]
    paths = written(tmp_path_factory.mktemp("good"), [bytes([content]) for content in contents])
    split = random_split("parts", paths, (), seed)
    tested = [image.path for image in split.test]
    assert sorted([*split.fit, *tested]) == sorted(paths)
    assert not {path.read_bytes() for path in split.fit} & {path.read_bytes() for path in tested}
    assert split.fit
    assert tested
    assert split == random_split("parts", paths, (), seed)


def test_four_fifths_are_learned_from_and_other_seeds_choose_others(tmp_path):
    paths = written(tmp_path, [str(number).encode() for number in range(52)])
    splits = [random_split("parts", paths, (), seed) for seed in range(5)]
    assert {len(split.fit) for split in splits} == {42}
    assert len({split.fit for split in splits}) == 5
    assert {path for split in splits for path in split.fit} == set(paths)


def test_a_picture_that_is_good_and_defective_is_refused_whatever_the_seed(tmp_path):
    root = made_up.folder(tmp_path / "parts")
    shutil.copy(root / "good" / "part3.png", root / "dent" / "copy.png")
    for seed in range(3):
        with pytest.raises(
            InputError, match=r"both good and defective:\n.*part3\.png \(good\) = .*copy\.png \(defective\)"
        ):
            open_dataset("folder", root).split("parts", seed)


def test_a_picture_with_two_kinds_of_defect_is_no_contradiction(tmp_path):
    root = made_up.folder(tmp_path / "parts")
    shutil.copy(root / "dent" / "part0.png", root / "scratch" / "part9.png")
    assert sum(image.kind != GOOD for image in open_dataset("folder", root).split("parts", seed=0).test) == 7


def test_copies_of_one_good_image_cannot_be_divided(tmp_path):
    root = made_up.folder(tmp_path / "parts", good=1)
    shutil.copy(root / "good" / "part0.png", root / "good" / "part1.png")
    with pytest.raises(InputError, match=r"has 2 good image\(s\), 1 of them different"):
        open_dataset("folder", root).split("parts", seed=0)
