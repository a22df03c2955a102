"""AUPRO beside anomalib's, which keeps all pixels and sorts them."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from made_up_maps import FAMILIES, SAME_SIZE, SIZES, flat, made_up_test_set

from patchcore_plugin.metrics import PixelFigures, aupro

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # anomalib imports modules that it and timm have deprecated
    from anomalib.metrics import AUPRO


def theirs(masks, maps, limit):
    """anomalib's own metric, fed as its engine feeds it, one image a batch."""
    metric = AUPRO(fields=["anomaly_map", "gt_mask"], fpr_limit=limit)
    for mask, heat in zip(masks, maps, strict=True):
        metric.update(SimpleNamespace(anomaly_map=torch.tensor(heat)[None], gt_mask=torch.tensor(mask)[None].int()))
    return metric.compute().item()


def theirs_of_many_sizes(masks, maps, limit):
    """Their curve, on pixels in one row: their batches take images of one size only, their curve does not ask."""
    metric = AUPRO(fields=["anomaly_map", "gt_mask"], fpr_limit=limit)
    regions, before = [], 0
    for mask in masks:
        metric.reset()
        metric.update(SimpleNamespace(anomaly_map=torch.zeros(1, *mask.shape), gt_mask=torch.tensor(mask)[None].int()))
        numbers = metric.perform_cca().numpy()
        regions.append(np.where(numbers > 0, numbers + before, 0))
        before = int(max(before, regions[-1].max()))
    rate, overlap = metric.compute_pro(torch.tensor(flat(regions)), torch.tensor(flat(maps)))
    return (torch.trapezoid(overlap, rate) / rate[-1]).item()


@pytest.mark.parametrize("limit", [0.3, 0.05, 1.0])
@pytest.mark.parametrize("family", FAMILIES)
def test_aupro_is_anomalibs(family, limit):
    masks, maps = made_up_test_set(SAME_SIZE, family=family)
    expected = theirs(masks, maps, limit)
    assert 0.01 < expected < 0.95  # neither nothing nor perfect, where many a wrong figure would pass
    assert aupro(masks, maps, limit) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_aupro_of_images_of_different_sizes_is_anomalibs(family):
    masks, maps = made_up_test_set(SIZES, seed=1, family=family)
    figures = PixelFigures()
    for mask, heat in zip(masks, maps, strict=True):
        figures.add(mask, heat)
    found = figures.figures()
    assert found["aupro_0.3"] == pytest.approx(theirs_of_many_sizes(masks, maps, 0.3), abs=1e-4)
    assert found["aupro_0.05"] == pytest.approx(theirs_of_many_sizes(masks, maps, 0.05), abs=1e-4)


def test_both_ways_to_ask_anomalib_agree():
    masks, maps = made_up_test_set(SAME_SIZE)
    assert theirs_of_many_sizes(masks, maps, 0.3) == pytest.approx(theirs(masks, maps, 0.3), abs=1e-6)
