"""Finding image files: folders, single paths and lists of them, in an order people expect."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from patchcore_plugin.errors import NoImagesError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def find_images(source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Path]:
    """List the image files of a folder, a path, or several of either.

    A folder is searched to its last subfolder for known suffixes, in any case; names that begin with a dot are left
    out. A file that is named itself is taken whatever its name: reading it will say what it is.

    Order:  a folder's files by natural path order (``cell2.png`` before ``cell10.png``); several sources
            one after the other.
    Raises: NoImagesError when a path does not exist or nothing is found.
    """
    sources = [Path(source)] if isinstance(source, str | os.PathLike) else [Path(one) for one in source]
    if not sources:
        raise NoImagesError("the list of images is empty. Give at least one file or folder.")
    return [path for one in sources for path in _images_of(one)]


def natural_key(path: Path) -> tuple[tuple[tuple[int, int | str], ...], ...]:
    """Sort key that reads digits as numbers, part by part of the path."""
    return tuple(tuple(_chunk(text) for text in re.split(r"([0-9]+)", part) if text) for part in path.parts)


def _chunk(text: str) -> tuple[int, int | str]:
    # The leading 0 or 1 keeps numbers and words apart, which do not compare with each other.
    return (0, int(text)) if text[0] in "0123456789" else (1, text.casefold())


def _images_of(path: Path) -> list[Path]:
    try:
        if path.is_file():
            return [path]
        if not path.is_dir():
            raise NoImagesError(f"{path} does not exist. Check the spelling, or give the full path.")
        files = list(_files_below(path, frozenset()))
    except OSError as problem:
        raise NoImagesError(
            f"{path} cannot be searched: {problem.strerror or problem}. Make it readable or give another folder."
        ) from problem
    images = [file for file in files if file.suffix.lower() in SUFFIXES]
    if not images:
        raise NoImagesError(_nothing_found(path, files))
    # Equal keys (a1 and a01) would otherwise stand in the order of the disk, which differs between machines.
    return sorted(images, key=lambda file: (natural_key(file.relative_to(path)), str(file)))


def _files_below(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    """Yield all files that are not hidden; links to folders are followed, but never round in a circle."""
    here = folder.resolve()
    if here in above:
        return
    for entry in folder.iterdir():
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _files_below(entry, above | {here})
        elif entry.is_file():
            yield entry


def _nothing_found(folder: Path, files: list[Path]) -> str:
    known = ", ".join(SUFFIXES)
    if not files:
        return f"no image in {folder}: it holds no files. Point to a folder with files ending in {known}."
    counts = Counter(file.suffix or "no suffix" for file in files).most_common(3)
    there = ", ".join(f"{count} x {suffix}" for suffix, count in counts)
    return f"no image in {folder}: none of its {len(files)} file(s) ({there}) ends in {known}. Point to another folder."
