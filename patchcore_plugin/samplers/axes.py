"""What short vectors are worth making of a set of rows, for the number of rows that are to be chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from patchcore_plugin.blas_threads import one_blas_thread
from patchcore_plugin.lower_bound import LowerBound, fit_lower_bound, without_turning
from patchcore_reference.checks import require_finite

if TYPE_CHECKING:
    from patchcore_plugin.arrays import Embeddings
    from patchcore_plugin.samplers.stored_rows import Stored

_SAMPLE = (256, 1024)  # rows that the axes are fitted on, at least and at most
_PER_SAMPLED = 64  # rows for each of them in between, so that axes cost less than they save
_JUDGES = 256  # other rows that say whether the axes are any good
# Share of the squared lengths left in the tails from which on short vectors prove too little. Features of photographs
# leave 0.1 to 0.25 there, random numbers 0.7 to 0.9.
_SHAPELESS = 0.4
_NARROW = 2  # times the short width: up to here whole rows cost no more than finding out about axes
_FEW_VALUES = 2**31  # met in differences: up to here they take no longer than anything that could be done beforehand
_PER_PAIR = 100  # values that the rest of meeting a centre costs like
_MANY_CENTRES = 700  # from which on a product costs so much less than a difference that centring all rows pays


@one_blas_thread()
def fit_axes(embeddings: Stored, width: int, most: int, roomy: bool) -> LowerBound:
    """Fit a lower bound of up to ``width`` values to rows (N, D), of which ``most`` are to be chosen.

    It decides on time alone: short vectors where few axes describe the rows; where they do not, whole centred rows, if
    there is room for them and they pay; else one value, which says that rows are best measured by differences. The
    centre and the scale are the same in all three cases.

    Raises: NonFiniteError where the rows looked at are not finite.
    """
    total, wide = embeddings.shape
    sample, others = _two_samples(embeddings)
    if total * most * (wide + _PER_PAIR) <= _FEW_VALUES:
        return fit_lower_bound(sample, 1)
    if wide <= _NARROW * width and roomy:
        return without_turning(fit_lower_bound(sample, 1))
    bound = fit_lower_bound(sample, width)
    squares = bound.shorten(others).astype(np.float64) ** 2  # not the sample, which its own axes always describe well
    if squares[:, -1].sum() <= _SHAPELESS * squares.sum():
        return bound
    return without_turning(bound) if roomy and most >= _MANY_CENTRES else fit_lower_bound(sample, 1)


def _two_samples(embeddings: Stored) -> tuple[Embeddings, Embeddings]:
    """Rows drawn at random; which ones has no influence on what is chosen."""
    total = len(embeddings)
    random = np.random.default_rng(0)
    sizes = (min(total, max(_SAMPLE[0], min(_SAMPLE[1], total // _PER_SAMPLED))), min(total, _JUDGES))
    sample, others = (embeddings[np.sort(random.choice(total, size, replace=False))] for size in sizes)
    if isinstance(embeddings, np.ndarray) and not (np.isfinite(sample).all() and np.isfinite(others).all()):
        require_finite(embeddings, "embeddings")  # says where among all rows
    return sample, others
