"""How long work tells where it stands, without knowing who listens; and how long it will still take."""

from __future__ import annotations

from collections import deque
from typing import Protocol

_WINDOW = 30.0  # seconds: the pace of late counts, since a stage may get slower or faster on its way
_LEAST = 3  # reports: fewer say nothing about a pace


class Progress(Protocol):
    """Called with the stage's name, the steps done, and how many there are (None: unknown)."""

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Note that ``done`` of ``total`` steps of ``stage`` are done."""


def silent(stage: str, done: int, total: int | None) -> None:
    """Listen to nothing."""


class TimeLeft:
    """The time that one stage will still take, from its pace of late.

    The pace is that of the last half minute, or of the last three reports where these are farther apart. What was done
    before the first report (by an earlier run, say) does not count. Between reports the answer counts down.
    There is no answer for several stages together: how long the sampler takes depends on how alike the patches are,
    which nobody knows before it has begun. ``patchcore plan`` guesses it, and calls it a guess.
    """

    def __init__(self) -> None:
        self._reports: deque[tuple[float, int]] = deque()
        self._total: int | None = None

    def note(self, done: int, total: int | None, now: float) -> None:
        """Take a report; ``now`` in seconds of any clock that only goes forward."""
        self._total = total
        self._reports.append((now, done))
        while len(self._reports) > _LEAST and self._reports[1][0] <= now - _WINDOW:
            self._reports.popleft()

    def seconds(self, now: float) -> float | None:
        """Seconds left; None while too little is known to say."""
        if self._total is None or len(self._reports) < _LEAST:
            return None
        (began, first), (latest, done) = self._reports[0], self._reports[-1]
        if done <= first or latest <= began:
            return None
        return max(0.0, (self._total - done) * (latest - began) / (done - first) - (now - latest))


def duration(seconds: float) -> str:
    """Write a time for people, no finer than it matters: ``8 s``, ``12 min``, ``3 h 40 min``."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
