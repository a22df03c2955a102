"""Exact search by torch, on a GPU or the CPU: products find candidates, differences measure them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from patchcore_plugin.torch_bounds import Bounds, blocks, fit_bounds, measure, squared_lengths
from patchcore_plugin.torch_checks import floats, require_queries, require_rows, wide
from patchcore_plugin.torch_device import device_of, on_device
from patchcore_plugin.torch_products import less_products
from patchcore_reference.checks import require_count

if TYPE_CHECKING:
    from collections.abc import Iterator

_QUERIES = 1024  # at a time
_PRODUCTS = 2**24  # in memory at a time
_PAIRS = 2**21  # of queries and rows that are looked at one by one at a time
_SPARE = 3  # candidates beyond k: where the last of them is surely too far, the others hold the answer


@dataclass(frozen=True, kw_only=True)
class TorchExact:
    """What numpy-exact finds, without leaving the ``device``.

    Equal distances are answered by the lower row. Centred float32 products leave a few candidates for each query, and
    prove that nothing else can be nearer; the candidates are measured by differences in float64. A query for which the
    proof fails (many rows equally near) has every row measured that could be near.
    """

    device: str = "auto"

    def __post_init__(self) -> None:
        device_of(self.device)

    def build(self, bank: Any) -> TorchExactIndex:
        """Copy a bank (M, D) onto the device, so that the caller may change or drop its own.

        Cost: O(M*D) time; one copy of the bank, two where its rows lie far from the origin.
        """
        rows = on_device(bank, device_of(self.device), "bank")
        require_rows(rows, "bank")
        own = floats(rows)
        own = own.clone(memory_format=torch.contiguous_format) if own is rows else own.contiguous()
        bounds = fit_bounds(own)
        short = bounds.prepare(own)
        return TorchExactIndex(bank=own, bounds=bounds, short=short, halves=bounds.halves(squared_lengths(short)))


@dataclass(frozen=True, kw_only=True, eq=False)
class TorchExactIndex:
    """A bank of its own on a device, ready to be asked."""

    bank: torch.Tensor  # float (M, D)
    bounds: Bounds
    short: torch.Tensor  # float32 (M, D): rows as products are taken of them
    halves: torch.Tensor  # float32 (M,): half their squared lengths

    def query(self, queries: Any, k: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
        """Find the k rows nearest to each query.

        Shapes: queries (Q, D), any array -> distances (Q, k), rows int64 (Q, k), on the bank's device. Distances are
                float32, or float64 where queries or bank hold more digits than that.
        Units:  Euclidean distance, not squared, off by no more than its own rounding.
        Order:  nearest first; equal distances by the lower row.
        Raises: WidthMismatchError, TooFewRowsError when k > M; ShapeError, NonFiniteError.
        Cost:   O(Q*M*D) time in products; blocks of products (64 MiB) in memory.
        """
        asked = floats(on_device(queries, self.bank.device, "queries"))
        require_queries(asked, self.bank.shape[1])
        require_count(k, len(self.bank), "k")
        dtype = torch.promote_types(asked.dtype, self.bank.dtype)
        distances = torch.empty((len(asked), k), dtype=dtype, device=self.bank.device)
        rows = torch.empty((len(asked), k), dtype=torch.int64, device=self.bank.device)
        for block in blocks(len(asked), 1, _QUERIES):
            squares, rows[block] = _Asked.of(self, asked[block], k).nearest()
            distances[block] = squares.sqrt()
        return distances, rows


@dataclass(frozen=True, eq=False)
class _Asked:
    """Some queries on their way through the bank."""

    index: TorchExactIndex
    queries: torch.Tensor  # float (Q, D)
    short: torch.Tensor  # float32 (Q, D)
    limits: torch.Tensor  # float32 (Q,): rows beyond are too far for certain
    k: int

    @classmethod
    def of(cls, index: TorchExactIndex, queries: torch.Tensor, k: int) -> _Asked:
        short = index.bounds.prepare(queries)
        return cls(index, queries, short, short.new_empty(0), k)

    def nearest(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Answer squares and rows (Q, k): from a few candidates, or from all rows that may matter where these fail."""
        lows, rows = self._candidates(min(len(self.index.bank), self.k + _SPARE))
        squares, rows = self._in_order(rows)
        if rows.shape[1] < len(self.index.bank):
            limits = self.index.bounds.limits(squares[:, self.k - 1], squared_lengths(self.short))
            doubtful = (~(lows.amax(dim=1) > limits)).nonzero()[:, 0]  # not a number is doubtful too
            if len(doubtful):
                few = replace(self, queries=self.queries[doubtful], short=self.short[doubtful], limits=limits[doubtful])
                squares[doubtful, : self.k], rows[doubtful, : self.k] = few._nearest_within_limits()
        return squares[:, : self.k], rows[:, : self.k]

    def _candidates(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Find the rows with the lowest products, in no order: what they are less, and row numbers (Q, count)."""
        lows: list[torch.Tensor] = []
        rows: list[torch.Tensor] = []
        for block in self._bank_blocks(_PRODUCTS):
            found = self._products(block).topk(min(count, block.stop - block.start), largest=False, sorted=False)
            lows, rows = [*lows, found.values], [*rows, found.indices + block.start]
            if sum(part.shape[1] for part in lows) > count:
                best = torch.cat(lows, dim=1).topk(count, largest=False, sorted=False)
                lows, rows = [best.values], [torch.cat(rows, dim=1).gather(1, best.indices)]
        return torch.cat(lows, dim=1), torch.cat(rows, dim=1)

    def _in_order(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Measure candidates (Q, c) and sort them by distance, then row."""
        rows = rows.sort(dim=1).values
        asking = torch.arange(len(rows), device=rows.device).repeat_interleave(rows.shape[1])
        squares = measure(self.queries, asking, self.index.bank, rows.reshape(-1)).reshape(rows.shape)
        squares, order = squares.sort(dim=1, stable=True)
        return squares, rows.gather(1, order)

    def _nearest_within_limits(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Measure every row that is not surely too far. Empty places are not a number: they come last in any order."""
        squares = self._empty(self.k)
        rows = torch.zeros(squares.shape, dtype=torch.int64, device=squares.device)
        for block in self._bank_blocks(_PAIRS):
            asking, near = (~(self._products(block) > self.limits[:, None])).nonzero(as_tuple=True)
            table = self._empty(block.stop - block.start)
            table[asking, near] = measure(self.queries, asking, self.index.bank, near + block.start)
            numbers = torch.arange(block.start, block.stop, device=rows.device).expand(table.shape)
            squares, order = torch.cat([squares, table], dim=1).sort(dim=1, stable=True)
            rows = torch.cat([rows, numbers], dim=1).gather(1, order[:, : self.k])
            squares = squares[:, : self.k]
        return squares, rows

    def _empty(self, places: int) -> torch.Tensor:
        device = self.queries.device
        return torch.full((len(self.queries), places), torch.nan, dtype=wide(device), device=device)

    def _bank_blocks(self, values: int) -> Iterator[slice]:
        return blocks(len(self.index.bank), len(self.queries), values)

    def _products(self, block: slice) -> torch.Tensor:
        return less_products(self.index.halves[block], self.short, self.index.short[block])
