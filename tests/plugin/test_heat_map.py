from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from patchcore_plugin.errors import ImageError, InputError, OutputError, ShapeError
from patchcore_plugin.report.heat_map import colour_bar, overlay, save_png, shrink, thumbnail
from patchcore_plugin.report.palette import heat_colours, heat_opacity

GRAY = np.linspace(0, 255, 48).reshape(6, 8).astype(np.uint8)


def lightness(colours):
    """CIE L*, what a viewer without colours sees."""
    linear = np.where((c := colours / 255) <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    y = linear @ [0.2126, 0.7152, 0.0722]
    return np.where(y > 0.008856, 116 * np.cbrt(y) - 16, 903.3 * y)


def as_seen_without_red_and_green_apart(colours):
    """Mean of red and green: a rough stand-in for the commonest colour blindness."""
    mixed = colours[..., :2].mean(axis=-1)
    return np.stack([mixed, mixed, colours[..., 2]], axis=-1)


def test_the_scale_rises_evenly_in_lightness_so_it_reads_in_gray():
    steps = np.diff(lightness(heat_colours(np.linspace(0, 1, 21))))
    assert steps.min() > 1.0
    assert steps.max() < 3 * steps.min() + 3


def test_the_scale_still_rises_without_telling_red_from_green():
    colours = as_seen_without_red_and_green_apart(heat_colours(np.linspace(0, 1, 21)))
    assert (np.diff(lightness(colours)) > 0).all()


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_heat_never_covers_less(one, other):
    low, high = sorted((one, other))
    assert heat_opacity(np.array(low)) <= heat_opacity(np.array(high)) < 1


def test_regions_at_or_below_low_show_the_photograph_unchanged():
    painted = overlay(GRAY, np.full(GRAY.shape, 2.0), low=2.0, high=5.0)
    np.testing.assert_array_equal(painted, np.repeat(GRAY[..., None], 3, axis=2))


def test_the_same_score_has_the_same_colour_in_every_picture():
    even = np.full((4, 4), 90, np.uint8)
    calm, wild = np.full((4, 4), 3.0), np.full((4, 4), 3.0)
    wild[0] = 100.0
    np.testing.assert_array_equal(overlay(even, calm, low=1, high=5)[1:], overlay(even, wild, low=1, high=5)[1:])


def test_scores_beyond_high_are_as_bright_as_high():
    heat = np.array([[5.0, 50.0, np.inf]])
    painted = overlay(np.zeros((1, 3), np.uint8), heat, low=1, high=5)
    assert (painted == painted[:, :1]).all()
    assert painted[0, 0].max() > 200


def test_pixels_the_network_never_saw_are_not_painted():
    heat = np.full(GRAY.shape, 9.0)
    heat[:, :3] = np.nan
    painted = overlay(GRAY, heat, low=1, high=5)
    np.testing.assert_array_equal(painted[:, :3], np.repeat(GRAY[:, :3, None], 3, axis=2))
    assert (painted[:, 3:].std(axis=2) > 0).all()


def test_colour_photographs_turn_gray_so_that_all_colour_is_heat():
    colours = np.random.default_rng(0).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    painted = overlay(colours, np.zeros((5, 5)), low=0, high=1)
    np.testing.assert_array_equal(
        painted, np.repeat(np.asarray(Image.fromarray(colours).convert("L"))[..., None], 3, axis=2)
    )


def test_sixteen_bits_and_floats_look_like_eight_bits():
    heat = np.linspace(0, 1, 48).reshape(6, 8)
    expected = overlay(GRAY, heat, low=0, high=1).astype(int)
    deep = GRAY.astype(np.uint16) * 16
    for same in (overlay(deep, heat, low=0, high=1, white_level=255 * 16), overlay(GRAY / 255, heat, low=0, high=1)):
        assert np.abs(same - expected).max() <= 1


def test_neither_the_photograph_nor_the_map_is_changed():
    image, heat = GRAY.copy(), np.full(GRAY.shape, np.nan)
    image.setflags(write=False)
    heat.setflags(write=False)
    assert overlay(image, heat, low=0, high=1).shape == (6, 8, 3)


@pytest.mark.parametrize(
    ("image", "heat", "scale", "error", "text"),
    [
        (GRAY, np.zeros((3, 3)), (0, 1), ShapeError, r"map has shape \(3, 3\) but its image \(6, 8\)"),
        (GRAY, np.zeros((1, 6, 8)), (0, 1), ShapeError, "Give one map at a time"),
        (GRAY, np.zeros((6, 8)), (1, 1), InputError, "from 1 to 1, but low < high"),
        (GRAY, np.zeros((6, 8)), (0, np.nan), InputError, "low < high"),
        (GRAY.astype(int), np.zeros((6, 8)), (0, 1), ImageError, "image holds int64"),
    ],
)
def test_what_cannot_be_painted_is_refused(image, heat, scale, error, text):
    with pytest.raises(error, match=text):
        overlay(image, heat, low=scale[0], high=scale[1])


def test_the_bar_runs_from_unpainted_to_the_brightest_colour():
    bar = colour_bar(100, 7)
    assert (bar.shape, bar.dtype) == ((7, 100, 3), np.uint8)
    assert np.ptp(bar[0, 0]) == 0
    np.testing.assert_array_equal(bar[0, -1], overlay(np.full((1, 1), 120, np.uint8), [[1.0]], low=0, high=1)[0, 0])


def test_small_copies_keep_their_proportions_and_small_pictures_their_size():
    assert shrink(np.zeros((400, 800, 3), np.uint8), 320).shape == (160, 320, 3)
    np.testing.assert_array_equal(shrink(GRAY, 320), GRAY)
    assert thumbnail(np.zeros((1000, 500), np.uint16), 100).shape == (100, 50)
    np.testing.assert_array_equal(thumbnail(GRAY.astype(np.uint16) * 257), GRAY)


def test_a_saved_picture_comes_back_as_it_was(tmp_path):
    picture = overlay(GRAY, GRAY / 255, low=0, high=1)
    save_png(tmp_path / "new folder" / "a.png", picture)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "new folder" / "a.png")), picture)


def test_a_picture_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    target = tmp_path / "a.png"
    target.write_bytes(b"old")

    def full(self, file, **options):
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OutputError, match="No space left on device"):
        save_png(target, GRAY)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_only_pictures_are_saved(tmp_path):
    with pytest.raises(ShapeError, match=r"shape \(6, 8\) and type float64"):
        save_png(tmp_path / "a.png", GRAY / 255)
    assert not list(tmp_path.iterdir())
