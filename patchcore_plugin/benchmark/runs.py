"""One run: learn, score, compare with the truth, take the time and the memory."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_plugin.benchmark.heat_places import heat_scale, hottest_on_defect, picture_of
from patchcore_plugin.benchmark.peak_memory import PeakMemory
from patchcore_plugin.benchmark.record import Cost, Picture, Record, Seen
from patchcore_plugin.calibration import Calibration
from patchcore_plugin.datasets.split import GOOD
from patchcore_plugin.detector import PatchCore
from patchcore_plugin.evaluation import auroc_by_defect, defect_mask, figures_of_merit
from patchcore_plugin.images import read_image
from patchcore_plugin.intervals import bootstrap_interval
from patchcore_plugin.metrics import image_auroc
from patchcore_plugin.pixel_figures import PixelFigures

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from patchcore_plugin.benchmark.features import Features
    from patchcore_plugin.benchmark.protocol import Run
    from patchcore_plugin.datasets.split import Split, TestImage
    from patchcore_plugin.progress import Progress
    from patchcore_plugin.scores import Scores

COMPARING = "comparing with masks"
WORST = 8  # false alarms that get pictures
WORST_OF_A_KIND = 4  # misses of one kind of defect that do
_CURVE_POINTS = 160


@dataclass(frozen=True)
class Verdicts:
    """Which images raise an alarm, at which threshold, and where that came from."""

    alarm: npt.NDArray[np.bool_]
    threshold: float
    source: str


@dataclass(frozen=True)
class Places:
    """What masks tell: pixel figures, the PRO curve; of each image its defect's size and whether heat lies on it."""

    figures: dict[str, float]
    curve: tuple[list[float], list[float]] | None
    shares: Sequence[float | None]
    on_defect: Sequence[bool | None]


def carry_out(
    run: Run,
    split: Split,
    identity: dict[str, Any],
    *,
    root: Path,
    pixels: bool,
    features: Features,
    progress: Progress,
) -> Record:
    """Do one run.

    Raises: whatever fitting, scoring and reading masks raise.
    Cost:   a fit, a score of every test image, and where ``pixels`` is set a heat map of each.
    """
    started = time.perf_counter()
    scores, cost = _measured(run, split, features, progress)
    kinds = tuple(one.kind for one in split.test)
    bad = np.array([kind != GOOD for kind in kinds])
    figures = figures_of_merit(scores, bad)
    verdicts = _verdicts(scores, bad)
    figures["found_at_threshold"] = float(verdicts.alarm[bad].mean())
    figures["false_alarms_at_threshold"] = float(verdicts.alarm[~bad].mean())
    places = _places(scores, split.test, progress) if pixels else _no_places(len(kinds))
    names = [_below(one.path, root) for one in split.test]
    return Record(
        identity=identity,
        figures=figures | places.figures,
        interval=bootstrap_interval(image_auroc, bad, scores.image),
        by_defect=auroc_by_defect(scores, kinds),
        threshold=verdicts.threshold,
        threshold_from=verdicts.source,
        cost=cost,
        images=tuple(
            Seen(
                names[i],
                kinds[i],
                float(scores.image[i]),
                bool(verdicts.alarm[i]),
                places.shares[i],
                places.on_defect[i],
            )
            for i in range(len(kinds))
        ),
        pictures=tuple(_pictures(scores, split.test, names, verdicts, pixels=pixels)),
        curve=places.curve,
        wall_seconds=time.perf_counter() - started,
    )


def _measured(run: Run, split: Split, features: Features, progress: Progress) -> tuple[Scores, Cost]:
    """Fit and score. Images for the threshold are scored like any other, and are never learned from."""
    detector = PatchCore(run.configuration.for_seed(run.seed))
    detector.warm_up(progress=progress)
    detector.parts = features.remembering(detector.parts)
    with PeakMemory() as memory:
        with features.timing() as fit:
            detector.fit(split.fit, progress=progress)
        held_out = detector.score(split.calibrate).image if split.calibrate else None
        with features.timing() as score:
            scores = detector.score([one.path for one in split.test], progress=progress)
    if held_out is not None:
        scores = replace(scores, calibration=Calibration(held_out, detector.settings.calibration.false_alarm_rate))
    cost = Cost(
        fit_seconds=fit.seconds,
        score_ms=None if score.seconds is None else 1000 * score.seconds / len(scores),
        peak_bytes=memory.bytes or None,
        learned_images=len(split.fit),
        bank_rows=len(detector.bank),
    )
    return scores, cost


def _verdicts(scores: Scores, bad: npt.NDArray[np.bool_]) -> Verdicts:
    """Decide by the calibrated threshold; where nothing was held out, by the one that keeps the rate in hindsight."""
    if scores.calibration is not None:
        threshold, source = scores.calibration.threshold, "calibration"
    else:
        good = np.sort(scores.image[~bad])[::-1]
        allowed = int(scores.settings.calibration.false_alarm_rate * len(good) + 1e-9)
        threshold, source = float(good[allowed]), "hindsight"
    return Verdicts(scores.image > threshold, threshold, source)


def _places(scores: Scores, test: Sequence[TestImage], progress: Progress) -> Places:
    """Compare heat maps with masks, one image at a time, each at the image's own size."""
    pixels, grid = PixelFigures(), scores.patch.shape[1:3]
    shares: list[float | None] = []
    on_defect: list[bool | None] = []
    for i, image in enumerate(test):
        heat = scores.map(i)
        mask = defect_mask(image.masks, (heat.shape[0], heat.shape[1]))
        pixels.add(mask, heat)
        marked = bool(mask.any())
        shares.append(float(mask.mean()) if marked else None)
        on_defect.append(hottest_on_defect(mask, heat, (grid[0], grid[1])) if marked else None)
        progress(COMPARING, i + 1, len(test))
    return Places(pixels.figures(), _thinned(*pixels.pro_curve()), shares, on_defect)


def _no_places(count: int) -> Places:
    return Places({}, None, [None] * count, [None] * count)


def _thinned(alarms: npt.NDArray[np.float64], overlap: npt.NDArray[np.float64]) -> tuple[list[float], list[float]]:
    """Keep as many points as a chart can show, most of them at the low rates of false alarms that are looked at."""
    at = np.r_[0.0, np.geomspace(1e-5, 1.0, _CURVE_POINTS)]
    drawn = np.asarray(np.interp(at, alarms, overlap))
    return [float(f"{x:.6g}") for x in at.tolist()], [float(f"{y:.6g}") for y in drawn.tolist()]


def _pictures(
    scores: Scores, test: Sequence[TestImage], names: Sequence[str], verdicts: Verdicts, *, pixels: bool
) -> Iterator[Picture]:
    """Draw the misses with the lowest scores, of each kind of defect, and the false alarms with the highest."""
    kinds = np.array([one.kind for one in test])
    scale = heat_scale(scores.patch[kinds == GOOD], verdicts.threshold)
    for i in _worst(scores, kinds, verdicts):
        heat = scores.map(i)
        mask = defect_mask(test[i].masks, (heat.shape[0], heat.shape[1])) if pixels else None
        white_level = scores.settings.images.white_level
        yield picture_of(names[i], read_image(test[i].path), heat, mask, scale, white_level)


def _worst(scores: Scores, kinds: npt.NDArray[np.str_], verdicts: Verdicts) -> Iterator[int]:
    order = np.argsort(scores.image, kind="stable")
    for kind in sorted(set(kinds.tolist()) - {GOOD}):
        missed = [int(i) for i in order if kinds[i] == kind and not verdicts.alarm[i]]
        yield from missed[:WORST_OF_A_KIND]
    alarms = [int(i) for i in order[::-1] if kinds[i] == GOOD and verdicts.alarm[i]]
    yield from alarms[:WORST]


def _below(path: Path, root: Path) -> str:
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
