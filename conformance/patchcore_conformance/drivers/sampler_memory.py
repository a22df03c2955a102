"""How much memory a sampler takes, so that the kit never fills a machine with somebody's table of all pairs."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

from patchcore_conformance import probes
from patchcore_conformance.drivers.once import once_a_factory
from patchcore_conformance.drivers.sampler import knobs
from patchcore_conformance.violation import NotOffered

if TYPE_CHECKING:
    from patchcore_conformance.context import Context

_BEARABLE = 2**30  # bytes; a laptop of 8 GB goes on working
_SMALL, _LARGE = 1000, 2000


def peak(ctx: Context, total: int) -> int:
    """Return the most bytes that Python and NumPy hold while a fresh sampler chooses from ``total`` rows."""
    part, embeddings = ctx.raw(**knobs(ctx).options(total, 4, 0)), probes.gaussian(total, 4)
    running = tracemalloc.is_tracing()
    if not running:
        tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        part.select(embeddings)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        if not running:
            tracemalloc.stop()


def squared(small: int, large: int, total: int) -> bool:
    """Say whether the bytes for half of ``total`` rows and for all of them grow with the square."""
    return large >= 3 * small and large >= 64 * 4 * total


def bears(ctx: Context, total: int) -> bool:
    """Say whether ``total`` rows take less than a gigabyte, as far as half a dozen MB of trials show."""
    small, large = _growth(ctx)
    return not squared(small, large, _LARGE) or large * (total / _LARGE) ** 2 <= _BEARABLE


def needs_room(ctx: Context, total: int) -> None:
    """Leave out what would fill the machine, and say so."""
    if not bears(ctx, total):
        need = _growth(ctx)[1] * (total / _LARGE) ** 2 / 2**30
        raise NotOffered(f"its memory grows with the square of the rows: {total:,} would take {need:.0f} GiB")


@once_a_factory
def _growth(ctx: Context) -> tuple[int, int]:
    peak(ctx, 50)  # what is loaded or compiled once does not count
    return peak(ctx, _SMALL), peak(ctx, _LARGE)
