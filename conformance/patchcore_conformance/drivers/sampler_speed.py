"""How fast a sampler is: what would take others minutes is asked of those only that answer at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from patchcore_conformance import probes
from patchcore_conformance.drivers.sampler import knobs

if TYPE_CHECKING:
    from collections.abc import Callable

    from patchcore_conformance.context import Context

_BEARABLE = 2.0  # seconds
_TRIED = 4000
_SECONDS: WeakKeyDictionary[Callable[..., Any], float] = WeakKeyDictionary()


def chooses_all_at_once(ctx: Context, total: int) -> bool:
    """Say whether all of ``total`` rows take two seconds at most, were time to grow with their square."""
    try:
        if ctx.factory not in _SECONDS:
            _SECONDS[ctx.factory] = _measured(ctx)
        seconds = _SECONDS[ctx.factory]
    except TypeError:  # a factory that cannot be remembered
        seconds = _measured(ctx)
    return seconds * (total / _TRIED) ** 2 <= _BEARABLE


def _measured(ctx: Context) -> float:
    """Time the best of three trials, since machines are busy; the part is not watched, since records answer faster."""
    embeddings, options = probes.lattice(_TRIED, 2), knobs(ctx).options(_TRIED, _TRIED, 0)
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        ctx.raw(**options).select(embeddings.copy())
        best = min(best, time.perf_counter() - start)
    return best
