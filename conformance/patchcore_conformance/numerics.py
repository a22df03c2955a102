"""What rounding may do to a squared distance: tolerances that follow from the arithmetic that a part claims.

The truth is the sum of (x - y)^2 in float64 by differences; float16 and float32 values are exact in it. With rho =
(D + 6) u, u the unit roundoff of the claimed dtype, a squared distance may be off by

* E0, by differences: rho times the truth;
* E1, |x|^2 - 2xy + |y|^2: rho times (|x| + |y|)^2; E1-centred: the same, measured from the bank's mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from patchcore_conformance.claims import Claims

Doubles = npt.NDArray[np.float64]

UNITS = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
# Below this, a dtype has fewer bits or none: what is lost there is no relative error.
_SMALLEST = {"float64": 2.0**-1022, "float32": 2.0**-126, "float16": 2.0**-14, "bfloat16": 2.0**-126}
_OWN = UNITS["float64"]  # the certificates round too
_BLOCK_VALUES = 1 << 21


@dataclass(frozen=True)
class Numerics:
    """The rounding that claims allow."""

    arith: str
    unit: float
    smallest: float

    @classmethod
    def of(cls, claims: Claims) -> Numerics:
        """Read the claims."""
        return cls(claims.arith, UNITS[claims.dtype], _SMALLEST[claims.dtype])

    @property
    def expanded(self) -> bool:
        """True where squared distances may come from |x|^2 - 2xy + |y|^2."""
        return self.arith.startswith("E1")

    def rho(self, width: int) -> float:
        """Largest relative error of a sum of ``width`` squares, with a root taken and squared again."""
        return (width + 6) * (self.unit + _OWN)

    def centre(self, bank: Doubles) -> Doubles:
        """What the part may take off before it expands: the bank's mean, or nothing."""
        return bank.mean(axis=0) if self.arith == "E1-centred" else np.zeros(bank.shape[1])

    def lengths(self, points: Doubles, centre: Doubles) -> Doubles:
        """Distance of each point from the centre, which a part may have rounded: (N, D) -> (N,)."""
        rounded = 100 * self.unit * np.sqrt(np.square(centre).sum())
        return np.asarray(np.sqrt(np.square(points - centre).sum(axis=1)) + rounded)

    def slack(self, truth: Any, lengths: Any, width: int) -> Doubles:
        """How far computed squares may be from the truth; ``lengths`` is |x| + |y|, used for E1 only."""
        size = np.square(lengths) if self.expanded else truth
        return np.asarray(self.rho(width) * size + width * self.smallest, dtype=np.float64)


def squares_between(queries: Doubles, bank: Doubles) -> Doubles:
    """Squared distances by differences: (Q, D), (M, D) -> (Q, M)."""
    found = np.empty((len(queries), len(bank)))
    step = max(1, _BLOCK_VALUES // max(1, bank.size))
    for start in range(0, len(queries), step):
        gaps = queries[start : start + step, None, :] - bank[None, :, :]
        np.einsum("qmd,qmd->qm", gaps, gaps, out=found[start : start + step])
    return found


def squares_to(points: Doubles, point: Doubles) -> Doubles:
    """Squared distances of all points to one: (N, D), (D,) -> (N,)."""
    gaps = points - point
    return np.asarray(np.einsum("nd,nd->n", gaps, gaps))


def rounded_to(rows: npt.NDArray[Any], dtype: str) -> npt.NDArray[np.float32]:
    """Bring float32 rows to values that the claimed dtype holds exactly, and to a size whose squares it can sum.

    Rounding of what comes in would otherwise be held against the part. Nothing changes for float32 and float64.
    """
    rows = np.asarray(rows, dtype=np.float32)
    if dtype == "bfloat16":
        bits = rows.view(np.uint32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)).view(np.float32)
    if dtype == "float16" and rows.size:
        largest = 60_000.0**0.5 / (2 * rows.shape[1] ** 0.5)
        reach = float(np.abs(rows).max())
        scale = 2.0 ** -np.ceil(np.log2(reach / largest)) if reach > largest else 1.0
        return (rows * np.float32(scale)).astype(np.float16).astype(np.float32)
    return rows
