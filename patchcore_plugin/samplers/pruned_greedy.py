"""Greedy coreset, exact and fast: short vectors prove most pairs too far apart to matter."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_plugin.errors import ConfigError
from patchcore_plugin.lower_bound import fit_lower_bound
from patchcore_plugin.samplers.how_many import HowFar, require_setting
from patchcore_plugin.samplers.selection import Selection
from patchcore_plugin.samplers.shells import Shells
from patchcore_plugin.samplers.short_rows import BYTES_BESIDE, ShortRows, short_width
from patchcore_plugin.samplers.stored_rows import readable
from patchcore_plugin.samplers.targets import largest_square, teller

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from patchcore_plugin.arrays import Embeddings, Rows
    from patchcore_plugin.samplers.stored_rows import Stored

_SHORT = 49  # width of short vectors: 48 coordinates fill whole panels, and the tail
_FEW = 64  # rows that are chosen to see everything compiled


@dataclass(frozen=True, kw_only=True)
class PrunedGreedy(HowFar):
    """Greedy k-center on the embeddings themselves: a random first row, then always the row farthest from those chosen.

    The answer is that of the plain loop with distances measured by differences (in float32 for float32 embeddings). It
    does not depend on threads, memory or on how the embeddings are stored.
    """

    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_setting(self.seed, "seed", least=0)

    def select(
        self,
        embeddings: Embeddings | Stored,
        progress: Callable[[int, int], None] | None = None,
        memory: int | None = None,
    ) -> Rows:
        """Choose rows of (N, D), farthest first; see ``select_with_report``."""
        return self.select_with_report(embeddings, progress=progress, memory=memory).rows

    def select_with_report(
        self,
        embeddings: Embeddings | Stored,
        *,
        progress: Callable[[int, int], None] | None = None,
        memory: int | None = None,
    ) -> Selection:
        """Choose rows, farthest first, and tell how well they cover and what it took.

        Shapes: embeddings (N, D): an array, or anything with ``shape``, ``dtype``, ``len`` and ``[rows]`` such as an
                ``EmbeddingStore`` -> rows int64 (M,), radii float64 (M,).
        Order:  of selection; equally far rows by the lower row. A smaller number gives a prefix.
        Raises: ShapeError, EmptyInputError, NonFiniteError; TooFewRowsError when ``count`` is larger than N;
                ConfigError for ``megabytes`` of less than one row, or a ``memory`` that is no number of bytes.
        Cost:   about O(N*D*r) time for short vectors of r values, then O(N*M*r) for a third of the pairs, and less than
                1 % of the pairs on whole rows, on features of images; on rows without any structure up to O(N*M*D).
                Memory beyond the embeddings: 4r + 16 bytes a row (r is made smaller to stay within ``memory``, and
                short vectors go to a file beside the store, or to a temporary one, if that is not enough) and the
                chosen rows. ``progress`` hears (done, all) after each of some hundred rounds, between which the call
                can be interrupted.
        Source: Roth et al., CVPR 2022, arXiv:2106.08265, Eq. 4 and Algorithm 1; Gonzalez, 1985.
        """
        rows = readable(embeddings)
        if memory is not None and (isinstance(memory, bool) or not isinstance(memory, int) or memory < 1):
            raise ConfigError(f"memory is {memory!r}, but a whole number of bytes is needed, or None for no limit.")
        total, width = rows.shape
        most = self.at_most(total, width)
        first = int(np.random.default_rng(self.seed).integers(total))
        seconds: dict[str, float] = {}
        with _timed(seconds, "axes"):
            table = ShortRows(rows, _SHORT, self._beside_the_bank(memory, most, width, rows.dtype.itemsize), most)
        with table:
            with _timed(seconds, "short vectors"):
                table.shorten()
            with _timed(seconds, "picking"):
                shells = Shells(table, most, first)
                tell = teller(progress, most, self.radius)
                shells.grow(-1.0 if self.radius is None else largest_square(self.radius), tell)
        tell(most, 0.0)
        return Selection(shells.rows, shells.radii, _facts(shells, seconds))

    def warm_up(self, embeddings: Embeddings) -> None:
        """Compile all that choosing needs, also from many more rows than these: (N, D), of the type used later."""
        rows = readable(embeddings)
        for width in (1, _SHORT):  # one value, and differences are all that is measured
            law = fit_lower_bound(embeddings, width)
            with ShortRows(rows, _SHORT, None, len(rows), law) as table:
                table.shorten()
                Shells(table, min(_FEW, len(rows)), 0).grow(-1.0, lambda *_: None)

    def least_memory(self, total: int, width: int) -> int:
        """Bytes that choosing takes beside float32 rows in a file, with short vectors in a file as well."""
        bank = 0 if self.radius is not None else self.at_most(total, width) * (width + _SHORT) * 4
        return total * BYTES_BESIDE + bank

    def disk_bytes(self, total: int, width: int, memory: int | None) -> int:
        """Bytes of short vectors in a file, at most, while choosing from float32 rows in a file within ``memory``."""
        left = self._beside_the_bank(memory, self.at_most(total, width), width, 4)
        values, in_file = short_width(total, width, _SHORT, left)
        return total * values * 4 if in_file else 0

    def _beside_the_bank(self, memory: int | None, most: int, width: int, itemsize: int) -> int | None:
        """What is left of the memory beside the chosen rows, which are needed whole; a radius may need few of them."""
        if memory is None or self.radius is not None:
            return memory
        return max(memory // 4, memory - most * (width + _SHORT) * itemsize)


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start


def _facts(shells: Shells, seconds: dict[str, float]) -> dict[str, Any]:
    return {
        "rows": len(shells.rows),
        "batches": shells.rounds,
        "radius": float(shells.radii[-1]),
        "pairs": len(shells.known) * shells.done,
        "shares of pairs": shells.shares(),
        "width of short vectors": shells.table.law.width,
        "short vectors on disk": not isinstance(shells.table.short, np.ndarray),
        "seconds": seconds,
    }
