from __future__ import annotations

import pytest

from patchcore_plugin.errors import NoImagesError
from patchcore_plugin.images import find_images


def test_a_folder_gives_its_images_in_natural_order_and_nothing_hidden(tmp_path):
    for name in ("cell10.png", "cell2.PNG", "b/x.jpg", "b/.y.jpg", ".git/z.png", "notes.txt", "B2/x.tiff"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in find_images(tmp_path)]
    assert found == ["b/x.jpg", "B2/x.tiff", "cell2.PNG", "cell10.png"]


def test_several_sources_stand_one_after_the_other(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    for name in ("1.png", "2.png"):
        (folder / name).touch()
    other = tmp_path / "strange.dat"
    other.touch()
    assert find_images([other, str(folder)]) == [other, folder / "1.png", folder / "2.png"]


def test_links_to_folders_are_followed_but_not_in_a_circle(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.png").touch()
    (tmp_path / "top").mkdir()
    (tmp_path / "top" / "link").symlink_to(tmp_path / "real")
    (tmp_path / "top" / "circle").symlink_to(tmp_path / "top")
    assert find_images(tmp_path / "top") == [tmp_path / "top" / "link" / "a.png"]


def test_an_empty_folder_says_what_was_looked_for(tmp_path):
    with pytest.raises(NoImagesError, match=r"holds no files.*\.png"):
        find_images(tmp_path)


def test_a_folder_without_images_says_what_it_holds_instead(tmp_path):
    for name in ("a.txt", "b.txt", "c"):
        (tmp_path / name).touch()
    with pytest.raises(NoImagesError, match=r"3 file\(s\) \(2 x \.txt, 1 x no suffix\)"):
        find_images(tmp_path)


def test_a_missing_path_is_named(tmp_path):
    with pytest.raises(NoImagesError, match="nowhere does not exist"):
        find_images([tmp_path, tmp_path / "nowhere"][1:])


def test_an_empty_list_of_paths_is_refused():
    with pytest.raises(NoImagesError, match="list of images is empty"):
        find_images([])
