"""Short vectors whose distances never exceed the true ones: a certificate that two rows are too far apart to matter.

Rows are centred and turned onto principal axes; a short vector holds the first r coordinates z and the length t of all
that was cut off. By the reverse triangle inequality |(z, t)(x) - (z, t)(y)| <= |x - y| for any two rows, whatever the
axes were fitted on. Good axes make it a tight bound; no axes make it a wrong one.

Rounding, with u = 2^-24, R the length of a centred row in units of ``scale``, and n = the terms of one float32 sum:

* A short vector differs from the exact one (of the nearest orthonormal axes) by at most its *slack*. Centring costs
  uR, in float32 too, since the difference of two numbers is off by u of itself however large they are. Projecting costs
  n u R sqrt(r) (Cauchy-Schwarz in each coordinate), axes that are not quite orthonormal cost ``skew`` R: together
  eps R. The squared tail R^2 - |z|^2 is off by kappa R^2, kappa = 2 eps + (n + r + 8) u, so its root by the lesser of
  sqrt(kappa) R and kappa R^2 / t. Sums run over pieces of 128 columns, which keeps n near 128 + D / 128.
* The expansion |a|^2 + |b|^2 - 2ab of two short vectors in float32 is off by at most (width + 8) u (|a| + |b|)^2.
* Whatever underflows, flushed to zero or not, is less than ``_TINY`` in each term; ``scale`` keeps rows near length 1.

Short vectors and all quantities here are in units of ``scale``; only ``least_distances`` answers in those of the rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from patchcore_reference.checks import require_finite, require_rows, require_whole

if TYPE_CHECKING:
    from patchcore_plugin.arrays import Embeddings

UNIT = 2.0**-24  # roundoff of float32
_TINY = 2.0**-120  # more than one float32 operation loses by underflow
_EXTREME = 2.0**40  # in units of scale; its square, summed, stays far inside float32
_COLUMNS = 128  # of one partial sum
_SPARE, _STEPS = 16, 2  # of subspace iteration: axes beyond those wanted, and rounds; more make axes hardly better
_ROWS = 2048  # shortened at a time
_SAFE = 1.01  # covers what the error terms above leave out: their products with each other

Short = npt.NDArray[np.float32]  # (n, r + 1): r coordinates, then the length of the rest
Values = npt.NDArray[np.float32] | npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LowerBound:
    """A way to shorten rows: made by ``fit_lower_bound`` from a sample, valid for all rows of the same width.

    Shapes: centre (D,), axes float32 (D, r).
    """

    centre: npt.NDArray[Any]
    axes: npt.NDArray[np.float32]
    scale: float  # a power of two: multiplying by it costs no rounding
    skew: float  # how far the axes are from orthonormal ones: the largest |singular value - 1|
    turned: bool = True  # False: the axes are those of the embeddings, so that nothing has to be multiplied

    @property
    def width(self) -> int:
        """Values of a short vector: r coordinates and the tail."""
        return int(self.axes.shape[1]) + 1

    @property
    def complete(self) -> bool:
        """As many axes as values: nothing is cut off, and the tail is 0."""
        return self.width > len(self.axes)

    def shorten(self, rows: Embeddings) -> Short:
        """Turn rows into short vectors.

        Shapes: rows float (n, D) -> float32 (n, r + 1).
        Units:  ``scale`` times those of the rows.
        Raises: NonFiniteError for NaN or infinity; finding them costs nothing extra.
        Cost:   O(n*D*r) time, on the BLAS; some 2,048 rows in memory at a time.
        """
        short = np.zeros((len(rows), self.width), dtype=np.float32)
        for start in range(0, len(rows), _ROWS):
            self._shorten_block(rows[start : start + _ROWS], short[start : start + _ROWS])
        return short

    def _shorten_block(self, rows: Embeddings, short: Short) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            squares = self._turn(rows, short[:, :-1], cut=False)
        if not squares.max() < _EXTREME**2:  # also where a sum overflowed, or a value is NaN
            require_finite(rows, "rows")
            squares = self._turn(rows, short[:, :-1], cut=True)
        if not self.complete:
            turned = short[:, :-1]
            np.sqrt(np.maximum(squares - np.einsum("ij,ij->i", turned, turned), 0), out=short[:, -1])

    def _turn(self, rows: Embeddings, turned: Short, cut: bool) -> Short:
        """Fill in the coordinates; answer the squared lengths. Cutting off extremes never sets rows farther apart."""
        squares = np.zeros(len(rows), dtype=np.float32)
        total = np.zeros(turned.shape, dtype=np.float32)
        product = np.empty_like(total)
        for start in range(0, len(self.axes), _COLUMNS):
            columns = slice(start, start + _COLUMNS)
            centred = rows[:, columns] - self.centre[columns]
            if self.scale != 1:
                centred *= centred.dtype.type(self.scale)
            if cut:
                np.clip(centred, -_EXTREME, _EXTREME, out=centred)
            piece = np.asarray(centred, dtype=np.float32)
            if self.turned:
                total += np.matmul(piece, self.axes[columns], out=product)
            else:
                total[:, columns] = piece
            squares += np.einsum("ij,ij->i", piece, piece)
        turned[:] = total
        return squares

    def fold(self, short: Short, width: int) -> Short:
        """Make short vectors shorter: the coordinates from ``width`` - 1 on go into the tail.

        Distances of folded vectors never exceed those of the vectors they came from, and the slack of those holds for
        them too: folding is the same inequality once more, and sums only what is positive.
        """
        if width >= short.shape[1]:
            return short
        folded = np.empty((len(short), width), dtype=np.float32)
        folded[:, :-1] = short[:, : width - 1]
        rest = short[:, width - 1 :]
        np.sqrt(np.einsum("ij,ij->i", rest, rest), out=folded[:, -1])
        return folded

    def slack(self, short: Short, squares: npt.NDArray[np.float32] | None = None) -> npt.NDArray[np.float32]:
        """Say how far each short vector, folded ones included, may lie from the exact one.

        Shapes: short (n, r + 1), as ``shorten`` gave it, and its squared lengths where known (n,) -> float32 (n,),
                rounded up.
        """
        squares = np.einsum("ij,ij->i", short, short) if squares is None else squares
        terms, r = self._terms, self.width - 1
        projecting = _SAFE * ((terms * np.sqrt(r) + 2) * UNIT + self.skew)
        tail = _SAFE * (2 * projecting + (terms + r + 8) * UNIT)
        length = _SAFE * np.sqrt(squares, dtype=np.float64)
        slack = projecting * length + (r + 4) * UNIT * length  # the second part is what folding may add
        if not self.complete:
            by_ratio = tail * length**2 / np.maximum(short[:, -1], _TINY, dtype=np.float64)
            slack += np.minimum(np.sqrt(tail) * length, by_ratio)
        slack += 8 * np.sqrt((len(self.axes) + r) * _TINY)
        rounded_up: npt.NDArray[np.float32] = (slack * (1 + 4 * UNIT)).astype(np.float32)
        return rounded_up

    def least_distances(
        self, squares: Values, lengths: tuple[Values, Values], slack: Values
    ) -> npt.NDArray[np.float64]:
        """Turn computed squared short distances into true distances that the rows have at least.

        Shapes: all alike or broadcast together: ``squares`` by float32 expansion or by differences, the ``lengths`` of
                the two short vectors, the sum of their two slacks -> float64.
        Units:  in: ``scale`` times those of the rows, squared for ``squares``; out: those of the rows.
        """
        sure = np.asarray(squares, dtype=np.float64) - expansion_error(self.width, *lengths)
        short = np.sqrt(np.maximum(sure, 0)) * (1 - 2**-50) - np.asarray(slack, dtype=np.float64)
        least: npt.NDArray[np.float64] = np.maximum(short, 0) / self.scale
        return least

    @property
    def _terms(self) -> int:
        """Roundings that one value of a sum over D columns goes through."""
        return min(len(self.axes), _COLUMNS) + -(-len(self.axes) // _COLUMNS) + 1


def expansion_error(width: int, a: Values | float, b: Values | float) -> Any:
    """Bound the error of |x|^2 + |y|^2 - 2xy in float32, for short vectors of lengths a and b.

    Its sums may run in any order. It covers a difference form too, which is more exact.
    """
    reach = np.asarray(a, dtype=np.float64) + np.asarray(b, dtype=np.float64)
    return _SAFE * (width + 8) * UNIT * reach**2 + (width + 8) * _TINY


def distances_above(
    distances: Values | float, slack: Values | float, lengths: tuple[Values | float, Values | float], width: int
) -> Any:
    """Say which computed squared short distance proves that two rows are at least ``distances`` apart.

    Shapes: all alike or broadcast together -> float64: pairs whose computed square reaches it are at least that far.
    Units:  ``scale`` times those of the rows; ``slack`` is the sum of both slacks.
    """
    needed = np.asarray(distances, dtype=np.float64) + np.asarray(slack, dtype=np.float64)
    return needed**2 * (1 + 2**-48) + expansion_error(width, *lengths)


def fit_lower_bound(sample: Embeddings, width: int) -> LowerBound:
    """Fit axes to a sample of rows (some hundred are enough, some thousand no better).

    Shapes: sample float (n, D); ``width`` values for a short vector, of which the last is the tail: at most D + 1. A
            vector of one value is the distance to the centre, and needs no axes.
    Raises: ShapeError, EmptyInputError, NonFiniteError for a sample that is no set of rows, or a width below 1.
    Cost:   O(n*D*min(n, D) + D*width^2) time, for narrow rows O(D^3); memory for some copies of the sample.
    """
    require_rows(sample, "sample")
    require_whole(width, "width", least=1)
    r = min(width - 1, sample.shape[1])
    centre = sample.mean(axis=0, dtype=np.float64).astype(np.float32 if sample.dtype.itemsize <= 4 else np.float64)
    centred = np.asarray(sample - centre, dtype=np.float64)
    size = np.sqrt((centred**2).sum(axis=1).mean()) if np.abs(centred).max() < 1e150 else np.abs(centred).max()
    scale = 2.0 ** -np.clip(np.round(np.log2(size)), -120, 120) if size > 0 else 1.0
    scaled = np.asarray(centred * scale, dtype=np.float32)
    axes = _principal_axes(scaled, r)
    return LowerBound(centre, axes, float(scale), _skew(axes))


def without_turning(bound: LowerBound) -> LowerBound:
    """Centre as ``bound`` does and keep every value: for rows without structure, which no few axes describe.

    Short vectors are then as wide as rows and one value more; a product of two still costs less than a difference.
    """
    return replace(bound, axes=np.eye(len(bound.axes), dtype=np.float32), skew=0.0, turned=False)


def _principal_axes(centred: npt.NDArray[np.float32], r: int) -> npt.NDArray[np.float32]:
    """The r axes along which the sample spreads most; of wide rows nearly so, by a few steps of subspace iteration."""
    rows, width = centred.shape
    wanted = r + _SPARE
    if r == 0:
        return np.empty((width, 0), dtype=np.float32)
    if 2 * wanted >= width:
        return _best_axes(centred, np.eye(width, dtype=np.float32), r)
    few = wanted <= rows < width
    spread = centred @ centred.T if few else centred.T @ centred
    wide = spread.astype(np.float64)  # keeps weak directions beside strong ones without making them orthogonal
    basis = np.random.default_rng(0).standard_normal((len(wide), wanted))
    for _ in range(_STEPS):
        basis = wide @ basis
    return _best_axes(centred, np.linalg.qr(centred.T @ basis if few else basis)[0].astype(np.float32), r)


def _best_axes(centred: npt.NDArray[np.float32], basis: npt.NDArray[np.float32], r: int) -> npt.NDArray[np.float32]:
    """The r best axes within the space of an orthonormal basis, best first."""
    inside = (centred @ basis).astype(np.float64)
    _, axes = np.linalg.eigh(inside.T @ inside)
    return np.ascontiguousarray(basis.astype(np.float64) @ axes[:, ::-1][:, :r], dtype=np.float32)


def _skew(axes: npt.NDArray[np.float32]) -> float:
    """Largest difference between a singular value of the axes and 1, with the rounding of this computation itself."""
    if not axes.size:
        return 0.0
    wide = axes.astype(np.float64)
    squares = np.linalg.eigvalsh(wide.T @ wide)
    return float(np.abs(np.sqrt(np.maximum(squares, 0)) - 1).max()) + 1e-12 * len(axes)
