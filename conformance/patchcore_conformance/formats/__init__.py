"""A report in files: JSON for programs, JUnit XML for CI, Markdown for people, a badge for the front page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from patchcore_conformance.formats import badge, json_report, junit, markdown
from patchcore_conformance.violation import KitError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from patchcore_conformance.report import Report

FORMATS: Mapping[str, Callable[[Report, Path], list[Path]]] = {
    "json": json_report.write,
    "junit": junit.write,
    "md": markdown.write,
    "badge": badge.write,
}


def write(report: Report, folder: str | os.PathLike[str], formats: Sequence[str] = ("json",)) -> list[Path]:
    """Write a report into a folder, which is made; return the files. What another run wrote there is overwritten.

    Raises: KitError for an unknown format, before anything is written, or when nothing can be written there.
    """
    formats = [formats] if isinstance(formats, str) else formats
    require_formats(formats)
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
        return [path for one in dict.fromkeys(formats) for path in FORMATS[one](report, target)]
    except OSError as problem:
        raise KitError(f"the report cannot be written to {target}: {problem.strerror or problem}.") from problem


def require_formats(formats: Sequence[str]) -> None:
    """Raise KitError for a format that does not exist."""
    unknown = [one for one in formats if one not in FORMATS]
    if unknown:
        raise KitError(f"no format is named {', '.join(map(repr, unknown))}. There are: {', '.join(FORMATS)}.")
