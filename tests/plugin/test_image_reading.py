from __future__ import annotations

import logging
import struct
import threading
import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_up_images import colours, ramp, save
from PIL import Image

from patchcore_plugin import image_reading
from patchcore_plugin.errors import ImageError
from patchcore_plugin.images import read_image


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
