"""How the command talks: a table of laws, what is wrong and on which input, and errors that explain themselves."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from patchcore_conformance.telling import (
    level_in_words,
    needs_telling,
    not_claimed,
    not_here,
    replay_command,
    rerun_command,
    result_in_words,
    time_in_words,
)
from patchcore_conformance.verdicts import BAD, MISUSED, UNSETTLED, Verdict
from patchcore_conformance.violation import KitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from patchcore_conformance.law import Law
    from patchcore_conformance.report import Report
    from patchcore_conformance.result import Result

# Lines are not broken at the terminal's width: arrays and commands are copied from them.
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

_UNBROKEN = 1000  # characters; more than any table has
_OTHER_COLUMNS = 49  # characters of a line that are not what the law says
_OUTCOMES = {"conformant": "bold green", "conformant with exceptions": "bold yellow", "not conformant": "bold red"}


@contextmanager
def explained() -> Iterator[None]:
    """Turn a misuse of the kit into a message and exit code 2."""
    try:
        yield
    except KitError as problem:
        err.print("[bold red]Error:[/] ", end="")
        err.print(str(problem), markup=False)
        raise typer.Exit(MISUSED) from None


@contextmanager
def watching(title: str) -> Iterator[Callable[[Law], None]]:
    """Show which law is being checked, on a terminal; elsewhere nothing."""
    with err.status(escape(title)) as status:
        yield lambda law: status.update(f"{escape(title)}: {law.id} {escape(law.statement[:70])}")


def say(lines: Iterable[str]) -> None:
    """Print lines as they are."""
    for line in lines:
        out.print(line, markup=False)


def print_report(report: Report, written: Path | None = None) -> None:
    """Print one line a law, then a summary, then what is wrong; ``written`` is the report as JSON, if there is one."""
    print_table(_table(report))
    first: dict[str, str] = {}  # what a part raises in each law is told in the first of them
    for result in needs_telling(report):
        title, *lines = result_in_words(result, report.law(result.id))
        out.print(f"\n[{_style(result.verdict)}]{title}[/]")
        before = first.setdefault(result.message, result.id) if result.verdict is Verdict.ERROR else result.id
        if before != result.id:
            say([f"  found:  the error of {before}, once more"])
            continue
        say(f"  {line}" for line in lines)
        again = replay_command(written, result.id) if written else rerun_command(report, result.id)
        say([f"  read:   patchcore-conformance explain {result.id}", f"  again:  {again}"])
    _print_summary(report)


def _table(report: Report) -> Table:
    table = Table("law", "verdict", "margin", "witnesses", "time", "what holds", box=None, header_style="bold")
    for column in (2, 3, 4):
        table.columns[column].justify = "right"
    for result in report.results:
        verdict = f"[{_style(result.verdict)}]{result.verdict.value}[/]"
        statement = escape(_shortened(report.law(result.id).statement))
        seconds = f"{result.seconds:.2f} s" if result.seconds else ""
        table.add_row(result.id, verdict, _margin(result), str(result.witnesses or ""), seconds, statement)
    return table


def _shortened(text: str) -> str:
    """Cut a text that would take a second line of a terminal, beside the other columns."""
    left = max(out.width - _OTHER_COLUMNS, 20)
    return text if len(text) <= left or not out.is_terminal else f"{text[: left - 1]}…"


def print_table(table: Table) -> None:
    """Print a table: as wide as the terminal; where there is none, one line a row."""
    wide = out if out.is_terminal else Console(highlight=False, width=_UNBROKEN)
    wide.print(table, soft_wrap=False)


def _margin(result: Result) -> str:
    return "" if result.worst_margin is None else f"{result.worst_margin:.2g}"


def _style(verdict: Verdict) -> str:
    if verdict in BAD:
        return "bold red"
    return {Verdict.PASS: "green", **dict.fromkeys(UNSETTLED, "bold magenta")}.get(verdict, "yellow")


def _print_summary(report: Report) -> None:
    counts = ", ".join(f"{count} {verdict.value}" for verdict, count in sorted(report.counts().items()))
    origin = f" ({report.distribution})" if report.distribution else ""
    style = _OUTCOMES.get(report.outcome, "bold magenta")
    out.print(f"\n[{style}]{report.outcome.capitalize()}[/]: {escape(report.kind)} {escape(report.subject + origin)}")
    lines = [f"level: {level_in_words(report)}; laws of version {report.claims.spec}, profile {report.profile}"]
    lines += [f"laws:  {counts or 'none was checked'}; {time_in_words(report)}"]
    lines += [f"not claimed: {one}" for one in not_claimed(report)]
    lines += [f"not judged here: {one}" for one in not_here(report)]
    lines += [f"expected: {one.id}: {one.reason}" for one in report.results if one.verdict is Verdict.XFAIL]
    say([*lines, *report.complaints])
