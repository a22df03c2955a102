"""How the command line talks: progress bars, and errors that explain themselves without a traceback."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from patchcore_plugin.errors import ConfigError, PatchCoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class Bars:
    """One progress bar per stage, on standard error; also a plain ``Progress`` listener."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn())
        self._bars = Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=err)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Bars:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bars.stop()

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Move the stage's bar, and make it the first time."""
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total)
        self._bars.update(self._tasks[stage], completed=done, total=total)


@contextmanager
def explained() -> Iterator[None]:
    """Turn expected failures into a message and an exit code: 2 for a setting to correct, 1 for all else."""
    try:
        yield
    except KeyboardInterrupt:
        err.print("[bold red]Interrupted.[/] Files that were complete are kept; nothing half-written is left.")
        raise typer.Exit(1) from None
    except PatchCoreError as problem:
        err.print(f"[bold red]Error:[/] {type(problem).__name__}: ", end="")
        err.print(str(problem), markup=False, soft_wrap=True)
        raise typer.Exit(2 if isinstance(problem, ConfigError) else 1) from None
