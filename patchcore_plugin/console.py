"""How the command line talks: progress bars, and errors that explain themselves without a traceback."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from patchcore_plugin.errors import ConfigError, PatchCoreError
from patchcore_plugin.interrupts import interrupts_heard
from patchcore_plugin.progress import TimeLeft, duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

# Lines are not broken at the terminal's width: paths and figures are copied from them.
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False)
_logger = logging.getLogger("patchcore_plugin")


def notice(text: str) -> None:
    """Tell something on standard error, beside the results."""
    err.print(text, markup=False, soft_wrap=True)


class _Lines(logging.Handler):
    """Log records as plain lines on standard error, unbroken."""

    def emit(self, record: logging.LogRecord) -> None:
        err.print(f"{record.levelname.capitalize()}: {record.getMessage()}", markup=False, soft_wrap=True)


class _TimeLeftColumn(ProgressColumn):
    """The time that a running stage will still take; nothing while it is unknown."""

    def __init__(self, estimates: Mapping[TaskID, TimeLeft]) -> None:
        super().__init__()
        self._estimates = estimates

    def render(self, task: Task) -> Text:
        left = None if task.finished else self._estimates[task.id].seconds(time.monotonic())
        return Text("" if left is None else f"{duration(left)} left", style="progress.remaining")


class Bars:
    """One progress bar per stage, on standard error; also a plain ``Progress`` listener.

    ``transient`` bars are gone when the work is done: for work that is repeated many times.
    """

    def __init__(self, *, transient: bool = False) -> None:
        columns = (TextColumn("{task.description:<30}"), BarColumn(), MofNCompleteColumn())
        self._estimates: dict[TaskID, TimeLeft] = defaultdict(TimeLeft)
        self._bars = Progress(
            *columns,
            TimeElapsedColumn(),
            _TimeLeftColumn(self._estimates),
            console=err,
            transient=transient,
            disable=transient and not err.is_terminal,  # what would be gone again is not written to a file either
        )
        self._tasks: dict[str, TaskID] = {}
        # Warnings (a skipped file, say) go through the same console, or they would tear the bars apart.
        self._warnings = _Lines(logging.WARNING)

    def __enter__(self) -> Bars:
        _logger.addHandler(self._warnings)
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()
        _logger.removeHandler(self._warnings)

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Move the stage's bar, and make it the first time."""
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total)
        task = self._tasks[stage]
        self._estimates[task].note(done, total, time.monotonic())
        self._bars.update(task, completed=done, total=total)


class Interrupted(typer.Exit):
    """The end of a command after Ctrl-C.

    It holds what was interrupted, so that nothing of it is freed: a compiler that was stopped half-way may crash then.
    """

    def __init__(self, interrupt: KeyboardInterrupt) -> None:
        super().__init__(1)
        self.interrupt = interrupt


@contextmanager
def explained() -> Iterator[None]:
    """Turn expected failures into a message and an exit code: 2 for a setting to correct, 1 for all else."""
    try:
        with interrupts_heard():
            yield
    except KeyboardInterrupt as interrupt:
        err.print("[bold red]Interrupted.[/] Files that were complete are kept; nothing half-written is left.")
        raise Interrupted(interrupt) from None
    except PatchCoreError as problem:
        err.print(f"[bold red]Error:[/] {type(problem).__name__}: ", end="")
        err.print(str(problem), markup=False, soft_wrap=True)
        raise typer.Exit(2 if isinstance(problem, ConfigError) else 1) from None


def print_parts(parts: Sequence[Mapping[str, Any]], not_loaded: Sequence[Mapping[str, Any]]) -> None:
    """Print what can be named in the configuration, and which plugins did not load and why."""
    table = Table("section", "name", "from", "what it is", box=None, header_style="bold")
    for part in parts:
        note = "" if part["available"] else f" ({part['why_not']})"
        origin = f"{part['distribution']} {part['version']}"
        table.add_row(*(escape(text) for text in (part["kind"], part["name"], origin, part["summary"] + note)))
    out.print(table, soft_wrap=False)
    for plugin in not_loaded:
        title = "Failed to load" if plugin["failed"] else "Left out"
        out.print(f"[bold]{title}:[/] ", end="")
        out.print(
            f"{plugin['distribution']} {plugin['version']} ({plugin['entry_point']}): {plugin['reason']}", markup=False
        )
