"""Threads that take turns at every line of Python: what two calls share shows within milliseconds, not once a month."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# What a part shares with itself, it does not share here.
_BESIDE_THE_PART = (
    "numpy",
    "patchcore_conformance.drivers",
    "patchcore_conformance.laws",
    "patchcore_conformance.plain",
    "patchcore_conformance.watched",
)
_PAUSES = 300  # in all, a call of many lines must not take minutes


@contextmanager
def many_turns(seed: int) -> Iterator[None]:
    """Let this thread give way to others before lines drawn at random, in the code that is entered meanwhile."""
    chance, left = Random(seed), [_PAUSES]  # noqa: S311 - no secret

    def traced(frame: Any, event: str, _argument: Any) -> Any:
        if not left[0]:
            sys.settrace(None)  # the rest of a call that is long need not crawl
            return None
        if frame.f_globals.get("__name__", "").startswith(_BESIDE_THE_PART):
            return None
        if event == "line" and chance.random() < 0.2:
            left[0] -= 1
            time.sleep(1e-4 * 10 ** chance.uniform(0, 1.5))  # some stand still while others finish whole calls
        return traced

    before = sys.gettrace()
    sys.settrace(traced)
    try:
        yield
    finally:
        sys.settrace(before)


def turns_within(seconds: float, least: int, most: int) -> Iterator[int]:
    """Count turns until the time is over: quick parts get many, slow ones a few."""
    end = time.perf_counter() + seconds
    for turn in range(most):
        if turn >= least and time.perf_counter() > end:
            return
        yield turn
