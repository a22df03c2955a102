"""Patch embeddings in a file: as many rows as the disk holds, read in pieces that fit in memory.

The file holds nothing but float32 rows, one after the other. It is read into buffers and never mapped: mapped pages
count as the process's resident memory, which is what a budget limits.
"""

from __future__ import annotations

import os
import threading
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from patchcore_plugin.errors import OutputError, ShapeError
from patchcore_reference.checks import require_rows

if TYPE_CHECKING:
    from patchcore_plugin.arrays import Embeddings, Rows

_WINDOW = 4 * 2**20  # bytes: rows that lie this close are read in one go, wanted and unwanted ones together
_WORTH_IT = 16  # ... unless fewer than one row in so many is wanted: then each is read by itself


class EmbeddingStore:
    """N float32 rows of width D in a file; stands where an array (N, D) of embeddings is expected.

    ``store[a:b]`` and ``store[rows]`` answer float32 arrays of their own; nothing else is kept in memory. Every row is
    finite: that is checked when it comes in. Reading is safe from several threads.

    Cost:   reading at the speed of the disk, or of the system's cache where the file fits in it.
    """

    dtype = np.dtype(np.float32)
    ndim = 2

    def __init__(self, path: str | os.PathLike[str], width: int) -> None:
        """Open the file, or make it; a row that was cut short at its end is dropped.

        Raises: OutputError when the file cannot be opened for writing.
        """
        self.path = Path(path)
        self.width = width
        try:
            # Unbuffered: what was appended is in the system's hands at once and survives the end of this process.
            self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666), "r+b", 0)
        except OSError as problem:
            raise self._unwritable(problem) from problem
        self._turn = threading.Lock()
        self._rows = self._file.seek(0, os.SEEK_END) // self._row_bytes
        self.cut(self._rows)

    @property
    def _row_bytes(self) -> int:
        return self.width * self.dtype.itemsize

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and width, (N, D)."""
        return self._rows, self.width

    @property
    def nbytes(self) -> int:
        """Bytes of all rows, on the disk."""
        return self._rows * self._row_bytes

    def __len__(self) -> int:
        return self._rows

    def append(self, rows: Embeddings) -> None:
        """Add rows (n, D) behind the others.

        Raises: ShapeError, NonFiniteError for rows that are none; OutputError when the disk is full. In both cases the
                store holds what it held before.
        """
        require_rows(rows, "patch embeddings")
        if rows.shape[1] != self.width:
            raise ShapeError(f"rows of {rows.shape[1]} values came, but {self.path} holds rows of {self.width}.")
        data = np.ascontiguousarray(rows, self.dtype).reshape(-1).view(np.uint8).data
        with self._turn:
            try:
                self._file.seek(self.nbytes)
                while len(data):
                    data = data[self._file.write(data) :]
            except OSError as problem:
                raise self._unwritable(problem) from problem
            self._rows += len(rows)

    def cut(self, rows: int) -> None:
        """Drop all but the first ``rows`` rows, and whatever a broken write left behind them."""
        with self._turn:
            self._file.truncate(rows * self._row_bytes)
            self._rows = rows

    def sync(self) -> None:
        """Wait until every row is on the disk, so that it survives a power cut."""
        try:
            os.fsync(self._file.fileno())
        except OSError as problem:
            raise self._unwritable(problem) from problem

    def close(self) -> None:
        """Close the file; the rows stay on the disk."""
        self._file.close()

    def __getitem__(self, wanted: Any) -> npt.NDArray[np.float32]:
        """Read rows.

        Shapes: a slice -> (n, D); row numbers int (n,), in any order -> (n, D); one row number -> (D,).
        Raises: IndexError for a row that is not there.
        Cost:   the answer's memory, and a window of a few megabytes.
        """
        if isinstance(wanted, slice):
            start, stop, step = wanted.indices(len(self))
            if step != 1:
                return self._scattered(np.arange(start, stop, step))
            return self._block(start, max(start, stop))
        if np.ndim(wanted) == 0:
            row: npt.NDArray[np.float32] = self._scattered(np.array([index(wanted)]))[0]
            return row
        rows = np.asarray(wanted)
        return self._scattered(np.flatnonzero(rows) if rows.dtype == bool else rows)

    def _block(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        rows = np.empty((stop - start, self.width), self.dtype)
        target = rows.reshape(-1).view(np.uint8).data
        with self._turn:
            self._file.seek(start * self._row_bytes)
            while len(target):
                got = self._file.readinto(target)
                if not got:
                    raise OutputError(
                        f"{self.path} is shorter than it was: row {stop - 1} is gone. Something else cut it while it "
                        "was in use; delete its folder and fit again."
                    )
                target = target[got:]
        return rows

    def _scattered(self, wanted: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        rows = self._checked(wanted)
        found = np.empty((len(rows), self.width), self.dtype)
        order = np.argsort(rows, kind="stable")
        ascending = rows[order]
        per_window = max(1, _WINDOW // self._row_bytes)
        begin = 0
        while begin < len(ascending):
            first = int(ascending[begin])
            end = int(np.searchsorted(ascending, first + per_window))
            span = int(ascending[end - 1]) - first + 1
            if span > _WORTH_IT * (end - begin):
                end, span = begin + 1, 1
            found[order[begin:end]] = self._block(first, first + span)[ascending[begin:end] - first]
            begin = end
        return found

    def _checked(self, wanted: npt.NDArray[Any]) -> Rows:
        if wanted.ndim != 1 or (len(wanted) and wanted.dtype.kind not in "iu"):
            raise IndexError(f"rows are asked for by whole numbers on one axis, not by {wanted.dtype} {wanted.shape}.")
        rows = wanted.astype(np.int64)
        if len(rows) and not -len(self) <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"rows {rows.min()} to {rows.max()} were asked for, but {self.path} has {len(self)} rows.")
        return np.where(rows < 0, rows + len(self), rows)

    def _unwritable(self, problem: OSError) -> OutputError:
        return OutputError(
            f"{self.path} could not be written: {problem.strerror or problem}. Free some space, or choose another "
            "folder for the embeddings. What was stored before is intact: the same fit resumes from it."
        )
