"""Finished benchmark runs that tests make up: scores of a few images, without anything being computed."""

from __future__ import annotations

import numpy as np

from patchcore_plugin.benchmark.record import Cost, Picture, Record, Seen
from patchcore_plugin.metrics import best_f1, image_auroc

DOT = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="  # one pixel
PIXEL_FIGURES = ("pixel_auroc", "pixel_average_precision", "aupro_0.3", "aupro_0.05")
SETTINGS = {"calibration": {"holdout": 0.0, "false_alarm_rate": 0.05}, "images": {"size": [64, 64], "crop": None}}


def identity(category="tile", configuration="default", shots=None, seed=0, **more):
    return {
        "layout": "made-up", "category": category, "configuration": configuration, "shots": shots, "seed": seed,
        "settings": SETTINGS, "versions": {"patchcore-plugin": "0.1.0"},
    } | more  # fmt: skip


def seen(kind, scores, threshold=5.0, *, share=0.01, on=True):
    """Images of one kind; bad ones get a mask of ``share``, with heat ``on`` it or not; share None: no masks."""
    return [
        Seen(f"{kind}/{score:g}.png", kind, float(score), score > threshold)
        if kind == "good" or share is None
        else Seen(f"{kind}/{score:g}.png", kind, float(score), score > threshold, share, on)
        for score in scores
    ]


def record(images, *, threshold=5.0, source="calibration", pixels=None, cost=None, wall=10.0, **names):
    bad, scores = np.array([one.bad for one in images]), np.array([one.score for one in images])
    alarm = scores > threshold
    f1, best = best_f1(bad, scores)
    good = [one.score for one in images if not one.bad]
    kinds = sorted({one.kind for one in images if one.bad})
    by_kind = {kind: [one.score for one in images if one.kind == kind] for kind in kinds}
    return Record(
        identity=identity(**names),
        figures={
            "image_auroc": image_auroc(bad, scores), "average_precision": 0.9, "best_f1": f1, "best_f1_threshold": best,
            "found_at_threshold": float(alarm[bad].mean()), "false_alarms_at_threshold": float(alarm[~bad].mean()),
        } | ({} if pixels is None else dict.fromkeys(PIXEL_FIGURES, pixels)),
        interval=(0.5, 1.0),
        by_defect={
            kind: image_auroc([1] * len(found) + [0] * len(good), [*found, *good]) for kind, found in by_kind.items()
        },
        threshold=threshold,
        threshold_from=source,
        cost=cost or Cost(2.0, 10.0, 2**28, 20, 99),
        images=tuple(images),
        pictures=tuple(Picture(one.name, DOT, DOT, 40, 20) for one in images if one.alarm != one.bad),
        curve=None if pixels is None else ([0.0, 0.1, 0.3, 1.0], [0.0, 0.6, 0.8, 1.0]),
        wall_seconds=wall,
    )  # fmt: skip
