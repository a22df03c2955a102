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

SCRATCH = ".scratch"  # how names end of files that whoever reads a store may put beside it, and removes again
_GAP = 16 * 2**10  # bytes between wanted rows that are read along with them: another call to the system costs as much
_WINDOW = 2**20  # bytes that are read in one go at most: they stay in the processor's cache until rows are taken out


class EmbeddingStore:
    """N float32 rows of width D in a file; stands where an array (N, D) of embeddings is expected.

    ``store[a:b]`` and ``store[rows]`` answer float32 arrays of their own; nothing else is kept in memory. Every row is
    finite: that is checked when it comes in. Reading is safe from several threads. ``folder`` is where whoever works on
    the rows may put files of its own, with names that end in ``SCRATCH``: that disk has been asked for room.

    Cost:   reading at the speed of the disk, or of the system's cache where the file fits in it: then about 2 us for a
            row far from the others, and less for rows close together.
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
    def folder(self) -> Path:
        """Folder of the file."""
        return self.path.parent

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
        data = _bytes_of(np.ascontiguousarray(rows, self.dtype))
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
        self._fill(_bytes_of(rows), start)
        return rows

    def _scattered(self, wanted: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        rows = self._checked(wanted)
        if (np.diff(rows) >= 0).all():
            return self._ascending(rows)
        order = np.argsort(rows)
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return self._ascending(rows[order])[place]

    def _ascending(self, rows: Rows) -> npt.NDArray[np.float32]:
        found = np.empty((len(rows), self.width), self.dtype)
        begins, ends = self._runs(rows)
        firsts, spans = rows[begins], rows[ends - 1] - rows[begins] + 1
        window = np.empty((int(spans.max(initial=0)), self.width), self.dtype)
        of_found, of_window, row = _bytes_of(found), _bytes_of(window), self._row_bytes
        runs = zip(*(part.tolist() for part in (begins, ends, firsts, spans)), strict=True)
        for begin, end, first, span in runs:
            if end - begin == 1:
                self._fill(of_found[begin * row : end * row], first)
            else:
                self._fill(of_window[: span * row], first)
                np.take(window, rows[begin:end] - first, axis=0, out=found[begin:end], mode="clip")  # "raise" buffers
        return found

    def _runs(self, ascending: Rows) -> tuple[Rows, Rows]:
        """Where runs of rows that are read in one go begin and end: close to each other, and within one window."""
        apart, windows = max(1, _GAP // self._row_bytes), ascending // max(1, _WINDOW // self._row_bytes)
        parted = (np.diff(ascending) > apart) | (np.diff(windows) > 0)
        cuts = np.flatnonzero(parted) + 1
        begins = np.concatenate([np.zeros(min(1, len(ascending)), np.int64), cuts])
        return begins, np.append(cuts, len(ascending))[: len(begins)]

    def _fill(self, target: memoryview, first: int) -> None:
        """Read as many rows as there is room for in ``target`` (bytes), from row ``first`` on."""
        place, end = first * self._row_bytes, first * self._row_bytes + len(target)
        while place < end:
            got = self._read(target, place)
            if not got:
                raise OutputError(
                    f"{self.path} is shorter than it was: row {end // self._row_bytes - 1} is gone. Something else cut "
                    "it while it was in use; delete its folder and fit again."
                )
            target, place = target[got:], place + got

    def _read(self, target: memoryview, place: int) -> int:
        if hasattr(os, "preadv"):  # needs no turn: it has no place of its own in the file
            return os.preadv(self._file.fileno(), [target], place)
        with self._turn:
            self._file.seek(place)
            return self._file.readinto(target)

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


def _bytes_of(rows: npt.NDArray[np.float32]) -> memoryview:
    return rows.reshape(-1).view(np.uint8).data
