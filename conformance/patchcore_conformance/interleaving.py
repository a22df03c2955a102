"""Threads that take turns at every line of Python: what two calls share shows within milliseconds, not once a month."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_PAUSES = 60  # in all, a call of many lines must not take minutes


@contextmanager
def many_turns(seed: int) -> Iterator[None]:
    """Let this thread give way to others before lines drawn at random, in the code that is entered meanwhile."""
    chance, left = Random(seed), [_PAUSES]  # noqa: S311 - no secret

    def traced(_frame: Any, event: str, _argument: Any) -> Any:
        if not left[0]:
            return None
        if event == "line" and chance.random() < 0.1:
            left[0] -= 1
            time.sleep(1e-4)
        return traced

    before = sys.gettrace()
    sys.settrace(traced)
    try:
        yield
    finally:
        sys.settrace(before)
