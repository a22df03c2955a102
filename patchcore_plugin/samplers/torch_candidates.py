"""One batch of greedy picking: the farthest rows, their mutual distances, and the choices that these decide."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from patchcore_plugin.torch_bounds import Bounds, measure
from patchcore_plugin.torch_checks import wide

CHOSEN = -1.0  # below every square: a chosen row cannot be the farthest, even where all rows are equal
_SPLIT = 2.0**29 + 1


class Candidates(NamedTuple):
    """The farthest rows, and the best of those left out.

    Picking among them is picking among all rows, as long as the best of them comes before the rival: is farther, or as
    far and lower. Without a rival, ``height`` is below every square.
    """

    rows: torch.Tensor  # int64 (B,), ascending
    rival: int
    height: float


class Picked(NamedTuple):
    """Choices of one batch."""

    places: npt.NDArray[np.int64]  # among the candidates, in order of selection
    heights: npt.NDArray[np.float64]  # squared distance of each to the rows chosen before it
    known: npt.NDArray[np.float64]  # of all candidates, afterwards
    over: bool  # whether all rows lie within the radius


def farthest(known: torch.Tensor, count: int) -> Candidates:
    """Take the ``count`` farthest rows that are not chosen yet, lower rows before equally far ones."""
    top = known.topk(min(count + 1, len(known)), sorted=True).values
    level = top[-1]
    if len(top) <= count or float(level) < 0:
        return Candidates((known >= 0).nonzero()[:, 0], -1, CHOSEN)
    above, equal = (known > level).nonzero()[:, 0], (known == level).nonzero()[:, 0]
    taken = count - len(above)
    rows = torch.cat([above, equal[:taken]]).sort().values
    return Candidates(rows, int(equal[taken]), float(level))


def pick(
    candidates: Candidates, known: npt.NDArray[Any], between: npt.NDArray[Any], most: int, enough: float
) -> Picked:
    """Pick farthest first among the candidates: up to ``most``, down to the rival, until all lie within ``enough``.

    Shapes: known (B,), between (B, B), all squared.
    """
    known = known.copy()
    rows = candidates.rows.cpu().numpy()
    places: list[int] = []
    heights: list[float] = []
    over = False
    while len(places) < most:
        place = int(np.argmax(known))  # the first of equal ones: the lower row
        height = float(known[place])
        if height < 0 or (height, -rows[place]) < (candidates.height, -candidates.rival):
            break
        over = height <= enough
        if over:
            break
        places.append(place)
        heights.append(height)
        np.minimum(known, between[place], out=known)
        known[place] = CHOSEN
    return Picked(np.array(places, dtype=np.int64), np.array(heights), known, over)


def squares_between(points: torch.Tensor, bounds: Bounds) -> torch.Tensor:
    """Square all mutual distances of a few rows, each as exactly as by differences.

    Products in float64 lose digits where two rows are much nearer to each other than to their centre; where fewer are
    left than the rows' own type has, the pair is measured by differences.

    Shapes: points float (B, D) -> (B, B) in the device's widest type.
    """
    exact = wide(points.device)
    centred = points.to(exact) * bounds.scale
    if bounds.centre is not None:
        centred -= bounds.centre
    lengths = (centred * centred).sum(dim=1)
    sums = lengths[:, None] + lengths
    squares = torch.addmm(sums, centred, centred.T, alpha=-2)
    lost = 1.02 * (3 * points.shape[1] + 16) * torch.finfo(exact).eps
    doubtful = ~(squares > sums * (lost / torch.finfo(points.dtype).eps * 4))
    i, j = doubtful.triu(1).nonzero(as_tuple=True)
    squares *= 1 / bounds.scale**2
    squares[i, j] = squares[j, i] = measure(points, i, points, j)
    squares.fill_diagonal_(0)
    return as_told(squares, points.dtype)


def as_told(squares: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Round squares to the 24 bits of float32 where rows hold no more.

    Then the same distance is the same number, however it was computed, and equally far rows are told to be.
    """
    if dtype != torch.float32 or squares.dtype != torch.float64:
        return squares
    high = squares * _SPLIT
    rounded = high - (high - squares)
    return torch.where(rounded.isfinite(), rounded, squares)
