"""How long the runs that are left will take, judged by those that are done; never a guess for unlike ones."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean
from typing import TYPE_CHECKING

from patchcore_plugin.progress import duration

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence


class RunTimes:
    """Seconds of finished runs by what they are alike in (category, configuration, images learned).

    The first run of a kind often takes longest, since later ones reuse its features: so the last three times count.
    """

    def __init__(self) -> None:
        self._seconds: dict[Hashable, list[float]] = defaultdict(list)

    def note(self, kind: Hashable, seconds: float) -> None:
        """Take the time of a finished run."""
        self._seconds[kind].append(seconds)

    def in_words(self, left: Sequence[Hashable]) -> str:
        """Say how long the runs that are left will take: a lower bound where some are unlike all that were seen."""
        known = [kind for kind in left if kind in self._seconds]
        seconds = sum(fmean(self._seconds[kind][-3:]) for kind in known)
        if not known:
            return "" if not left else f"{len(left)} left, of kinds not timed yet"
        unknown = len(left) - len(known)
        more = f", and {unknown} of kinds not timed yet" if unknown else ""
        return f"about {duration(seconds)} left{more}"
