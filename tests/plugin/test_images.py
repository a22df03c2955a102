from __future__ import annotations

import logging
import threading
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from patchcore_plugin import image_reading
from patchcore_plugin.errors import (
    ConfigError,
    EmptyInputError,
    ImageError,
    NoImagesError,
    NonFiniteError,
    ShapeError,
)
from patchcore_plugin.images import crop_box, find_images, iterate, load, prepare, put_back, read_image


@dataclass(frozen=True)
class Plain:
    """Settings that leave values in 0..1."""

    size: tuple[int, int] = (8, 8)
    crop: tuple[int, int] | None = None
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    white_level: float | None = None


def ramp(height, width, dtype=np.uint8, top=255):
    return np.linspace(0, top, height * width).reshape(height, width).astype(dtype)


def colours(height=6, width=4):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def save(array, path, **options):
    Image.fromarray(array).save(path, **options)
    return path


# --- finding ---------------------------------------------------------------------------------------------------------


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


# --- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp"])
def test_eight_bit_colour_comes_back_as_it_was(tmp_path, suffix):
    picture = colours()
    path = save(picture, tmp_path / f"a.{suffix}", **({"lossless": True} if suffix == "webp" else {}))
    np.testing.assert_array_equal(read_image(path), picture)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_gray_keeps_its_depth(tmp_path, suffix):
    for picture in (ramp(5, 7), ramp(5, 7, np.uint16, 65535)):
        read = read_image(save(picture, tmp_path / f"{picture.dtype}.{suffix}"))
        assert read.dtype == picture.dtype
        np.testing.assert_array_equal(read, picture)


def test_big_endian_and_32_bit_gray_become_uint16_where_they_fit(tmp_path):
    picture = ramp(5, 7, np.uint16, 60000)
    Image.frombytes("I;16B", (7, 5), picture.astype(">u2").tobytes()).save(tmp_path / "big.tif")
    save(picture.astype(np.int32), tmp_path / "long.tif")
    for name in ("big.tif", "long.tif"):
        read = read_image(tmp_path / name)
        assert read.dtype == np.uint16
        np.testing.assert_array_equal(read, picture)


def test_gray_values_beyond_16_bits_are_refused(tmp_path):
    path = save(np.array([[0, 70000]], dtype=np.int32), tmp_path / "deep.tif")
    with pytest.raises(ImageError, match=r"deep\.tif holds values from 0 to 70000"):
        read_image(path)


def test_floats_are_taken_in_the_unit_range_and_refused_outside(tmp_path):
    picture = ramp(4, 4, np.float32, 1)
    np.testing.assert_array_equal(read_image(save(picture, tmp_path / "unit.tif")), picture)
    for wrong in (picture * 2, picture * np.nan):
        with pytest.raises(ImageError, match=r"only 0\.\.1 has a fixed meaning"):
            read_image(save(wrong, tmp_path / "wrong.tif"))


@pytest.mark.parametrize(
    ("suffix", "dtype"),
    [("jpg", np.uint8), ("png", np.uint8), ("png", np.uint16), ("tif", np.uint8), ("tif", np.uint16)],
)
def test_the_exif_orientation_is_applied(tmp_path, suffix, dtype):
    picture = ramp(16, 32, dtype, 255)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held turned: show it turned clockwise
    read = read_image(save(picture, tmp_path / f"turned.{suffix}", exif=exif))
    np.testing.assert_allclose(read, np.rot90(picture, -1), atol=3 if suffix == "jpg" else 0)


def test_transparency_is_blended_with_black(tmp_path):
    picture = np.array([[[200, 100, 50, 255], [200, 100, 50, 0]]], dtype=np.uint8)
    read = read_image(save(picture, tmp_path / "alpha.png"))
    np.testing.assert_array_equal(read, [[[200, 100, 50], [0, 0, 0]]])


def test_gray_with_alpha_and_marked_gray_stay_gray(tmp_path):
    np.testing.assert_array_equal(
        read_image(save(np.array([[[90, 255], [90, 0]]], np.uint8), tmp_path / "la.png")), [[90, 0]]
    )
    np.testing.assert_array_equal(
        read_image(save(np.array([[90, 91]], np.uint8), tmp_path / "key.png", transparency=90)), [[0, 91]]
    )


def test_palettes_one_bit_and_cmyk_become_gray_or_colour(tmp_path):
    gray, colour = Image.fromarray(ramp(4, 4)), Image.fromarray(np.repeat(colours(2, 2), 2, axis=0))
    gray.convert("P").save(tmp_path / "gray.png")
    colour.quantize(4).save(tmp_path / "colour.png")
    gray.convert("1", dither=Image.Dither.NONE).save(tmp_path / "bit.png")
    colour.convert("CMYK").save(tmp_path / "cmyk.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "gray.png"), ramp(4, 4))
    np.testing.assert_array_equal(read_image(tmp_path / "colour.png"), np.asarray(colour))
    np.testing.assert_array_equal(read_image(tmp_path / "bit.png"), np.where(ramp(4, 4) < 128, 0, 255))
    np.testing.assert_allclose(read_image(tmp_path / "cmyk.tif"), np.asarray(colour), atol=1)


def sixteen_bit_colour_png(path):
    """Write what Pillow cannot: a PNG with 16 bits a channel."""
    import struct
    import zlib

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    row = b"\x00" + struct.pack(">6H", 65535, 0, 0, 0, 40000, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")
    )
    return path


def sixteen_bit_colour_tiff(path):
    """Write what Pillow cannot: a TIFF with 16 bits a channel, one pixel."""
    import struct

    tags = [(256, 4, 1, 1), (257, 4, 1, 1), (258, 3, 3, 122), (259, 3, 1, 1), (262, 3, 1, 2)]
    tags += [(273, 4, 1, 128), (277, 3, 1, 3), (278, 4, 1, 1), (279, 4, 1, 6)]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    head = struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    path.write_bytes(head + struct.pack("<3H", 16, 16, 16) + struct.pack("<3H", 65535, 0, 256))
    return path


@pytest.mark.parametrize("write", [sixteen_bit_colour_png, sixteen_bit_colour_tiff])
def test_lost_depth_of_16_bit_colour_is_told_once(tmp_path, monkeypatch, caplog, write):
    monkeypatch.setattr(image_reading, "_told", threading.Event())
    path = write(tmp_path / "deep.img")
    with caplog.at_level(logging.WARNING):
        assert read_image(path)[0, 0].tolist() in ([255, 0, 0], [255, 0, 1])
        read_image(path)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "deep.img has 16 bits a colour channel, but Pillow decodes 8" in caplog.text


def test_no_depth_is_lost_with_other_files_and_nothing_is_told(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(image_reading, "_told", threading.Event())
    read_image(save(ramp(4, 4, np.uint16, 65535), tmp_path / "gray.png"))
    read_image(save(ramp(4, 4, np.uint16, 65535), tmp_path / "gray.tif"))
    read_image(save(colours(), tmp_path / "colour.tif"))
    assert not caplog.records


def test_a_text_file_named_png_is_no_image(tmp_path):
    path = tmp_path / "text.png"
    path.write_text("this is not an image")
    with pytest.raises(ImageError, match=r"text\.png is no image of a known kind.*remove it, or pass skip_unreadable"):
        read_image(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp", "webp"])
def test_a_truncated_file_is_refused_and_named(tmp_path, suffix):
    path = save(np.repeat(colours(64, 64), 2, axis=0), tmp_path / f"cut.{suffix}")
    path.write_bytes(path.read_bytes()[:-600])
    with pytest.raises(ImageError, match=rf"cut\.{suffix} .*remove it, or pass skip_unreadable"):
        read_image(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(suffix=st.sampled_from(["png", "jpg", "tif", "bmp", "webp"]), data=st.data())
def test_a_damaged_file_is_read_or_refused_but_never_anything_else(tmp_path, suffix, data):
    content = bytearray(save(colours(12, 12), tmp_path / f"whole.{suffix}").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / f"damaged.{suffix}"
    path.write_bytes(content)
    with suppress(ImageError):
        picture = read_image(path)
        assert picture.dtype in (np.uint8, np.uint16, np.float32)
        assert picture.ndim in (2, 3)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # the error must not depend on it
def test_a_decompression_bomb_is_an_error_not_a_warning(tmp_path, monkeypatch):
    path = save(ramp(20, 20), tmp_path / "bomb.png")
    for limit in (300, 100):  # Pillow itself warns above its limit and refuses above twice that
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(ImageError, match=r"bomb\.png claims .*pixels"):
            read_image(path)


def test_several_pictures_in_one_file_are_refused(tmp_path):
    pages = [Image.fromarray(ramp(4, 4)), Image.fromarray(ramp(4, 4))]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(ImageError, match=r"pages\.tif holds 2 pictures"):
        read_image(tmp_path / "pages.tif")


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(ImageError, match=r"gone\.png does not exist"):
        read_image(tmp_path / "gone.png")
    with pytest.raises(ImageError, match="is a folder"):
        read_image(tmp_path)


# --- preparing -------------------------------------------------------------------------------------------------------


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
    import torch

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


# --- back to the image -----------------------------------------------------------------------------------------------


def test_without_a_crop_the_network_saw_everything():
    assert crop_box((300, 200), Plain()) == (0, 0, 300, 200)


def test_the_crop_box_is_in_pixels_of_the_image():
    assert crop_box((100, 50), Plain(size=(10, 10), crop=(4, 6))) == (30, 10, 70, 40)


@given(height=st.integers(1, 30), width=st.integers(1, 30), cells=st.tuples(st.integers(1, 9), st.integers(1, 9)))
def test_a_map_put_back_agrees_with_torch_bilinear(height, width, cells):
    import torch

    heat = np.random.default_rng(height).random(cells, dtype=np.float32)
    theirs = torch.nn.functional.interpolate(torch.from_numpy(heat)[None, None], size=(height, width), mode="bilinear")
    np.testing.assert_allclose(put_back(heat, (height, width), Plain()), theirs[0, 0].numpy(), atol=1e-5)


def test_what_the_network_never_saw_is_nan():
    back = put_back(np.ones((4, 6)), (100, 50), Plain(size=(10, 10), crop=(4, 6)))
    assert np.array_equal(np.isfinite(back), np.pad(np.ones((40, 30), bool), ((30, 30), (10, 10))))
    np.testing.assert_allclose(back[30:70, 10:40], 1)


def test_a_bright_spot_comes_back_to_where_it_was():
    picture = np.zeros((120, 90), np.uint8)
    picture[60:64, 40:44] = 255
    heat = prepare(picture, Plain(size=(60, 60), crop=(40, 30)))[0]
    back = put_back(heat, (120, 90), Plain(size=(60, 60), crop=(40, 30)))
    y, x = np.unravel_index(np.nanargmax(back), back.shape)
    assert (60 <= y < 64, 40 <= x < 44) == (True, True)


# --- batches ---------------------------------------------------------------------------------------------------------


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
    import torch

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
