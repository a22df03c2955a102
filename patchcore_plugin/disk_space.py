"""Whether a disk has room for what is about to be written: asked before the work, not found out after hours of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from patchcore_plugin.byte_sizes import in_words
from patchcore_plugin.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Mapping

MARGIN = 16 * 2**20  # bytes: names, manifests, and what else the machine writes meanwhile


def require_space(needed: Mapping[Path, int]) -> None:
    """Refuse to begin when a disk is too small; ``needed`` says how many bytes each file or folder will take.

    What lands on one disk is added up. Nothing is created.

    Raises: OutputError that says how much is needed and how much there is.
    """
    disks: dict[int, list[Path]] = {}
    for path in needed:
        disks.setdefault(_existing(path).stat().st_dev, []).append(path)
    for paths in disks.values():
        total, free = sum(needed[path] for path in paths) + MARGIN, free_bytes(paths[0])
        if total > free:
            names = " and ".join(f"{path} ({in_words(needed[path])})" for path in paths)
            raise OutputError(
                f"the disk is too small for {names}: {in_words(total)} are needed with a margin, {in_words(free)} are "
                "free. Free some space, choose another place, or keep fewer patches: fewer images, or a smaller "
                "images.size."
            )


def free_bytes(path: Path) -> int:
    """Bytes free to this user on the disk that a path, which need not exist yet, would land on."""
    return shutil.disk_usage(_existing(path)).free


def _existing(path: Path) -> Path:
    """Return the path, or the nearest folder above it that exists."""
    path = Path(path).absolute()
    return next(place for place in (path, *path.parents) if place.exists())
