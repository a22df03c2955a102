"""Rows of a CSV file, each with the line where it stands."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, NamedTuple

from patchcore_plugin.datasets.folder_tree import require_file
from patchcore_plugin.errors import InputError
from patchcore_plugin.spelling import did_you_mean, listed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Row(NamedTuple):
    """One row: its line in the file, counted from 1, and its values by column; a column that is not there is empty."""

    line: int
    values: dict[str, str]


def table_rows(path: Path, needed: tuple[str, ...], optional: tuple[str, ...] = ()) -> list[Row]:
    """Read a table with commas and a header; other columns than those named are left out.

    Raises: NoImagesError when there is no such file; InputError when it cannot be read, lacks a needed column, has one
            that looks like an optional one misspelt, or a row whose length is not the header's.
    """
    require_file(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = [name.strip().lower() for name in next(reader, [])]
            _require_columns(path, header, needed, optional)
            return list(_rows(path, header, reader, (*needed, *optional)))
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise InputError(f"{path} cannot be read: {problem}. Save it as CSV in UTF-8.") from problem


def _require_columns(path: Path, header: list[str], needed: tuple[str, ...], optional: tuple[str, ...]) -> None:
    missing = [name for name in needed if name not in header]
    if missing or len(set(header)) < len(header):
        raise InputError(
            f"{path} has the columns {listed(header)}; {listed(needed)} are needed, once each, with commas between "
            f"them. Missing: {listed(missing)}."
        )
    absent = [name for name in optional if name not in header]
    for name in header:
        guess = "" if name in (*needed, *optional) else did_you_mean(name, absent)
        if guess:
            raise InputError(f"{path} has a column {name!r}, which has no meaning.{guess} Rename it.")


def _rows(path: Path, header: list[str], reader: Iterator[list[str]], wanted: tuple[str, ...]) -> Iterator[Row]:
    line = 1
    for cells in reader:
        line = getattr(reader, "line_num", line + 1)
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise InputError(
                f"{path}, line {line}: {len(cells)} values, but the header has {len(header)}. "
                "Put values that contain a comma in double quotes."
            )
        given = dict(zip(header, (cell.strip() for cell in cells), strict=True))
        yield Row(line, {name: given.get(name, "") for name in wanted})
