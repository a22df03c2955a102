"""Pixel figures, counted in bins in one pass, beside scikit-learn's over all pixels at once."""

from __future__ import annotations

import pytest
from made_up_maps import FAMILIES, SAME_SIZE, SIZES, flat, made_up_test_set
from sklearn.metrics import average_precision_score, roc_auc_score

from patchcore_plugin.metrics import PixelFigures, pixel_auroc, pixel_average_precision


@pytest.mark.parametrize("sizes", [SAME_SIZE, SIZES], ids=["one size", "five sizes"])
@pytest.mark.parametrize("family", FAMILIES)
def test_pixel_figures_are_those_of_all_pixels_at_once(family, sizes):
    masks, maps = made_up_test_set(sizes, family=family)
    auroc = roc_auc_score(flat(masks), flat(maps))
    precision = average_precision_score(flat(masks), flat(maps))
    assert 0.55 < auroc < 0.95  # neither chance nor perfect, where many a wrong figure would pass
    assert pixel_auroc(masks, maps) == pytest.approx(auroc, abs=1e-4)
    assert pixel_average_precision(masks, maps) == pytest.approx(precision, abs=1e-4)


def test_the_unit_of_the_scores_does_not_matter():
    masks, maps = made_up_test_set()
    plain = PixelFigures(), PixelFigures(), PixelFigures()
    for figures, unit in zip(plain, (1.0, 1e-6, 1e9), strict=True):
        for mask, heat in zip(masks, maps, strict=True):
            figures.add(mask, heat * unit)
    expected = plain[0].figures()
    assert plain[1].figures() == pytest.approx(expected, abs=1e-4)
    assert plain[2].figures() == pytest.approx(expected, abs=1e-4)


def test_scores_closer_than_a_bin_count_as_equal():
    """What the bins cost, so that it stands somewhere: 1000.00 and 1000.01 are one score, 1000 and 1001 are two."""
    masks = [[[True, False]]]
    assert pixel_auroc(masks, [[[1000.01, 1000.0]]]) == 0.5
    assert pixel_auroc(masks, [[[1001.0, 1000.0]]]) == 1.0
