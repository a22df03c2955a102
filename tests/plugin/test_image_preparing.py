from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from made_up_images import Plain, colours, ramp
from PIL import Image
from torchvision import transforms

from patchcore_plugin.errors import ConfigError, EmptyInputError, ImageError, NonFiniteError, ShapeError
from patchcore_plugin.images import crop_box, prepare, put_back


def test_gray_becomes_three_equal_channels_in_the_unit_range():
    pixels = prepare(np.full((5, 9), 51, np.uint8), Plain())
    assert (pixels.shape, pixels.dtype) == ((3, 8, 8), np.float32)
    np.testing.assert_allclose(pixels, 0.2, atol=1e-6)


def test_mean_and_deviation_are_applied_to_each_channel():
    picture = np.zeros((8, 8, 3), np.uint8) + np.array([0, 51, 255], np.uint8)
    pixels = prepare(picture, Plain(mean=(0.1, 0.2, 0.5), std=(0.1, 1.0, 0.25)))
    np.testing.assert_allclose(pixels.mean(axis=(1, 2)), [-1.0, 0.0, 2.0], atol=1e-6)


def test_all_types_of_one_picture_give_the_same_pixels():
    eight = np.repeat(np.repeat(ramp(4, 4), 8, axis=0), 8, axis=1)
    expected = prepare(eight, Plain())
    for same in (eight[..., None], eight.astype(np.uint16) * 257, eight / 255.0, np.float16(eight / np.float32(255))):
        np.testing.assert_allclose(prepare(same, Plain()), expected, atol=0.003)


def test_steps_finer_than_eight_bits_survive():
    picture = np.array([[1000, 1001], [1002, 1003]], np.uint16)
    pixels = prepare(picture, Plain(size=(2, 2)))
    np.testing.assert_allclose(pixels[0], picture / 65535, rtol=1e-6)


def test_the_white_level_is_white_and_nothing_is_whiter():
    picture = np.array([[0, 2048], [4096, 9000]], np.uint16)
    np.testing.assert_allclose(prepare(picture, Plain(size=(2, 2), white_level=4096))[0], [[0, 0.5], [1, 1]])


@given(height=st.integers(1, 40), width=st.integers(1, 40), top=st.integers(0, 10), left=st.integers(0, 10))
def test_resizing_agrees_with_torch_antialiased_bilinear(height, width, top, left):
    picture = np.random.default_rng(height * 41 + width).random((height, width, 3), dtype=np.float32)
    size = (8 + top, 8 + left)
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(picture).permute(2, 0, 1)[None], size=size, mode="bilinear", antialias=True
    )
    np.testing.assert_allclose(prepare(picture, Plain(size=size)), theirs[0].numpy(), atol=1e-5)


def test_the_crop_is_cut_from_the_middle():
    picture = ramp(10, 10)
    pixels = prepare(picture, Plain(size=(10, 10), crop=(4, 6)))
    np.testing.assert_allclose(pixels[0], picture[3:7, 2:8] / 255, atol=1e-6)


sides = st.integers(1, 70)


@given(height=sides, width=sides, shorter=st.integers(1, 24), crop=st.tuples(st.integers(1, 24), st.integers(1, 24)))
def test_the_shorter_side_is_resized_and_the_middle_cut_as_torchvision_does(height, width, shorter, crop):
    crop = (min(crop[0], shorter), min(crop[1], shorter))
    picture = colours(height, width)
    steps = [transforms.Resize(shorter), transforms.CenterCrop(crop), transforms.ToTensor()]
    theirs = transforms.Compose(steps)(Image.fromarray(picture))
    ours = prepare(picture, Plain(size=(shorter, shorter), crop=crop, resize="shorter-side"))
    np.testing.assert_array_equal(ours, theirs.numpy())


@given(side=sides, crop=st.integers(1, 8), gray=st.booleans())
def test_of_a_square_image_both_ways_of_resizing_show_the_same(side, crop, gray):
    picture = ramp(side, side) if gray else colours(side, side)
    square = {"size": (9, 9), "crop": (crop - 1 + crop % 2,) * 2}
    np.testing.assert_array_equal(
        prepare(picture, Plain(**square)), prepare(picture, Plain(**square, resize="shorter-side"))
    )


def test_the_input_is_left_alone_and_may_be_read_only_or_strided():
    picture = colours(20, 20)[::2, ::-1]
    picture.setflags(write=False)
    before = picture.copy()
    np.testing.assert_array_equal(prepare(picture, Plain()), prepare(before, Plain()))
    np.testing.assert_array_equal(picture, before)


@pytest.mark.parametrize(
    ("picture", "error", "text"),
    [
        (np.array([[0.5, np.nan]]), NonFiniteError, r"image 4 has 1 value\(s\).* at \[0, 1\]"),
        (np.array([[0.5, 255.0]]), ImageError, "image 4 holds floats from 0.5 to 255"),
        (np.zeros((4, 4), np.int64), ImageError, "image 4 holds int64 values"),
        (np.zeros((4, 4), bool), ImageError, "image 4 holds bool values"),
        (np.zeros((3, 4, 5), np.uint8), ShapeError, r"image 4 has shape \(3, 4, 5\)"),
        (np.zeros((4, 5, 4), np.uint8), ShapeError, "drop an alpha channel"),
        (np.zeros((0, 5), np.uint8), EmptyInputError, "image 4 is empty"),
        ("text", ImageError, "image 4 holds <U4"),
    ],
)
def test_arrays_that_are_no_image_are_refused(picture, error, text):
    with pytest.raises((error, ShapeError), match=text if not isinstance(picture, str) else "image 4 has shape"):
        prepare(picture, Plain(), "image 4")


def test_a_crop_larger_than_the_size_is_refused():
    with pytest.raises(ConfigError, match=r"images.crop is \(9, 4\), larger than images.size \(8, 8\)"):
        prepare(ramp(8, 8), Plain(crop=(9, 4)))


def test_without_a_crop_the_network_saw_everything():
    assert crop_box((300, 200), Plain()) == (0, 0, 300, 200)


def test_the_crop_box_is_in_pixels_of_the_image():
    assert crop_box((100, 50), Plain(size=(10, 10), crop=(4, 6))) == (30, 10, 70, 40)


def test_the_crop_box_of_an_image_that_kept_its_shape_keeps_its_shape():
    settings = Plain(size=(10, 10), crop=(6, 6), resize="shorter-side")
    assert crop_box((40, 100), settings) == (8, 40, 32, 64)  # resized to (10, 25), cut at (2, 10)


@given(height=st.integers(1, 30), width=st.integers(1, 30), cells=st.tuples(st.integers(1, 9), st.integers(1, 9)))
def test_a_map_put_back_agrees_with_torch_bilinear(height, width, cells):
    heat = np.random.default_rng(height).random(cells, dtype=np.float32)
    theirs = torch.nn.functional.interpolate(torch.from_numpy(heat)[None, None], size=(height, width), mode="bilinear")
    np.testing.assert_allclose(put_back(heat, (height, width), Plain()), theirs[0, 0].numpy(), atol=1e-5)


def test_what_the_network_never_saw_is_nan():
    back = put_back(np.ones((4, 6)), (100, 50), Plain(size=(10, 10), crop=(4, 6)))
    assert np.array_equal(np.isfinite(back), np.pad(np.ones((40, 30), bool), ((30, 30), (10, 10))))
    np.testing.assert_allclose(back[30:70, 10:40], 1)


@pytest.mark.parametrize("size", [(100, 30), (30, 100), (100, 100), (11, 57)])
def test_what_the_network_never_saw_of_an_image_that_kept_its_shape_is_nan(size):
    settings = Plain(size=(20, 20), crop=(12, 16), resize="shorter-side")
    box = crop_box(size, settings)
    back = put_back(np.ones((3, 4)), size, settings)
    rows, columns = np.arange(size[0])[:, None] + 0.5, np.arange(size[1])[None] + 0.5
    seen = (rows > box.top) & (rows < box.bottom) & (columns > box.left) & (columns < box.right)
    np.testing.assert_array_equal(np.isfinite(back), seen)
    assert min(size) * 0.5 < seen.any(axis=1).sum() < min(size)


@pytest.mark.parametrize(
    "settings",
    [
        Plain(size=(60, 60), crop=(40, 30)),
        Plain(size=(60, 60), crop=(50, 60), resize="shorter-side"),
        Plain(size=(33, 33), crop=(33, 31), resize="shorter-side"),
    ],
)
def test_a_bright_spot_comes_back_to_where_it_was(settings):
    picture = np.zeros((120, 90), np.uint8)
    picture[60:64, 40:44] = 255
    heat = prepare(picture, settings)[0]
    back = put_back(heat, (120, 90), settings)
    y, x = np.unravel_index(np.nanargmax(back), back.shape)
    assert (60 <= y < 64, 40 <= x < 44) == (True, True)
