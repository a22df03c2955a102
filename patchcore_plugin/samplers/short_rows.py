"""Embeddings in memory or in a file, each with its short vector: what the pruned sampler looks rows up in."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from patchcore_plugin.embedding_store import EmbeddingStore
from patchcore_plugin.errors import NonFiniteError
from patchcore_plugin.lower_bound import LowerBound, fit_lower_bound, without_turning
from patchcore_plugin.samplers.numba_pruning import Rows
from patchcore_plugin.samplers.numba_shortening import Shortener
from patchcore_reference.checks import require_finite

if TYPE_CHECKING:
    from collections.abc import Iterator

_SAMPLE = 2048  # rows that the axes are fitted on; fewer where there are few, so that axes cost less than they save
_JUDGES = 256  # other rows that say whether the axes are any good
_SHAPELESS = 0.5  # share of the squared lengths left in the tails from which on short vectors prove next to nothing
_BLOCK_BYTES = 2**24  # of rows read at a time
_PER_ROW = 17  # bytes beside a short vector: its norm and slack, the distance known and centres seen, one mark
_LEAST_WIDTH = 9  # of a short vector worth keeping in memory


class Stored(Protocol):
    """Embeddings (N, D) that are read in pieces."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and width, (N, D)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values that reading gives."""

    def __len__(self) -> int: ...
    def __getitem__(self, wanted: Any, /) -> npt.NDArray[Any]: ...


class ShortRows:
    """N embeddings with short vectors, norms and slack; short vectors go to a file where memory is too small for them.

    ``law`` is the lower bound they were made with. Use it in a ``with`` block: that is how the file goes away.
    """

    def __init__(self, embeddings: Stored, width: int, memory: int | None) -> None:
        self.embeddings = embeddings
        self._folder: TemporaryDirectory[str] | None = None
        self.law = _fit(embeddings, self._fitting_width(width, memory), self._roomy(memory))
        self._shortener = Shortener(self.law)
        self.dtype = _measuring_type(embeddings.dtype, self.law)
        self.norms = np.empty(len(embeddings), dtype=np.float32)
        self.slack = np.empty(len(embeddings), dtype=np.float32)
        self.short: Any = None
        self.at_once = self._rows_at_once(memory)
        self._array = _as_computed_with(embeddings, self.dtype)

    def __enter__(self) -> ShortRows:
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            self.short.close()
            self._folder.cleanup()

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

        Raises: NonFiniteError for NaN or infinity, before anything was chosen.
        """
        self.short = self._room()
        for block in self.blocks():
            short = self._shorten(block)
            self.slack[block] = self.law.slack(short)
            self.norms[block] = np.einsum("ij,ij->i", short, short)
            if self._folder is None:
                self.short[block] = short
            else:
                self.short.append(short)

    def full(self, rows: Any) -> npt.NDArray[Any]:
        """Embeddings of some rows (n, D), in the type that is measured with."""
        found: npt.NDArray[Any] = np.ascontiguousarray(self.embeddings[rows], dtype=self.dtype)
        return found

    def look_up(self, rows: npt.NDArray[np.int64]) -> tuple[Rows, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Give rows (ascending), and for each its place in the short vectors and among the embeddings given."""
        own = np.arange(len(rows))
        full, where = (self.full(rows), own) if self._array is None else (self._array, rows)
        if self._folder is None:
            return Rows(_read_only(full), self.short, self.norms, self.slack), rows, where
        short = self.short[rows]
        return Rows(_read_only(full), short, self.norms[rows], self.slack[rows]), own, where

    def _shorten(self, block: slice) -> npt.NDArray[np.float32]:
        try:
            return self._shortener.shorten(self.embeddings[block])
        except NonFiniteError:
            if isinstance(self.embeddings, np.ndarray):
                require_finite(self.embeddings, "embeddings")  # says where among all rows
            raise

    def _fitting_width(self, width: int, memory: int | None) -> int:
        """Make short vectors so short that they fit into half of the memory; or plan for a file."""
        rows, wide = self.embeddings.shape
        width = min(width, wide + 1)
        if memory is None:
            return width
        room = int(memory * 0.75 / rows - _PER_ROW) // 4
        if room >= min(width, _LEAST_WIDTH):
            return min(width, room)
        self._folder = TemporaryDirectory(prefix="patchcore-short-")
        return width

    def _roomy(self, memory: int | None) -> bool:
        """Whether a second copy of all rows would fit."""
        rows, wide = self.embeddings.shape
        return memory is None or rows * (4 * (wide + 1) + _PER_ROW) < memory * 0.75

    def _room(self) -> Any:
        if self._folder is None:
            return np.empty((len(self.embeddings), self.law.width), dtype=np.float32)
        return EmbeddingStore(Path(self._folder.name) / "short.f32", self.law.width)

    def _rows_at_once(self, memory: int | None) -> int:
        """Rows that are read and looked at together; all of them where nothing is read."""
        bytes_at_once = _BLOCK_BYTES if memory is None else min(_BLOCK_BYTES, memory // 16)
        return max(64, bytes_at_once // (4 * (self.embeddings.shape[1] + self.law.width)))


def _fit(embeddings: Stored, width: int, roomy: bool) -> LowerBound:
    """Fit the bound to rows drawn at random; which ones has no influence on what is chosen.

    Where axes turn out to describe little, whole centred rows take the place of short vectors, if there is room.
    """
    count = min(len(embeddings), max(64, min(_SAMPLE, len(embeddings) // 16)))
    random = np.random.default_rng(0)
    sample, others = (embeddings[_some(random, len(embeddings), number)] for number in (count, _JUDGES))
    if isinstance(embeddings, np.ndarray) and not (np.isfinite(sample).all() and np.isfinite(others).all()):
        require_finite(embeddings, "embeddings")
    bound = fit_lower_bound(sample, width)
    squares = bound.shorten(others).astype(np.float64) ** 2  # not the sample, which its own axes always describe well
    shapeless = squares[:, -1].sum() > _SHAPELESS * squares.sum()
    return without_turning(bound) if shapeless and roomy else bound


def _some(random: np.random.Generator, total: int, number: int) -> npt.NDArray[np.int64]:
    return np.sort(random.choice(total, min(number, total), replace=False))


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
