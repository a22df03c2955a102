"""How fast a sampler is: what would take others minutes is asked of those only that answer at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from patchcore_conformance import probes
from patchcore_conformance.drivers.once import once_a_factory
from patchcore_conformance.drivers.sampler import knobs

if TYPE_CHECKING:
    from patchcore_conformance.context import Context

_BEARABLE = 2.0  # seconds
_TRIED = 4000


def chooses_all_at_once(ctx: Context, total: int) -> bool:
    """Say whether all of ``total`` rows take two seconds at most, were time to grow with their square."""
    return _seconds(ctx) * (total / _TRIED) ** 2 <= _BEARABLE


@once_a_factory
def _seconds(ctx: Context) -> float:
    """Time the best of three trials, since machines are busy; the part is not watched, since records answer faster."""
    embeddings, options = probes.lattice(_TRIED, 2), knobs(ctx).options(_TRIED, _TRIED, 0)
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        ctx.raw(**options).select(embeddings.copy())
        best = min(best, time.perf_counter() - start)
    return best
