"""Markdown: a page that people read in a pull request or beside a package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from patchcore_conformance.report import KIT
from patchcore_conformance.telling import (
    level_in_words,
    needs_telling,
    not_claimed,
    not_here,
    rerun_command,
    result_in_words,
)
from patchcore_conformance.verdicts import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from patchcore_conformance.report import Report
    from patchcore_conformance.result import Result


def write(report: Report, folder: Path) -> list[Path]:
    """Write report.md."""
    path = folder / "report.md"
    path.write_text(page(report), encoding="utf-8")
    return [path]


def page(report: Report) -> str:
    """Return the whole page."""
    counts = ", ".join(f"{count} {verdict.value}" for verdict, count in sorted(report.counts().items()))
    blocks = [
        f"# {report.kind} `{report.subject}`: {report.outcome}",
        f"Level: **{level_in_words(report)}**. {counts or 'Nothing was checked'}.",
        _table(report),
        *([_list("Not claimed", not_claimed(report))] if not_claimed(report) else []),
        *([_list("Not judged here", not_here(report))] if not_here(report) else []),
        *([_list("Expected failures", _expected(report))] if _expected(report) else []),
        *([_list("To be corrected", list(report.complaints))] if report.complaints else []),
        *(_told(report, result) for result in needs_telling(report)),
        _made_by(report),
    ]
    return "\n\n".join(blocks) + "\n"


def _table(report: Report) -> str:
    rows = ["| law | verdict | worst margin | witnesses | what holds |", "|---|---|---|---|---|"]
    for result in report.results:
        margin = "" if result.worst_margin is None else f"{result.worst_margin:.2g}"
        statement = report.law(result.id).statement
        cells = (result.id, result.verdict.value, margin, str(result.witnesses or ""), statement)
        rows.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return "\n".join(rows)


def _cell(text: str) -> str:
    return text.replace("\n", " ").replace("|", "\\|").replace("<", "&lt;")


def _list(title: str, entries: list[str]) -> str:
    return "\n".join([f"## {title}", "", *(f"- {_cell(entry)}" for entry in entries)])


def _expected(report: Report) -> list[str]:
    return [f"{one.id}: {one.reason}: {one.message}" for one in report.results if one.verdict is Verdict.XFAIL]


def _told(report: Report, result: Result) -> str:
    title, *lines = result_in_words(result, report.law(result.id))
    fence = "````"  # longer than any that a traceback is likely to hold
    return "\n".join([f"## {title}", "", f"{fence}text", *lines, f"again:  {rerun_command(report, result.id)}", fence])


def _made_by(report: Report) -> str:
    origin = f" of {report.distribution}" if report.distribution else ""
    env = ", ".join(f"{name} {value}" for name, value in report.env.items())
    return (
        f"Subject{origin}; laws {report.claims.spec} ({report.laws_digest}), kit {KIT}, profile {report.profile}, "
        f"seed {report.seed}, {report.made}; {env}."
    )
