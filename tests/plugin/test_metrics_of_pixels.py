from __future__ import annotations

import tracemalloc
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_maps import made_up_test_set
from sklearn import metrics as sklearn_metrics

from patchcore_plugin.errors import EmptyInputError, InputError, NonFiniteError, ShapeError
from patchcore_plugin.metrics import PixelFigures, aupro, pixel_auroc, pixel_average_precision
from patchcore_plugin.score_bins import BINS, bins_of

NAN = np.nan
FIGURES = [pixel_auroc, pixel_average_precision, aupro]


def added(masks, maps):
    figures = PixelFigures()
    for mask, heat in zip(masks, maps, strict=True):
        figures.add(mask, heat)
    return figures


@given(
    seed=st.integers(0, 1000), sizes=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=4)
)
def test_pixel_figures_agree_with_scikit_learn_over_all_pixels(seed, sizes):
    rng = np.random.default_rng(seed)
    maps = [rng.normal(size=size).round(1) for size in [*sizes, (2, 2)]]
    masks = [rng.random(heat.shape) < 0.3 for heat in maps[:-1]] + [np.eye(2, dtype=bool)]
    truth, scores = (np.concatenate([array.ravel() for array in arrays]) for arrays in (masks, maps))
    found = added(masks, maps).figures()
    assert found["pixel_auroc"] == pytest.approx(sklearn_metrics.roc_auc_score(truth, scores), abs=1e-12)
    assert found["pixel_average_precision"] == pytest.approx(
        sklearn_metrics.average_precision_score(truth, scores), abs=1e-12
    )


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=2))
def test_a_higher_score_is_never_in_a_lower_bin(scores):
    bins = bins_of(np.sort(np.array(scores, np.float32))).astype(np.int64)
    assert (np.diff(bins) >= 0).all()
    assert bins[0] >= 0
    assert bins[-1] < BINS


def test_zero_has_one_bin_whatever_its_sign_and_bins_are_as_fine_as_promised():
    assert len(np.unique(bins_of(np.array([0.0, -0.0], np.float32)))) == 1
    scores = np.float32([-7.3, -1.0, 1e-6, 0.02, 1.0, 7.3, 1e6])
    assert (bins_of(scores) < bins_of(scores + np.abs(scores) * np.float32(0.000125))).all()


# --- regions ---------------------------------------------------------------------------------------------------------


def test_every_region_counts_alike_whatever_its_size():
    mask = np.zeros((1, 20), bool)
    mask[0, :9] = mask[0, 19] = True  # of nine pixels and of one
    large_found, small_found = np.zeros((2, 1, 20))
    large_found[0, :9] = small_found[0, 19] = 1
    assert aupro([mask], [large_found], limit=1e-9) == pytest.approx(0.5)
    assert aupro([mask], [small_found], limit=1e-9) == pytest.approx(0.5)


def test_pixels_that_touch_at_a_corner_are_one_region():
    assert added([np.eye(5)], [np.ones((5, 5))]).regions == 1
    assert added([[[1, 0, 1]]], [np.ones((1, 3))]).regions == 2
    assert added([np.eye(5), np.eye(5)], np.ones((2, 5, 5))).regions == 2  # never one across two images


def test_the_curve_is_straight_between_thresholds_and_at_the_limit():
    """One region of 2 pixels, 4 good ones; scores 3: half the region; 2: two good; 1: all else. By hand."""
    mask, heat = np.array([[1, 1, 0, 0, 0, 0]]), np.array([[3.0, 1, 2, 2, 1, 1]])
    assert aupro([mask], [heat], limit=0.5) == pytest.approx(0.5)
    assert aupro([mask], [heat], limit=0.75) == pytest.approx((0.5 * 0.5 + 0.25 * (0.5 + 0.75) / 2) / 0.75)
    assert aupro([mask], [heat], limit=1.0) == pytest.approx(0.5 * 0.5 + 0.5 * 0.75)


@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
def test_perfect_useless_and_reversed_maps(limit):
    masks, _ = made_up_test_set()
    perfect = [mask.astype(np.float32) for mask in masks]
    assert aupro(masks, perfect, limit) == pytest.approx(1.0)
    assert aupro(masks, [np.full(mask.shape, 3.0) for mask in masks], limit) == pytest.approx(limit / 2)
    assert aupro(masks, [-heat for heat in perfect], min(limit, 0.9)) == pytest.approx(0.0, abs=1e-9)


def test_the_pro_curve_rises_from_nothing_to_all():
    rate, overlap = added(*made_up_test_set()).pro_curve()
    for axis in (rate, overlap):
        assert axis[0] == 0
        assert axis[-1] == pytest.approx(1)
        assert (np.diff(axis) >= 0).all()


# --- pixels that nobody saw ------------------------------------------------------------------------------------------


def test_pixels_the_network_never_saw_take_no_part():
    mask, heat = np.array([[0, 1, 0, 1]]), np.array([[1.0, 2.0, 3.0, NAN]])
    assert pixel_auroc([mask], [heat]) == 0.5
    assert pixel_average_precision([mask], [heat]) == 0.5


def test_a_frame_that_was_never_seen_changes_no_figure():
    masks, maps = made_up_test_set()
    framed = [np.pad(heat, 7, constant_values=NAN) for heat in maps]
    assert added([np.pad(mask, 7) for mask in masks], framed).figures() == added(masks, maps).figures()


def test_a_region_seen_in_part_counts_by_that_part_and_stays_one():
    mask, heat = np.array([[1, 1, 1, 1, 0]]), np.array([[2.0, NAN, 2.0, 0.0, 1.0]])
    figures = added([mask], [heat])
    assert (figures.regions, figures.unseen_regions) == (1, 0)
    assert figures.aupro(1e-9) == pytest.approx(2 / 3)


def test_a_region_seen_nowhere_is_neither_found_nor_missed_but_told():
    mask, heat = np.array([[1, 0, 1, 1]]), np.array([[2.0, 1.0, NAN, NAN]])
    figures = added([mask], [heat])
    assert (figures.regions, figures.unseen_regions) == (1, 1)
    assert figures.figures() == pytest.approx(dict.fromkeys(figures.figures(), 1.0))


# --- one pass, bounded memory ----------------------------------------------------------------------------------------


def test_one_pass_gives_what_each_figure_gives_alone():
    masks, maps = made_up_test_set()
    figures = added(masks, maps)
    assert figures.images == len(masks)
    assert figures.figures() == {
        "pixel_auroc": pixel_auroc(masks, maps),
        "pixel_average_precision": pixel_average_precision(masks, maps),
        "aupro_0.3": aupro(masks, maps),
        "aupro_0.05": aupro(masks, maps, 0.05),
    }
    assert (figures.auroc(), figures.average_precision(), figures.aupro(0.05)) == (
        pixel_auroc(masks, maps),
        pixel_average_precision(masks, maps),
        aupro(masks, maps, 0.05),
    )


def test_figures_may_be_asked_for_between_images():
    masks, maps = made_up_test_set()
    figures = added(masks[:3], maps[:3])
    assert figures.figures() == added(masks[:3], maps[:3]).figures()
    for mask, heat in zip(masks[3:], maps[3:], strict=True):
        figures.add(mask, heat)
    assert figures.figures() == added(masks, maps).figures()


def test_the_order_of_images_does_not_matter():
    masks, maps = made_up_test_set()
    assert added(masks[::-1], maps[::-1]).figures() == pytest.approx(added(masks, maps).figures(), abs=1e-12)


def bytes_held(count):
    """Bytes that a hundred scratched images leave behind when ``count`` of them are added, and the peak above that."""
    figures, rng = PixelFigures(), np.random.default_rng(0)
    tracemalloc.start()
    try:
        for _ in range(count):
            figures.add(rng.random((64, 64)) < 0.1, rng.random((64, 64), np.float32))
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert figures.regions > 30 * count  # many regions, which must not be kept one by one
    return held, peak


def test_memory_does_not_grow_with_images_or_regions():
    few, many = bytes_held(5), bytes_held(100)
    assert many[0] < few[0] + 20_000  # one map of 64 x 64 would be 16 kB, a hundred 1.6 MB
    assert many[1] < few[1] + 500_000


def test_the_bins_take_a_hundred_megabytes_once():
    tracemalloc.start()
    try:
        figures = PixelFigures()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert figures.images == 0
    assert held < 101_000_000


def test_maps_are_taken_one_at_a_time():
    given, most = [], 0

    def maps():
        nonlocal most
        for _ in range(20):
            heat = np.arange(4.0).reshape(2, 2)
            given.append(weakref.ref(heat))
            most = max(most, sum(one() is not None for one in given))
            yield heat
            del heat

    assert pixel_auroc((np.eye(2) for _ in range(20)), maps()) == 0.5
    assert len(given) == 20
    assert most <= 2  # the last one, and the one that is being made


def test_inputs_are_not_changed_and_may_be_read_only():
    masks, maps = made_up_test_set()
    copies = [array.copy() for array in (*masks, *maps)]
    for array in (*masks, *maps):
        array.flags.writeable = False
    assert added(masks, maps).figures() == added([m.astype(np.uint8) for m in masks], maps).figures()
    for array, copy in zip((*masks, *maps), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("figure", FIGURES)
def test_masks_have_to_fit_their_maps(figure):
    with pytest.raises(ShapeError, match=r"mask 0 has shape \(2, 2\) but its map \(3, 3\)"):
        figure([np.eye(2)], [np.ones((3, 3))])
    with pytest.raises(ShapeError, match="Give one mask for each map"):
        figure([np.eye(2)], [])
    with pytest.raises(ShapeError, match="Give one mask for each map"):
        figure([np.eye(2)], [np.ones((2, 2))] * 2)
    with pytest.raises(InputError, match="0 bad and 4 good pixels came"):
        figure([np.zeros((2, 2))], [np.ones((2, 2))])
    with pytest.raises(InputError, match="0 bad and 0 good pixels came"):
        figure([], [])


@pytest.mark.parametrize(
    ("mask", "heat", "error", "text"),
    [
        (np.full((2, 2), 255), np.ones((2, 2)), InputError, "mask 1 must be true or 1"),
        (np.eye(2)[None], np.ones((1, 2, 2)), ShapeError, r"have shape \(1, 2, 2\), but those of one image, \(H, W\)"),
        (np.eye(2), np.array([[1, np.inf], [0, 1]]), NonFiniteError, "map 1 holds infinity"),
        (np.eye(2), np.full((2, 2), 1e300), NonFiniteError, "too large for float32"),
        (np.eye(2), np.ones((2, 2), bool), ShapeError, "map 1 holds bool values"),
        (np.ones((0, 3)), np.ones((0, 3)), EmptyInputError, "mask 1: there are none"),
    ],
)
def test_what_cannot_be_counted_is_refused_and_leaves_what_was_counted(mask, heat, error, text):
    figures = added([np.eye(2)], [np.arange(4.0).reshape(2, 2)])
    before = figures.figures()
    with pytest.raises(error, match=text):
        figures.add(mask, heat)
    assert figures.figures() == before
    assert figures.images == 1


@pytest.mark.parametrize("limit", [0, -0.1, 1.01, 30, NAN, True, "0.3", None])
def test_a_limit_that_is_no_share_is_refused(limit):
    with pytest.raises(InputError, match="above 0 and up to 1"):
        aupro([np.eye(2)], [np.ones((2, 2))], limit)
    with pytest.raises(InputError, match="above 0 and up to 1"):
        added([np.eye(2)], [np.ones((2, 2))]).aupro(limit)
