"""How well heat maps tell defect pixels from good ones, over all pixels of any number of images, in one pass.

Three rules hold for every figure here:

- Pixels are counted in bins as wide as 0.012 % of the score (see ``score_bins``); pixels of one bin count as equal.
  Scores that differ among each other by less than that, such as 1000.01 and 1000.02, cannot be told apart.
- Pixels that are NaN in a map were never seen by the network and take no part, neither good nor bad. A region of which
  only a part was seen counts by that part; one that was seen nowhere does not count at all, not even as missed.
  ``PixelFigures.unseen_regions`` says how many these were.
- Regions are the parts of a mask that hang together, corners included. One region counts as much as any other.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from patchcore_plugin.areas import Floats, overlap_area, precision_area, roc_area
from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.defect_regions import regions_of
from patchcore_plugin.errors import InputError, NonFiniteError, ShapeError
from patchcore_plugin.label_checks import checked_labels, require_both
from patchcore_plugin.score_bins import BINS, bins_of
from patchcore_reference.checks import require_real

if TYPE_CHECKING:
    from collections.abc import Iterable

LIMITS = (0.3, 0.05)  # of AUPRO: the usual one of MVTec AD, and the stricter one of its successors
_NOTHING = object()


def pixel_auroc(masks: Iterable[Any], maps: Iterable[Any]) -> float:
    """Area under the ROC curve over all pixels: how often a defect pixel scores above a good one, equal ones half.

    Shapes: masks bool or 0 and 1 (H, W), true for defect; maps float (H, W), one each per image; sizes may differ.
    Raises: as ``PixelFigures.add``; ShapeError when there are more masks than maps or the other way round;
            InputError for only good or only bad pixels.
    Cost:   as ``PixelFigures``.
    """
    return _counted(masks, maps).auroc()


def pixel_average_precision(masks: Iterable[Any], maps: Iterable[Any]) -> float:
    """Mean of the precision over all pixels at each threshold, weighted by the rise in recall (no interpolation).

    By chance it is the share of defect pixels, often under one percent, so small values may still be good ones.

    Shapes: as ``pixel_auroc`` -> 0..1.
    Raises: as ``pixel_auroc``.
    Cost:   as ``PixelFigures``.
    """
    return _counted(masks, maps).average_precision()


def aupro(masks: Iterable[Any], maps: Iterable[Any], limit: float = 0.3) -> float:
    """Area under the curve of per-region overlap over false alarm rate, up to ``limit`` and divided by it.

    At each threshold: the share of its pixels that is found of each region, averaged over the regions of all images.

    Shapes: as ``pixel_auroc`` -> 0..1; by chance half the limit.
    Units:  limit is a share of the good pixels of all images.
    Raises: as ``pixel_auroc``; InputError for a limit that is not above 0 and up to 1.
    Cost:   as ``PixelFigures``.
    Source: Bergmann et al., "The MVTec Anomaly Detection Dataset", IJCV 129, 2021 (PRO curve).
    """
    _require_limit(limit)
    return _counted(masks, maps).aupro(limit)


class PixelFigures:
    """All pixel figures at once: ``add`` each mask with its map, then ask for ``figures``; more may be added later.

    Cost: 100 MB, however many images and regions there are, and a few times the image while it is added; at most 250 MB
          more while computing, usually next to nothing. 20 ms a megapixel; nothing is sorted.
    """

    def __init__(self) -> None:
        self.images = 0
        self.regions = 0
        self.unseen_regions = 0
        self._bad, self._good = (np.zeros(BINS, dtype=np.int64) for _ in range(2))
        self._shares = np.zeros(BINS)

    def add(self, mask: Any, heat: Any) -> None:
        """Count one image in; when it is refused, nothing has changed.

        Shapes: mask bool or 0 and 1 (H, W), true for defect; heat float (H, W), raw scores, NaN where unseen.
        Raises: ShapeError when the two differ in size or are not (H, W); InputError for a mask with other values;
                NonFiniteError for infinity; EmptyInputError.
        """
        labels, scores = self._checked(mask, heat)
        seen = ~np.isnan(scores)
        regions, bins = regions_of(labels, seen), bins_of(scores)
        bad = bins[labels & seen]
        np.add.at(self._good, bins[~labels & seen], 1)
        np.add.at(self._bad, bad, 1)
        np.add.at(self._shares, bad, regions.shares)
        self.images += 1
        self.regions += regions.seen
        self.unseen_regions += regions.unseen

    def figures(self) -> dict[str, float]:
        """Give ``pixel_auroc``, ``pixel_average_precision``, ``aupro_0.3`` and ``aupro_0.05``, each in 0..1.

        Raises: InputError unless both good and defect pixels were added.
        """
        curve = self._curve()
        return {
            "pixel_auroc": roc_area(curve.found, curve.alarms),
            "pixel_average_precision": precision_area(curve.found, curve.alarms),
            **{f"aupro_{limit}": overlap_area(curve.overlap, curve.alarms, limit) for limit in LIMITS},
        }

    def auroc(self) -> float:
        """Give what ``pixel_auroc`` says of the images so far."""
        curve = self._curve()
        return roc_area(curve.found, curve.alarms)

    def average_precision(self) -> float:
        """Give what ``pixel_average_precision`` says of the images so far."""
        curve = self._curve()
        return precision_area(curve.found, curve.alarms)

    def aupro(self, limit: float = 0.3) -> float:
        """Give what ``aupro`` says of the images so far."""
        _require_limit(limit)
        curve = self._curve()
        return overlap_area(curve.overlap, curve.alarms, limit)

    def pro_curve(self) -> tuple[Floats, Floats]:
        """Give the curve that AUPRO is the area under: false alarm rate and mean overlap at every threshold.

        Shapes: -> two arrays (T + 1,), T thresholds that some pixel reaches.
        Order:  from no pixel above the threshold to all, so both rise from 0 to 1.
        Raises: as ``figures``.
        """
        curve = self._curve()
        return np.r_[0.0, curve.alarms / curve.alarms[-1]], np.r_[0.0, curve.overlap]

    def _checked(self, mask: Any, heat: Any) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
        number = self.images
        labels, scores = checked_labels(mask, f"mask {number}"), as_numpy(heat, f"map {number}")
        if labels.shape != scores.shape:
            raise ShapeError(
                f"mask {number} has shape {labels.shape} but its map {scores.shape}. "
                "Resize the mask, nearest neighbour."
            )
        if labels.ndim != 2:
            raise ShapeError(
                f"mask {number} and its map have shape {labels.shape}, but those of one image, (H, W), are needed. "
                "Give the images one at a time, without channels."
            )
        require_real(scores, f"map {number}")
        with np.errstate(over="ignore"):
            scores = scores.astype(np.float32, copy=False)
        if np.isinf(scores).any():
            raise NonFiniteError(
                f"map {number} holds infinity, or numbers too large for float32. Repair what it was computed from; "
                "pixels that were not looked at are NaN."
            )
        return labels, scores

    def _curve(self) -> _Curve:
        """Give the counts at every threshold that some pixel reaches, from the highest score down."""
        require_both(int(self._bad.sum()), int(self._good.sum()), "pixels")
        used = np.flatnonzero((self._bad > 0) | (self._good > 0))[::-1]
        found, alarms, overlap = (
            np.cumsum(counts[used], dtype=np.float64) for counts in (self._bad, self._good, self._shares)
        )
        # Shares are sums of fractions, which may end a rounding error beyond the number of regions.
        return _Curve(found, alarms, np.minimum(overlap / self.regions, 1.0))


class _Curve(NamedTuple):
    found: Floats
    alarms: Floats
    overlap: Floats


def _counted(masks: Iterable[Any], maps: Iterable[Any]) -> PixelFigures:
    figures = PixelFigures()
    for mask, heat in zip_longest(masks, maps, fillvalue=_NOTHING):
        if mask is _NOTHING or heat is _NOTHING:
            raise ShapeError("there are more masks than maps or the other way round. Give one mask for each map.")
        figures.add(mask, heat)
    return figures


def _require_limit(limit: float) -> None:
    if isinstance(limit, bool) or not isinstance(limit, int | float | np.number) or not 0 < limit <= 1:
        raise InputError(
            f"limit is {limit!r}, but AUPRO needs a share of the good pixels, above 0 and up to 1. "
            "Usual are 0.3 and 0.05."
        )
