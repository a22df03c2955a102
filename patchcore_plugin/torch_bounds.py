"""Float32 matrix products as proof that two rows are too far apart to matter, and the measure for all other pairs.

With x and y centred and |.| their lengths, |x - y|^2 = |x|^2 + |y|^2 - 2 xy. A float32 product of rows of D values is
off by a part (D + a few) * 2^-24 of |x| |y|, and rounding centred rows costs a few parts more; since 2 |x| |y| <=
|x|^2 + |y|^2, all this is within ``loss`` * (|x|^2 + |y|^2), with room to spare. So

    |x - y|^2 >= (|x|^2 + |y|^2) (1 - loss) - 2 xy        and        halves(y) - xy > limits(T, x)

proves that y lies farther from x than the square T. What is not proved to be far is measured by differences.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import frexp
from typing import TYPE_CHECKING

import torch

from patchcore_plugin.torch_checks import wide

if TYPE_CHECKING:
    from collections.abc import Iterator

UNIT = 2.0**-24
_OFFSET = 4.0  # squared mean, in mean squared spreads, from which on centring is worth a copy of the rows
_MODEST = 2.0**30  # values up to here, and down to its inverse, need no scaling
_WILD = 2.0**80  # squared length, scaled, from which on products of a row could leave the range of float32
_CACHED, _LAUNCHED = 2**19, 2**24  # values in float64 at a time: what a processor's cache holds, what keeps a GPU busy


@dataclass(frozen=True, eq=False)
class Bounds:
    """How rows are prepared for products, and how much those may be off."""

    scale: float  # a power of two
    centre: torch.Tensor | None  # float32 (D,), of the scaled rows; None: near enough to the origin
    width: int
    loss: float  # share of |x|^2 + |y|^2 that products may be off by

    def prepare(self, rows: torch.Tensor) -> torch.Tensor:
        """Scale and centre rows (n, D) -> float32 (n, D), the same tensor where nothing is to be done."""
        if self.scale != 1:
            rows = rows * self.scale
        if self.centre is not None:
            rows = rows - self.centre
        return rows.to(torch.float32).contiguous()

    def halves(self, squares: torch.Tensor) -> torch.Tensor:
        """Turn squared lengths of prepared rows into what products are taken from: float32 (m,)."""
        return (squares * ((1 - self.loss) / 2)).to(torch.float32)

    def limits(self, known: torch.Tensor, squares: torch.Tensor) -> torch.Tensor:
        """Say above what ``halves(y) - xy`` proves that y is farther from x than ``known``.

        Shapes: known (n,), squared distances of unscaled rows; squares (n,), squared lengths of the prepared x.
        """
        rounding = 1 + (2 * self.width + 64) * torch.finfo(known.dtype).eps
        square = known * rounding * self.scale**2
        limit = ((square - squares * (1 - self.loss) + self.width * 2.0**-120) / 2).to(torch.float32)
        limit = limit + limit.abs() * (4 * UNIT)
        return torch.where(squares < _WILD, limit, torch.inf)  # a wild row, or NaN: everything is measured


def fit_bounds(rows: torch.Tensor) -> Bounds:
    """Look at rows, float (M, D), and say how products of them are best taken.

    Cost: O(M*D) time; a block of rows in memory.
    """
    width, scale = rows.shape[1], _scale(rows)
    total = torch.zeros(width, dtype=wide(rows.device), device=rows.device)
    square = 0.0
    for block in _wide_blocks(len(rows), rows):
        part = rows[block].to(total.dtype) * scale
        total += part.sum(dim=0)
        square += float((part * part).sum())
    mean = total / len(rows)
    offset = float(mean @ mean)
    near = offset <= _OFFSET * (square / len(rows) - offset)
    loss = 1.02 * ((width + 16) * UNIT + width * torch.finfo(total.dtype).eps)
    return Bounds(scale, None if near else mean.to(torch.float32), width, loss)


def _scale(rows: torch.Tensor) -> float:
    low, high = torch.aminmax(rows)
    top = max(-float(low), float(high))
    if top == 0 or 1 / _MODEST <= top <= _MODEST:
        return 1.0
    most = 126 if rows.dtype == torch.float32 else 500  # the scale and its square must be numbers, too
    return float(2.0 ** min(most, max(-most, -frexp(top)[1])))


def squared_lengths(prepared: torch.Tensor) -> torch.Tensor:
    """Square the length of each row: float32 (n, D) -> (n,) in the device's widest type."""
    squares = torch.empty(len(prepared), dtype=wide(prepared.device), device=prepared.device)
    for block in _wide_blocks(len(prepared), prepared):
        part = prepared[block].to(squares.dtype)
        squares[block] = (part * part).sum(dim=1)
    return squares


def measure(left: torch.Tensor, i: torch.Tensor, right: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
    """Square the distances of pairs by differences, in the device's widest type.

    Shapes: left (n, D), right (m, D), row numbers i and j (P,) -> (P,).
    """
    squares = torch.empty(len(i), dtype=wide(left.device), device=left.device)
    for block in _wide_blocks(len(i), left):
        difference = left[i[block]].to(squares.dtype)
        difference -= right[j[block]]
        squares[block] = difference.square_().sum(dim=1)
    return squares


def _wide_blocks(count: int, rows: torch.Tensor) -> Iterator[slice]:
    return blocks(count, rows.shape[1], _CACHED if rows.device.type == "cpu" else _LAUNCHED)


def blocks(count: int, width: int, values: int) -> Iterator[slice]:
    """Cut ``count`` rows of ``width`` values into blocks of about so many ``values``."""
    step = max(1, values // width)
    return (slice(start, min(count, start + step)) for start in range(0, count, step))
