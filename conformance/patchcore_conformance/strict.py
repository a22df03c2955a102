"""Right parts that use every freedom their contracts leave: for authors of hosts, who must not rely on more.

    from patchcore_conformance import strict

    detector.parts = replace(detector.parts, sampler=strict.sampler(keep=0.1), neighbors=strict.neighbors())

A host that works with these parts as with plain ones relies on nothing that a stranger's part need not give: contiguous
or writable arrays, rows as int64, distances as float32, the lower one of two equal rows, the same last bits twice.
Each keeps what ``CLAIMS`` says of its kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance.model.aggregator import LocalMean
from patchcore_conformance.model.extractor import TOY_FIELD, ToyBackbone
from patchcore_conformance.model.neighbors import Exact
from patchcore_conformance.model.sampler import Greedy

if TYPE_CHECKING:
    from collections.abc import Mapping

# What each kind promises, for ``patchcore_conformance.run``.
CLAIMS: Mapping[str, Mapping[str, Any]] = {
    "sampler": {"level": "exact", "arith": "E0", "dtype": "float64", "prefix_stable": True, "thread_safe": True},
    "neighbors": {"level": "exact", "arith": "E0", "deterministic": False, "thread_safe": True},
    "extractor": {
        "level": "covariant",
        "receptive_field": TOY_FIELD,
        "deterministic": False,
        "thread_safe": True,
    },
    "aggregator": {"level": "covariant", "linear": True, "channelwise": True, "deterministic": False},
}


def sampler(**options: Any) -> Sampler:
    """Make a sampler: ``keep`` or ``count``, and ``seed``."""
    return Sampler(**options)


def neighbors() -> Neighbors:
    """Make a neighbor search."""
    return Neighbors()


def extractor(**options: Any) -> Extractor:
    """Make an extractor: a small network of made-up weights, drawn from ``seed``."""
    return Extractor(**options)


def aggregator(**options: Any) -> Aggregator:
    """Make an aggregator: ``patch_size`` and ``border``."""
    return Aggregator(**options)


@dataclass(frozen=True, kw_only=True)
class Sampler(Greedy):
    """Farthest first; of equally far rows any, by the seed. Rows are int32, strided, and cannot be written to."""

    def farthest(self, near: Any, taken: Any) -> int:
        """Choose any of the farthest rows."""
        free = np.where(taken, -1.0, near)
        best = np.flatnonzero(free == free.max())
        return int(np.random.default_rng([self.seed, int(taken.sum())]).choice(best))

    def answer(self, rows: list[int]) -> Any:
        """Take every second value of a longer array."""
        return _sealed(np.repeat(np.array(rows, dtype=np.int32), 2))[::2]


@dataclass(frozen=True, kw_only=True)
class Neighbors(Exact):
    """All pairs; of equally near rows any, another one each time. Distances are float64, rows int32, by columns.

    The last digits are another choice each time, as where threads add in any order.
    """

    def squares(self, queries: Any, bank: Any) -> Any:
        """Add up the columns in any order."""
        order = np.random.default_rng().permutation(bank.shape[1])
        return super().squares(queries[:, order], bank[:, order])

    def nearest(self, squares: Any, k: int) -> Any:
        """Choose any of equally near rows."""
        order = np.random.default_rng().permutation(squares.shape[1])
        return order[np.argsort(squares[:, order], axis=1, kind="stable")[:, :k]]

    def answer(self, distances: Any, rows: Any) -> Any:
        """Answer a pair of tables, column by column."""
        return _sealed(np.asfortranarray(distances)), _sealed(np.asfortranarray(rows, dtype=np.int32))


@dataclass(frozen=True, kw_only=True)
class Extractor(ToyBackbone):
    """Maps lie channels last in memory, cannot be written to, and differ in the last digits each time."""

    def answer(self, maps: list[Any]) -> Any:
        """Answer views."""
        found = [_sealed(_trembling(np.ascontiguousarray(np.moveaxis(one, 1, -1)))) for one in maps]
        return tuple(one.transpose(0, 3, 1, 2) for one in found)


@dataclass(frozen=True, kw_only=True)
class Aggregator(LocalMean):
    """Embeddings lie channels first in memory, cannot be written to, and differ in the last digits each time."""

    def answer(self, grid: Any) -> Any:
        """Answer a view."""
        return _sealed(_trembling(np.ascontiguousarray(np.moveaxis(grid, -1, 1)))).transpose(0, 2, 3, 1)


def _trembling(array: Any) -> Any:
    """Round to float32 with the last bit up or down, by chance."""
    found = array.astype(np.float32)
    return np.where(np.random.default_rng().random(found.shape) < 0.5, found, found * np.float32(1 + 2**-23))


def _sealed(array: Any) -> Any:
    array.flags.writeable = False
    return array
