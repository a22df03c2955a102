from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from made_up_images import Plain, colours, ramp, save
from PIL import Image

from patchcore_plugin.errors import ConfigError, EmptyInputError, ImageError, NoImagesError, NonFiniteError, ShapeError
from patchcore_plugin.images import iterate, load, prepare


def folder_of_mixed_images(tmp_path):
    save(ramp(10, 20), tmp_path / "1.png")
    save(colours(30, 12), tmp_path / "2.jpg")
    save(ramp(7, 7, np.uint16, 65535), tmp_path / "3.tif")
    save(colours(9, 9), tmp_path / "10.png")
    return tmp_path


def test_mixed_sizes_and_depths_come_in_order_with_their_sizes(tmp_path):
    batches = list(iterate(folder_of_mixed_images(tmp_path), Plain(), batch_size=3))
    assert [batch.pixels.shape for batch in batches] == [(3, 3, 8, 8), (1, 3, 8, 8)]
    assert [size for batch in batches for size in batch.sizes] == [(10, 20), (30, 12), (7, 7), (9, 9)]
    assert [name for batch in batches for name in batch.names] == [
        str(tmp_path / name) for name in ("1.png", "2.jpg", "3.tif", "10.png")
    ]
    assert np.concatenate([batch.indexes for batch in batches]).tolist() == [0, 1, 2, 3]


@given(count=st.integers(1, 12), batch_size=st.integers(1, 5), threads=st.integers(1, 4))
def test_neither_batch_size_nor_threads_change_the_pixels(count, batch_size, threads):
    images = [np.full((5, 5), value, np.uint8) for value in range(count)]
    batches = list(iterate(images, Plain(), batch_size=batch_size, threads=threads))
    together = np.concatenate([batch.pixels for batch in batches])
    np.testing.assert_array_equal(together, np.stack([prepare(image, Plain()) for image in images]))
    assert all(len(batch.names) == batch_size for batch in batches[:-1])


@pytest.mark.parametrize(
    ("shape", "images"),
    [((6, 4), 1), ((6, 4, 3), 1), ((5, 6, 4), 5), ((5, 6, 4, 3), 5), ((5, 6, 4, 1), 5), ((3, 6, 4), 3)],
)
def test_one_array_is_one_image_or_a_stack_by_its_shape(shape, images):
    batches = iterate(np.zeros(shape, np.uint8), Plain(), batch_size=8)
    assert batches.image_count == images
    assert [len(batch.names) for batch in batches] == [images]


def test_channels_first_and_empty_stacks_are_refused():
    with pytest.raises(ShapeError, match="Move the channels to the end"):
        iterate(np.zeros((2, 3, 8, 8), np.uint8), Plain(), batch_size=1)
    with pytest.raises(EmptyInputError, match="array of images is empty"):
        iterate(np.zeros((0, 8, 8), np.uint8), Plain(), batch_size=1)


def test_paths_arrays_tensors_and_pillow_images_may_be_mixed(tmp_path):
    picture = ramp(8, 8)
    source = [save(picture, tmp_path / "a.png"), picture, torch.from_numpy(picture), Image.fromarray(picture)]
    (batch,) = iterate(iter(source), Plain(), batch_size=4)
    np.testing.assert_array_equal(batch.pixels, np.stack([prepare(picture, Plain())] * 4))
    assert batch.names[1:] == ("image 1", "image 2", "image 3")


def test_one_pillow_image_with_a_palette_is_read_by_its_colours():
    picture = Image.fromarray(ramp(8, 8)).convert("P")
    (batch,) = iterate(picture, Plain(), batch_size=1)
    np.testing.assert_array_equal(batch.pixels[0], prepare(ramp(8, 8), Plain()))
    np.testing.assert_array_equal(load(picture), ramp(8, 8))


def test_something_else_and_nothing_are_no_source():
    with pytest.raises(ImageError, match="type int holds no images"):
        iterate(3, Plain(), batch_size=1)
    with pytest.raises(NoImagesError, match="list of images is empty"):
        iterate([], Plain(), batch_size=1)
    with pytest.raises(ConfigError, match="batch_size is 0"):
        iterate([ramp(4, 4)], Plain(), batch_size=0)


def test_a_broken_file_stops_everything_by_name_unless_skipping_is_asked_for(tmp_path):
    folder = folder_of_mixed_images(tmp_path)
    (folder / "2.jpg").write_text("no image")
    with pytest.raises(ImageError, match=r"2\.jpg is no image"):
        list(iterate(folder, Plain(), batch_size=2))
    batches = iterate(folder, Plain(), batch_size=2, skip_unreadable=True)
    for _ in range(2):  # a second pass tells the same, not twice as much
        indexes = np.concatenate([batch.indexes for batch in batches])
        assert indexes.tolist() == [0, 2, 3]
        assert [(one.index, one.name) for one in batches.skipped] == [(1, str(folder / "2.jpg"))]
        assert "is no image" in batches.skipped[0].reason


def test_nan_in_one_array_is_told_with_its_place_in_the_source():
    images = [np.zeros((4, 4)), np.full((4, 4), np.nan)]
    with pytest.raises(NonFiniteError, match=r"image 1 has 16 value\(s\)"):
        list(iterate(images, Plain(), batch_size=1))


def test_no_image_left_after_skipping_is_an_error(tmp_path):
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(NoImagesError, match=r"none of the 1 image\(s\) could be read.*a\.png"):
        list(iterate(tmp_path, Plain(), batch_size=1, skip_unreadable=True))


def test_a_wrong_setting_is_never_skipped():
    with pytest.raises(ConfigError, match="crop"):
        list(iterate([ramp(4, 4)], Plain(crop=(9, 9)), batch_size=1, skip_unreadable=True))


def test_breaking_off_ends_the_threads():
    def readers():
        return {thread.name for thread in threading.enumerate() if thread.name.startswith("patchcore-images")}

    batches = iter(iterate([ramp(4, 4)] * 50, Plain(), batch_size=2))
    next(batches)
    assert readers()
    batches.close()
    assert not readers()


def test_reading_ahead_is_bounded():
    taken = []

    class Counted:
        def __array__(self, dtype=None, copy=None):
            taken.append(1)
            return ramp(4, 4)

    batches = iter(iterate([Counted()] * 100, Plain(), batch_size=3, threads=2))
    next(batches)
    batches.close()
    assert 3 <= len(taken) <= 3 + 2 * 2


def test_a_source_without_its_first_images_keeps_names_and_indexes():
    images = list(np.random.default_rng(0).integers(0, 255, (7, 10, 10), dtype=np.uint8))
    whole = list(iterate(images, Plain(), batch_size=2))
    source = iterate(images, Plain(), batch_size=2)
    rest = list(source.beginning_at(4))
    assert (
        [batch.names for batch in rest]
        == [batch.names for batch in whole[2:]]
        == [("image 4", "image 5"), ("image 6",)]
    )
    assert [batch.indexes.tolist() for batch in rest] == [[4, 5], [6]]
    assert all(a.pixels.tobytes() == b.pixels.tobytes() for a, b in zip(rest, whole[2:], strict=True))
    assert list(source.beginning_at(7)) == []
