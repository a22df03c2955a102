"""Reports that tests make up: entries with scores and labels, without pictures."""

from __future__ import annotations

from patchcore_plugin.report.report_data import Entry, ReportData


def report(entries, **more):
    return ReportData(**{"title": "Cells", "intro": "Some cells.", "entries": entries, "scale": (0.0, 10.0)} | more)


def labelled(bad, good, **more):
    return report(
        [Entry(name=f"bad/{score}.png", score=score, label=True) for score in bad]
        + [Entry(name=f"good/{score}.png", score=score, label=False) for score in good],
        **more,
    )
