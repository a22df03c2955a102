"""Real-IAD: lists in JSON, images of several sizes, and defects that do not show from every side."""

from __future__ import annotations

import json
import shutil

import made_up_datasets as made_up
import pytest

from patchcore_plugin.datasets import GOOD, open_dataset
from patchcore_plugin.errors import ImageError, InputError, NoImagesError


def changed(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_the_list_is_followed_and_a_defect_that_does_not_show_counts_as_good(tmp_path):
    dataset = open_dataset("real-iad", made_up.real_iad(tmp_path, "audiojack"))
    split = dataset.split("audiojack", seed=0)
    assert len(split.fit) == 4
    assert [image.kind for image in split.test] == ["AK", "HS", GOOD, GOOD, GOOD]
    (mask,) = split.test[0].masks
    assert mask.name == "audiojack_0000_NG_AK_C1_2023_mask.png"
    from_behind = [image for image in split.test if "_NG_AK_C4_" in image.path.name]
    assert [image.kind for image in from_behind] == [GOOD]


@pytest.mark.parametrize("prefix", ["audiojack", "audiojack/", "somewhere/else", None])
def test_paths_begin_at_the_prefix_or_at_the_category(prefix, tmp_path):
    root = made_up.real_iad(tmp_path, "audiojack")
    changed(root / "realiad_jsons/audiojack.json", lambda content: content["meta"].update(prefix=prefix))
    assert len(open_dataset("real-iad", root).split("audiojack", seed=0).fit) == 4


def test_lists_that_were_unpacked_one_level_lower_are_found(tmp_path):
    root = made_up.real_iad(tmp_path, "audiojack", lists="realiad_jsons/realiad_jsons")
    made_up.real_iad(tmp_path, "audiojack", lists="realiad_jsons/realiad_jsons_sv")
    dataset = open_dataset("real-iad", root)
    assert dataset.lists == root / "realiad_jsons" / "realiad_jsons"
    single = open_dataset("real-iad", root / "realiad_jsons" / "realiad_jsons_sv")
    assert (single.root, single.images) == (root, root / "realiad_1024")


def test_of_several_sizes_one_is_chosen_by_its_folder(tmp_path):
    root = made_up.real_iad(tmp_path, "audiojack")
    shutil.copytree(root / "realiad_1024", root / "realiad_256")
    with pytest.raises(NoImagesError, match=r"several sizes: realiad_1024, realiad_256. Give the folder"):
        open_dataset("real-iad", root)
    dataset = open_dataset("real-iad", root / "realiad_256")
    assert dataset.root == root
    assert all((root / "realiad_256") in path.parents for path in dataset.split("audiojack", seed=0).fit)


def test_the_folder_one_stands_in_is_understood(tmp_path, monkeypatch):
    root = made_up.real_iad(tmp_path, "audiojack")
    monkeypatch.chdir(root / "realiad_1024")
    assert open_dataset("real-iad", ".").root == root


def test_categories_without_images_are_left_out_and_named(tmp_path):
    root = made_up.real_iad(tmp_path, "audiojack", "zipper")
    shutil.rmtree(root / "realiad_1024" / "zipper")
    dataset = open_dataset("real-iad", root)
    assert dataset.categories == ("audiojack",)
    assert dataset.notes == ("in realiad_jsons but without images in realiad_1024: zipper.",)
    shutil.rmtree(root / "realiad_1024" / "audiojack")
    with pytest.raises(NoImagesError, match=r"holds audiojack\.json, zipper\.json; .*realiad_1024 holds nothing"):
        open_dataset("real-iad", root)


def test_missing_lists_or_images_are_named(tmp_path):
    root = made_up.real_iad(tmp_path, "audiojack")
    shutil.rmtree(root / "realiad_jsons")
    with pytest.raises(NoImagesError, match=r"realiad_jsons is expected, but .* holds realiad_1024/"):
        open_dataset("real-iad", root)
    shutil.rmtree(root / "realiad_1024")
    (root / "realiad_jsons").mkdir()
    with pytest.raises(NoImagesError, match=r"realiad_256, realiad_512, .* is expected in .* holds realiad_jsons/"):
        open_dataset("real-iad", root)


@pytest.mark.parametrize("place", ["train", "test"])
def test_an_image_that_is_missing_is_named(place, tmp_path):
    root = made_up.real_iad(tmp_path, "audiojack")
    entry = json.loads((root / "realiad_jsons/audiojack.json").read_text())[place][0]
    (root / "realiad_1024" / "audiojack" / entry["image_path"]).unlink()
    with pytest.raises(ImageError, match=rf"audiojack\.json names .*{entry['image_path']}.* is not there"):
        open_dataset("real-iad", root).split("audiojack", seed=0)


def test_the_protocol_with_noise_is_refused(tmp_path):
    root = made_up.real_iad(tmp_path, "audiojack")
    changed(root / "realiad_jsons/audiojack.json", lambda content: content["train"].append(content["test"].pop()))
    with pytest.raises(InputError, match=r"defective images \(AK\) to learn from"):
        open_dataset("real-iad", root).split("audiojack", seed=0)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"train": [], "test": []}', '{"train": [{"image_path": "a"}], "test": 1}']
)
def test_a_file_that_is_no_list_is_refused(text, tmp_path):
    root = made_up.real_iad(tmp_path, "audiojack")
    (root / "realiad_jsons/audiojack.json").write_text(text)
    with pytest.raises(InputError, match=r"audiojack\.json (cannot be read as JSON|is no list of Real-IAD)"):
        open_dataset("real-iad", root).split("audiojack", seed=0)
