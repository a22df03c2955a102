"""Writing a file whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from patchcore_plugin.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary name to write to; on success it becomes ``path``, on any failure ``path`` is as it was.

    The temporary file stands in the same folder, so the final rename is one atomic step. It is removed whatever ends
    the block, Ctrl-C included.

    Raises: OutputError when the folder cannot be written to or the disk is full.
    """
    target = Path(path)
    temporary = _temporary_beside(target)
    try:
        yield temporary
        _flush_to_disk(temporary)
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes private files; a result is an ordinary one
        temporary.replace(target)
    except OSError as problem:
        if isinstance(problem, OutputError):
            raise
        raise OutputError(
            f"{target} could not be written: {problem.strerror or problem}. "
            "Free some space or choose another place; what was there before is unchanged."
        ) from problem
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def require_writable(path: str | os.PathLike[str]) -> None:
    """Refuse a target that cannot be written to before the work is done that is to be written there.

    Raises: OutputError as ``replacing`` would.
    """
    _temporary_beside(Path(path)).unlink()


def _temporary_beside(target: Path) -> Path:
    if target.is_dir():
        raise OutputError(f"{target} is a folder, but a file is to be written. Name a file in it.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    except OSError as problem:
        raise OutputError(
            f"nothing can be written to {target.parent}: {problem.strerror or problem}. "
            "Choose a folder that is writable."
        ) from problem
    os.close(handle)
    return Path(name)


def _flush_to_disk(path: Path) -> None:
    """Wait until the bytes are on the disk: a rename that survives a power cut must not point to an empty file."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _umask() -> int:
    """Read the process's umask, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
