"""Files with the same bytes, whatever their names; no more of them is read than that takes."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import TYPE_CHECKING

from patchcore_plugin.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from pathlib import Path

_PIECE = 1 << 16  # bytes: images without compression all have one size, and are told apart by a piece of each
_BLOCK = 1 << 20  # bytes in memory at a time


def equal_files(paths: Sequence[Path]) -> list[tuple[int, ...]]:
    """Find the files that hold the same bytes.

    Order:  groups of positions in ``paths``, each ascending, two or more; groups by their first position. A path that
            is given twice equals itself.
    Raises: ImageError for a file that cannot be read.
    Cost:   one look at each file's size; 64 KiB of each file whose size another one shares; the whole of those that
            agree there too.
    """
    groups = [tuple(range(len(paths)))]
    for fact in (_size, _piece, content_hash):
        groups = [part for group in groups for part in _parted(group, paths, fact)]
    return sorted(groups)


def content_hash(path: Path) -> str:
    """SHA-256 of a file's bytes.

    Raises: ImageError for a file that cannot be read.
    """
    answer = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                answer.update(block)
    except OSError as problem:
        raise _unreadable(path, problem) from problem
    return answer.hexdigest()


def _parted(group: tuple[int, ...], paths: Sequence[Path], fact: Callable[[Path], Hashable]) -> list[tuple[int, ...]]:
    """Keep together what agrees in a fact; whoever agrees with nobody is dropped."""
    parts = defaultdict(list)
    for position in group:
        parts[fact(paths[position])].append(position)
    return [tuple(part) for part in parts.values() if len(part) > 1]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as problem:
        raise _unreadable(path, problem) from problem


def _piece(path: Path) -> bytes:
    """Read from the middle: the beginning is a header, and often a dark border that all images share."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _PIECE) // 2)
            return hashlib.sha256(file.read(_PIECE)).digest()
    except OSError as problem:
        raise _unreadable(path, problem) from problem


def _unreadable(path: Path, problem: OSError) -> ImageError:
    return ImageError(f"{path} cannot be read: {problem.strerror or problem}. Make it readable or take it out.")
