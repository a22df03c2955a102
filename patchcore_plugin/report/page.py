"""One HTML file that shows a whole run: opens anywhere, offline, without scripts; nothing has to stand beside it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from patchcore_plugin.atomic_file import replacing
from patchcore_plugin.report.charts import Series, histogram, roc_chart
from patchcore_plugin.report.data_uri import data_uri
from patchcore_plugin.report.findings import (
    Ranked,
    choose_shown,
    count_outcomes,
    decide,
    in_hundreds,
    in_words,
    judge,
    per_hundred,
    rank,
    worst_mistakes,
)
from patchcore_plugin.report.heat_map import colour_bar, shrink
from patchcore_plugin.report.report_data import Entry, Picture, ReportData
from patchcore_plugin.report.templates import template_environment

if TYPE_CHECKING:
    import os

    import jinja2

    from patchcore_plugin.report.findings import Counts, Quality

__all__ = ["Entry", "ReportData", "render_page", "write_page"]

# Figures that the page computes itself, or says in its headline, are not shown a second time.
_SAID_ANYWAY = frozenset(
    {
        "image_auroc",
        "average_precision",
        "best_f1",
        "best_f1_threshold",
        "threshold",
        "found_at_threshold",
        "false_alarms_at_threshold",
    }
)
_LONGEST = 320  # pixels of a picture's longer side: enough to judge, small enough for a hundred of them in one file


def write_page(path: str | os.PathLike[str], report: ReportData) -> None:
    """Write the report as one self-contained HTML file, whole or not at all.

    Raises: MissingLibraryError without jinja2; OutputError when the file cannot be written.
    Cost:   only the pictures that are shown are made, one at a time.
    """
    text = render_page(report)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def render_page(report: ReportData) -> str:
    """Give the page as text; see ``write_page``."""
    template = _environment().get_template("page.html.j2")
    quality = judge(report)
    ranked, in_hindsight = decide(rank(report), quality)
    threshold = quality.f1_threshold if in_hindsight and quality else report.threshold
    counts = count_outcomes(ranked)
    return template.render(
        report=report,
        quality=quality,
        ranked=ranked,
        counts=counts,
        figures={name.replace("_", " "): value for name, value in report.metrics.items() if name not in _SAID_ANYWAY},
        in_hindsight=in_hindsight,
        threshold=threshold,
        groups=choose_shown(ranked, threshold),
        mistakes=worst_mistakes(ranked),
        histogram=_histogram(ranked, threshold, in_hindsight),
        roc=_roc(quality, counts) if quality else "",
        bar=data_uri(colour_bar(360, 14), "PNG"),
        threshold_place=_place_on_bar(threshold, report.scale),
    )


def _environment() -> jinja2.Environment:
    here = files("patchcore_plugin.report")
    environment = template_environment(lambda name: here.joinpath(name).read_text(encoding="utf-8"), "the report page")
    environment.filters |= {"number": _number, "score": _score, "share": _share, "picture": _picture, "href": quote}
    environment.globals |= {"in_words": in_words, "in_hundreds": in_hundreds, "per_hundred": per_hundred}
    return environment


def _histogram(ranked: list[Ranked], threshold: float | None, in_hindsight: bool) -> str:
    unlabelled = "inspected" if all(one.entry.label is None for one in ranked) else "without a label"
    kinds = ((False, "good", "good"), (True, "defective", "bad"), (None, unlabelled, "unknown"))
    scores = {label: np.array([one.entry.score for one in ranked if one.entry.label is label]) for label, _, _ in kinds}
    series = [Series(title, style, scores[label]) for label, title, style in kinds if len(scores[label])]
    return histogram(series, threshold, "best F1 at" if in_hindsight else "threshold")


def _roc(quality: Quality, counts: Counts | None) -> str:
    point = None
    if counts and counts.found + counts.missed and counts.false_alarms + counts.passed:
        good, bad = counts.false_alarms + counts.passed, counts.found + counts.missed
        point = (counts.false_alarms / good, counts.found / bad)
    return roc_chart(*quality.roc, point, quality.auroc)


def _place_on_bar(threshold: float | None, scale: tuple[float, float]) -> float | None:
    """Say where the threshold stands on the colour bar, in percent of its length; None: not on it."""
    if threshold is None or not scale[0] <= threshold <= scale[1]:
        return None
    return round(100 * (threshold - scale[0]) / (scale[1] - scale[0]), 1)


def _number(value: Any) -> str:
    """Write numbers with four digits that count, several values in one line, and anything else as it is."""
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        return "; ".join(f"{name} {_number(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_number(one) for one in value)
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)


def _score(value: float) -> str:
    """Write a score with four digits, trailing zeros too, so that a column of them lines up."""
    return f"{value:#.4g}" if value == 0 or 1e-3 <= abs(value) < 1e4 else f"{value:.4g}"


def _share(value: float) -> str:
    """Write a p-value: two digits that count."""
    return f"{value:.2g}"


def _picture(picture: Picture) -> str:
    """Turn a picture, or the function that makes it, into a data URI; empty where there is none."""
    made = picture() if callable(picture) else picture
    return "" if made is None else data_uri(shrink(made, _LONGEST), "JPEG")
