"""A whole benchmark as one HTML file: which parts fail, why, and all figures; nothing has to stand beside it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_plugin.atomic_file import replacing
from patchcore_plugin.benchmark.curves import Line, pro_chart, shots_chart
from patchcore_plugin.benchmark.protocol import images_in_words
from patchcore_plugin.benchmark.tables import by_category, costs, few_images, overview
from patchcore_plugin.benchmark.why import Defect, Mistake, Verdict, defects, false_alarms, misses, verdict
from patchcore_plugin.metrics import roc_curve
from patchcore_plugin.report.charts import Series, histogram, roc_chart
from patchcore_plugin.report.data_uri import data_uri
from patchcore_plugin.report.findings import per_hundred
from patchcore_plugin.report.heat_map import colour_bar
from patchcore_plugin.report.templates import template_environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import jinja2

    from patchcore_plugin.benchmark.record import Record
    from patchcore_plugin.benchmark.summary import Spread, Summary
    from patchcore_plugin.benchmark.tables import Table

PRO_LIMIT = 0.3


@dataclass(frozen=True)
class About:
    """What the page says of the benchmark besides its figures. ``backbones`` by the name of the configuration."""

    layout: str
    backbones: Mapping[str, str]
    command: str


@dataclass(frozen=True)
class Detail:
    """One category of one configuration: who is missed and why, and the curves of its first seed."""

    category: str
    auroc: Spread
    verdict: Verdict
    defects: list[Defect]
    misses: list[Mistake]
    false_alarms: list[Mistake]
    seed: int
    charts: dict[str, str]


def write_page(path: Path, summary: Summary, about: About) -> None:
    """Write the page, whole or not at all.

    Raises: MissingLibraryError without jinja2; OutputError when the file cannot be written.
    """
    text = render_page(summary, about)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def render_page(summary: Summary, about: About) -> str:
    """Give the page as text; see ``write_page``."""
    shots, best = summary.shots[0], summary.best(summary.shots[0])
    names = (best, *(name for name in summary.configurations if name != best))
    details = {name: [_detail(summary, name, shots, category) for category in summary.categories] for name in names}
    return _environment().get_template("page.html.j2").render(
        about=about,
        summary=summary,
        best=best,
        details={name: sorted(found, key=lambda one: one.auroc.mean) for name, found in details.items()},
        overall=verdict(summary.of(best, shots)),
        learned=images_in_words(shots),
        masks="pixel_auroc" in summary.figures,
        tables=_tables(summary, about),
        few=_few(summary) if len(summary.shots) > 1 else "",
        costs=costs(summary),
        bar=data_uri(colour_bar(360, 14), "PNG"),
        settings={name: _settings(summary.of(name, shots)[0]) for name in names},
        versions=summary.records[0].identity["versions"],
    )  # fmt: skip


def _tables(summary: Summary, about: About) -> list[Table]:
    shots = summary.shots[0]
    found = [overview(summary, about.layout, about.backbones, shots)]
    if len(summary.shots) > 1:
        found.append(few_images(summary, about.layout, about.backbones))
    return [*found, *(by_category(summary, name, shots) for name in summary.configurations)]


def _detail(summary: Summary, configuration: str, shots: int | None, category: str) -> Detail:
    records = summary.of(configuration, shots, category)
    return Detail(
        category=category,
        auroc=summary.figure("image_auroc", configuration, shots, category),
        verdict=verdict(records),
        defects=defects(records),
        misses=misses(records),
        false_alarms=false_alarms(records),
        seed=records[0].seed,
        charts=_charts(records[0]),
    )


def _charts(record: Record) -> dict[str, str]:
    """Draw the curves of one run: an average over several would be none of them."""
    bad = np.array([one.bad for one in record.images])
    scores = np.array([one.score for one in record.images])
    series = [Series("good", "good", scores[~bad]), Series("defective", "bad", scores[bad])]
    point = (record.figures["false_alarms_at_threshold"], record.figures["found_at_threshold"])
    false, found, _ = roc_curve(bad, scores)
    charts = {
        "histogram": histogram(series, record.threshold),
        "roc": roc_chart(false, found, point, record.figures["image_auroc"]),
    }
    if record.curve is not None:
        line = Line("overlap", *record.curve)
        charts["pro"] = pro_chart(line, PRO_LIMIT, record.figures[f"aupro_{PRO_LIMIT}"])
    return charts


def _few(summary: Summary) -> str:
    """Draw how much more images help; "all" stands at the mean number that all were."""
    runs = [one.cost.learned_images for one in summary.records if one.shots is None]
    everything = round(sum(runs) / len(runs)) if runs else 0
    counts = sorted(summary.shots, key=lambda shots: (shots is None, shots or 0))
    x = [float(shots or everything) for shots in counts]
    lines = [
        Line(name, x, [summary.figure("image_auroc", name, shots).mean for shots in counts])
        for name in summary.configurations
    ]
    return shots_chart(lines, int(max(x)))


def _settings(record: Record) -> dict[str, str]:
    sections: dict[str, dict[str, Any]] = record.identity["settings"]
    return {
        name: "; ".join(f"{option} {_plain(value)}" for option, value in section.items())
        for name, section in sections.items()
    }


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_plain(one) for one in value)
    if isinstance(value, dict):
        return " ".join(_plain(one) for one in value.values())
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _environment() -> jinja2.Environment:
    environment = template_environment(_source, "the page")
    environment.filters |= {"hundred": _hundred, "short": lambda name: PurePosixPath(name).name, "percent": _percent}
    environment.globals |= {"abs": abs}
    return environment


def _source(name: str) -> str:
    """Find a template here, and the style sheet with the report's."""
    package = "patchcore_plugin.benchmark" if name.endswith(".j2") or name == "more.css" else "patchcore_plugin.report"
    return files(package).joinpath(name).read_text(encoding="utf-8")


def _hundred(share: float) -> str:
    """Say a share as so many of 100; never 0 or 100 unless it is exactly that."""
    return per_hundred(round(share * 1_000_000), 1_000_000)


def _percent(share: float | None) -> str:
    """Write a share that may be small with two digits that count."""
    return "" if share is None else f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"
