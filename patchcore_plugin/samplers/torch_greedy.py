"""Greedy coreset by torch, on a GPU or the CPU: exact, and many rows chosen at each pass over the embeddings."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from math import inf, nan
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from patchcore_plugin.samplers.how_many import HowFar, require_setting
from patchcore_plugin.samplers.selection import Selection
from patchcore_plugin.samplers.targets import largest_square, teller
from patchcore_plugin.samplers.torch_candidates import CHOSEN, as_told, farthest, pick, squares_between
from patchcore_plugin.torch_bounds import Bounds, blocks, fit_bounds, measure, squared_lengths
from patchcore_plugin.torch_checks import floats, require_rows
from patchcore_plugin.torch_device import device_of, on_device
from patchcore_plugin.torch_products import less_products

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from patchcore_plugin.arrays import Rows

_LEAST, _MOST = 256, 2048  # candidates at a time, whose mutual distances are kept
_MOST_MEASURED = 512  # the same where products have no digits to spare, so that all these distances are measured
_PRODUCTS = 2**24  # in memory at a time


@dataclass(frozen=True, kw_only=True)
class TorchGreedy(HowFar):
    """Greedy k-center on the embeddings themselves: a random first row, then always the row farthest from those chosen.

    The answer is that of the plain loop, on any ``device``; float32 matrix products only prove which pairs need not be
    measured.
    """

    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_setting(self.seed, "seed", least=0)
        device_of(self.device)

    def select(self, embeddings: Any, progress: Callable[[int, int], None] | None = None) -> Rows:
        """Choose rows of (N, D), farthest first; see ``select_with_report``."""
        return self.select_with_report(embeddings, progress=progress).rows

    def select_with_report(self, embeddings: Any, *, progress: Callable[[int, int], None] | None = None) -> Selection:
        """Choose rows, farthest first, and tell how well they cover and what it took.

        Shapes: embeddings (N, D), any array -> rows int64 (M,), radii float64 (M,), both NumPy.
        Order:  of selection; equally far rows by the lower row. A smaller number gives a prefix.
        Raises: ShapeError, EmptyInputError, NonFiniteError; TooFewRowsError when ``count`` is larger than N;
                ConfigError for ``megabytes`` of less than one row.
        Cost:   O(N*M*D) time in matrix products, and less than 1 % of the pairs measured, on features of images. On the
                device: the embeddings (a copy unless they are there already), 20 bytes a row, 64 MiB of products and
                some blocks. ``progress`` hears (done, all) after each batch of choices.
        Source: Roth et al., CVPR 2022, arXiv:2106.08265, Eq. 4 and Algorithm 1; Gonzalez, 1985.
        """
        start = time.perf_counter()
        rows = on_device(embeddings, device_of(self.device), "embeddings")
        require_rows(rows, "embeddings")
        most = self.at_most(*rows.shape)
        first = int(np.random.default_rng(self.seed).integers(len(rows)))
        growing = _Growing(floats(rows).contiguous())
        enough = -1.0 if self.radius is None else largest_square(self.radius)
        tell = teller(progress, most, self.radius)
        growing.grow(first, most, enough, tell)
        tell(most, 0.0)
        facts = {
            "rows": len(growing.rows),
            "batches": growing.batches,
            "radius": float(growing.radii[-1]),
            "pairs": len(rows) * len(growing.rows),
            "share of pairs measured": growing.measured / (len(rows) * len(growing.rows)),
            "device": str(rows.device),
            "seconds": time.perf_counter() - start,
        }
        return Selection(growing.rows, growing.radii, facts)


class _Growing:
    """A coreset while it grows."""

    def __init__(self, embeddings: torch.Tensor) -> None:
        self.embeddings, self.bounds = embeddings, fit_bounds(embeddings)
        self.lengths = torch.cat(
            [squared_lengths(self._prepared(block)) for block in self._blocks(embeddings.shape[1])]
        )
        self.known = torch.full_like(self.lengths, inf)  # squared distance to the nearest row chosen
        self.batches = self.measured = 0
        self._rows: list[npt.NDArray[np.int64]] = []
        self._heights: list[npt.NDArray[np.float64]] = []

    @property
    def rows(self) -> Rows:
        return np.concatenate(self._rows)

    @property
    def radii(self) -> npt.NDArray[np.float64]:
        """How far the farthest row is after each choice: as far as the next choice, or as what is left."""
        rest = max(0.0, float(self.known.max()))
        radii: npt.NDArray[np.float64] = np.sqrt(np.append(np.concatenate(self._heights)[1:], rest))
        return radii

    def grow(self, first: int, most: int, enough: float, progress: Callable[[int, float], None]) -> None:
        """Pick up to ``most`` rows, fewer where all rows lie within ``enough`` (squared) of them before."""
        self._choose(np.array([first]), np.array([inf]))
        done, count, over = 1, _LEAST, False
        largest = _MOST_MEASURED if self.embeddings.dtype == self.known.dtype else _MOST
        while done < most and not over:
            top = float(self.known.max())
            progress(done, top)
            if top <= max(enough, 0):
                break
            chosen, over = self._batch(count, most - done, enough)
            done, count = done + chosen, min(largest, max(_LEAST, 4 * chosen))
        if done < most and enough < 0:
            self._take_duplicates(most - done)

    def _batch(self, count: int, most: int, enough: float) -> tuple[int, bool]:
        candidates = farthest(self.known, count)
        points = self.embeddings[candidates.rows]
        between = squares_between(points, self.bounds).cpu().numpy()
        picked = pick(candidates, self.known[candidates.rows].cpu().numpy(), between, most, enough)
        self.known[candidates.rows] = torch.from_numpy(picked.known).to(self.known)
        rows = candidates.rows.cpu().numpy()[picked.places]
        if len(rows):
            self._choose(rows, picked.heights)
        return len(rows), picked.over

    def _choose(self, rows: npt.NDArray[np.int64], heights: npt.NDArray[np.float64]) -> None:
        """Enter rows as chosen, and bring all rows up to date with them."""
        self.batches += 1
        self._rows.append(rows)
        self._heights.append(heights)
        numbers = torch.from_numpy(rows).to(self.known.device)
        self.known[numbers] = CHOSEN
        centres = _Centres.of(self.embeddings[numbers], self.bounds)
        for block in self._blocks(len(rows)):
            self.measured += centres.bring_closer(
                self.embeddings[block], self._prepared(block), self.lengths[block], self.known[block]
            )

    def _take_duplicates(self, count: int) -> None:
        """Every row left equals a chosen one: the lowest come first."""
        rows = (self.known == 0).nonzero()[:count, 0]
        self.known[rows] = CHOSEN
        self._rows.append(rows.cpu().numpy())
        self._heights.append(np.zeros(len(rows)))

    def _prepared(self, block: slice) -> torch.Tensor:
        return self.bounds.prepare(self.embeddings[block])

    def _blocks(self, width: int) -> Any:
        return blocks(len(self.embeddings), max(width, self.embeddings.shape[1]), _PRODUCTS)


@dataclass(frozen=True, eq=False)
class _Centres:
    """Rows just chosen, ready to be met by all others."""

    points: torch.Tensor  # float (K, D)
    bounds: Bounds
    short: torch.Tensor  # float32 (K, D)
    halves: torch.Tensor = field(repr=False)

    @classmethod
    def of(cls, points: torch.Tensor, bounds: Bounds) -> _Centres:
        short = bounds.prepare(points)
        return cls(points, bounds, short, bounds.halves(squared_lengths(short)))

    def bring_closer(self, rows: torch.Tensor, short: torch.Tensor, lengths: torch.Tensor, known: torch.Tensor) -> int:
        """Lower ``known`` of a block of rows to the squared distance of the nearest centre; count pairs measured.

        What looks nearest is measured first, since that mostly settles the row.
        """
        products = less_products(self.halves, short, self.short)
        low = products.amin(dim=1)
        near = (~(low > self.bounds.limits(known, lengths))).nonzero()[:, 0]
        products = products[near]
        best = products.argmin(dim=1)
        self._lower(known, rows, near, best)
        products.scatter_(1, best[:, None], nan)  # below no limit
        limits = self.bounds.limits(known[near], lengths[near])
        place, centre = (products <= limits[:, None]).nonzero(as_tuple=True)
        self._lower(known, rows, near[place], centre)
        return len(near) + len(place)

    def _lower(self, known: torch.Tensor, rows: torch.Tensor, near: torch.Tensor, centre: torch.Tensor) -> None:
        squares = as_told(measure(rows, near, self.points, centre), rows.dtype)
        known.scatter_reduce_(0, near, squares, "amin")
