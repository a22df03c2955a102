"""Embeddings in memory or in a file, each with its short vector: what the pruned sampler looks rows up in."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from patchcore_plugin.disk_space import require_space
from patchcore_plugin.embedding_store import SCRATCH, EmbeddingStore
from patchcore_plugin.errors import NonFiniteError, OutputError
from patchcore_plugin.numba_shortening import Shortener
from patchcore_plugin.samplers.axes import fit_axes
from patchcore_plugin.samplers.numba_pruning import Rows
from patchcore_reference.checks import require_finite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from patchcore_plugin.lower_bound import LowerBound
    from patchcore_plugin.samplers.stored_rows import Stored

_BLOCK_BYTES = 2**24  # of rows read at a time
BYTES_BESIDE = 17  # each short vector: its norm and slack, the distance known and centres seen, one mark
_LEAST_WIDTH = 9  # of a short vector worth keeping in memory


def short_width(rows: int, wide: int, width: int, memory: int | None) -> tuple[int, bool]:
    """Make short vectors of ``rows`` rows (``wide`` values) so short that they fit into memory, or plan for a file.

    Returns how many of ``width`` values a short vector may have at most, and whether they have to go to a file.
    """
    width = min(width, wide + 1)
    if memory is None:
        return width, False
    room = int(memory * 0.75 / rows - BYTES_BESIDE) // 4
    in_file = room < min(width, _LEAST_WIDTH)
    return (width if in_file else min(width, room)), in_file


class ShortRows:
    """N embeddings with short vectors, norms and slack; short vectors go to a file where memory is too small for them.

    ``law`` is the lower bound they are made with, by default the one that pays for the number of rows to be chosen. Use
    it in a ``with`` block: that is how the file goes away. It lies in the embeddings' ``folder`` where they have one,
    else in the system's folder for temporary files.
    """

    def __init__(
        self, embeddings: Stored, width: int, memory: int | None, most: int, law: LowerBound | None = None
    ) -> None:
        self.embeddings = embeddings
        rows, wide = embeddings.shape
        width, self._in_file = short_width(rows, wide, width, memory)
        self.law = fit_axes(embeddings, width, most, self._roomy(memory)) if law is None else law
        self._shortener = Shortener(self.law)
        self.dtype = _measuring_type(embeddings.dtype, self.law)
        self.norms = np.empty(len(embeddings), dtype=np.float32)
        self.slack = np.empty(len(embeddings), dtype=np.float32)
        self.short: Any = None
        self._array = _as_computed_with(embeddings, self.dtype)
        self.at_once = self._rows_at_once(memory)

    def __enter__(self) -> ShortRows:
        return self

    def __exit__(self, *_: object) -> None:
        if isinstance(self.short, EmbeddingStore):
            self.short.close()
            self.short.path.unlink(missing_ok=True)

    @property
    def in_memory(self) -> bool:
        """Whether nothing has to be read: rows are then looked up where they lie."""
        return self._array is not None and isinstance(self.short, np.ndarray)

    def blocks(self) -> Iterator[slice]:
        """Consecutive rows, as many as are read at a time."""
        for start in range(0, len(self.embeddings), self.at_once):
            yield slice(start, min(len(self.embeddings), start + self.at_once))

    def shorten(self) -> None:
        """Read all rows once and make their short vectors.

        Raises: NonFiniteError for NaN or infinity, before anything was chosen; OutputError when short vectors have to
                go to a file and there is no room for it.
        """
        self.short = self._room()
        for block in self.blocks():
            size = block.stop - block.start
            short = np.empty((size, self.law.width), dtype=np.float32) if self._in_file else self.short[block]
            self.norms[block] = self._fill(block, short)
            self.slack[block] = self.law.slack(short, self.norms[block])
            if self._in_file:
                self.short.append(short)

    def full(self, rows: Any) -> npt.NDArray[Any]:
        """Embeddings of some rows (n, D), in the type that is measured with."""
        found: npt.NDArray[Any] = np.ascontiguousarray(self.embeddings[rows], dtype=self.dtype)
        return found

    def look_up(self, rows: npt.NDArray[np.int64]) -> tuple[Rows, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Give rows (ascending), and for each its place in the short vectors and among the embeddings given."""
        own = np.arange(len(rows))
        full, where = (self.full(rows), own) if self._array is None else (self._array, rows)
        if not self._in_file:
            return Rows(_read_only(full), self.short, self.norms, self.slack), rows, where
        short = self.short[rows]
        return Rows(_read_only(full), short, self.norms[rows], self.slack[rows]), own, where

    def _fill(self, block: slice, short: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        try:
            return self._shortener.fill(self.embeddings[block], short)
        except NonFiniteError:
            if isinstance(self.embeddings, np.ndarray):
                require_finite(self.embeddings, "embeddings")  # says where among all rows
            raise

    def _roomy(self, memory: int | None) -> bool:
        """Whether a second copy of all rows would fit."""
        rows, wide = self.embeddings.shape
        return memory is None or rows * (4 * (wide + 1) + BYTES_BESIDE) < memory * 0.75

    def _room(self) -> Any:
        if not self._in_file:
            return np.empty((len(self.embeddings), self.law.width), dtype=np.float32)
        folder = Path(getattr(self.embeddings, "folder", tempfile.gettempdir()))
        require_space({folder: len(self.embeddings) * self.law.width * 4})
        return EmbeddingStore(_new_file(folder), self.law.width)

    def _rows_at_once(self, memory: int | None) -> int:
        """Rows that are read and looked at together; all of them where nothing is read."""
        if memory is None and self._array is not None:
            return len(self.embeddings)
        bytes_at_once = _BLOCK_BYTES if memory is None else min(_BLOCK_BYTES, memory // 16)
        return max(64, bytes_at_once // (4 * (self.embeddings.shape[1] + self.law.width)))


def _new_file(folder: Path) -> Path:
    try:
        file, path = tempfile.mkstemp(prefix="short-", suffix=SCRATCH, dir=folder)
    except OSError as problem:
        raise OutputError(
            f"short vectors do not fit in memory, and {folder} cannot be written: {problem.strerror}. "
            "Make it writable, or allow more memory."
        ) from problem
    os.close(file)
    return Path(path)


def _measuring_type(given: np.dtype[Any], law: LowerBound) -> np.dtype[Any]:
    """Float32 where values have no more bits than that and squares of typical distances lie well inside it."""
    narrow = given.itemsize <= (4 if given.kind == "f" else 2)
    return np.dtype(np.float32 if narrow and 2.0**-40 < law.scale < 2.0**40 else np.float64)


def _as_computed_with(embeddings: Stored, dtype: np.dtype[Any]) -> npt.NDArray[Any] | None:
    """The embeddings themselves, where they lie in memory as compiled code wants them."""
    fits = isinstance(embeddings, np.ndarray) and embeddings.dtype == dtype and embeddings.flags.c_contiguous
    return embeddings if fits and isinstance(embeddings, np.ndarray) else None


def _read_only(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A view that compiled code meets in one form only, whatever the caller holds."""
    view = np.ascontiguousarray(rows).view()
    view.flags.writeable = False
    return view
