"""The results as files: tables to read, rows for a spreadsheet, everything but the pictures for programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from patchcore_plugin.atomic_file import replacing
from patchcore_plugin.benchmark.protocol import ALL_IMAGES
from patchcore_plugin.benchmark.summary import FIGURES
from patchcore_plugin.result_files import write_csv

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from patchcore_plugin.benchmark.record import Record
    from patchcore_plugin.benchmark.summary import Summary
    from patchcore_plugin.benchmark.tables import Table


def write_markdown(path: Path, tables: Sequence[Table], command: str) -> None:
    """Write all tables with the command that makes them."""
    with replacing(path) as temporary:
        text = "\n".join(table.to_markdown() for table in tables)
        temporary.write_text(f"{text}\n```text\n{command}\n```\n", encoding="utf-8")


def write_rows(path: Path, summary: Summary) -> None:
    """Write one line of CSV per run; a figure that there is none of is an empty field."""
    write_csv(path, [_row(record) for record in summary.records])


def write_json(path: Path, summary: Summary, layout: str, command: str) -> None:
    """Write means and spreads, and every run with the score of every image; shares are 0..1."""
    runs = [{**record.to_dict(), "pictures": None} for record in summary.records]
    data = {"layout": layout, "command": command, "summary": _means(summary), "runs": runs}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def _row(record: Record) -> dict[str, Any]:
    thresholds = ("found_at_threshold", "false_alarms_at_threshold")
    return {
        "category": record.category,
        "configuration": record.configuration,
        "learned_from": ALL_IMAGES if record.shots is None else record.shots,
        "seed": record.seed,
        **{name: record.figures.get(name) for name in FIGURES},
        "image_auroc_low": record.interval[0],
        "image_auroc_high": record.interval[1],
        "threshold": record.threshold,
        "threshold_from": record.threshold_from,
        **{name: record.figures[name] for name in thresholds},
        **asdict(record.cost),
    }


def _means(summary: Summary) -> list[dict[str, Any]]:
    """One entry per configuration, number of images and category; category None is the average of all."""
    return [
        {
            "category": category,
            "configuration": configuration,
            "learned_from": ALL_IMAGES if shots is None else shots,
            "figures": {name: asdict(summary.figure(name, configuration, shots, category)) for name in summary.figures},
        }
        for configuration in summary.configurations
        for shots in summary.shots
        for category in (*summary.categories, None)
    ]
