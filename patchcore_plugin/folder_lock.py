"""One process at a time in a folder, also after one of them was killed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from patchcore_plugin.errors import OutputError, StoreError

if TYPE_CHECKING:
    from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: there the user has to see to it
    fcntl = None  # type: ignore[assignment]


class FolderLock:
    """The system's lock on a file in the folder: it goes with the process, however that ends.

    Raises: StoreError when another process, or another fit in this one, holds it; OutputError when the folder cannot be
            made or written to.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._handle: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as problem:
            raise OutputError(
                f"nothing can be written to {path.parent}: {problem.strerror or problem}. "
                "Choose a folder that is writable."
            ) from problem
        try:
            if fcntl is not None:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            self.release()
            raise StoreError(
                f"{path.parent} is in use by another fit. Wait until that is done, or name another folder for the "
                "embeddings."
            ) from problem

    def release(self) -> None:
        """Let others in; a second time does nothing."""
        if self._handle is not None:
            os.close(self._handle)
        self._handle = None
