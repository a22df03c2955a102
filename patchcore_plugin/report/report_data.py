"""What one report is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from patchcore_plugin.errors import EmptyInputError, InputError, NonFiniteError

# Large runs hand in functions, so that only the pictures that are shown are ever made.
Bytes: TypeAlias = npt.NDArray[np.uint8]
Picture: TypeAlias = Bytes | Callable[[], Bytes] | None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One inspected part.

    Shapes: thumbnail, overlay uint8 (H, W) or (H, W, 3), a function that makes one, or None where there is no picture.
    Units:  score raw, higher is more suspicious; label true for defective, None for unknown; verdict true for alarm,
            None when it follows from the threshold; link is a path relative to the page.
    """

    name: str
    score: float
    label: bool | None = None
    verdict: bool | None = None
    p_value: float | None = None
    thumbnail: Picture = None
    overlay: Picture = None
    link: str | None = None


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """Everything that ``write_page`` shows.

    AUROC, average precision, F1 and all counts are computed from the entries; ``metrics`` holds further figures to show
    beside them, and those of ``evaluate`` that the page says anyway are not repeated. An entry without a verdict raises
    an alarm when its score is above ``threshold``. ``scale`` is the (low, high) the overlays were painted with.
    ``settings`` and ``facts`` are shown as they are, sections in one line each, ``command`` as the way to reproduce.
    ``noun`` is what one part and several are called.

    Raises: EmptyInputError without entries; NonFiniteError for a score or threshold; InputError unless low < high.
    """

    title: str
    intro: str
    entries: Sequence[Entry]
    scale: tuple[float, float]
    threshold: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    noun: tuple[str, str] = ("part", "parts")

    def __post_init__(self) -> None:
        if not self.entries:
            raise EmptyInputError(
                "a report needs at least one inspected part, but no entries came. Score something first."
            )
        for entry in self.entries:
            if not isfinite(entry.score):
                raise NonFiniteError(f"the score of {entry.name} is {entry.score}. Leave that part out and say so.")
        if self.threshold is not None and not isfinite(self.threshold):
            raise NonFiniteError(f"the threshold is {self.threshold}, but a number or None is needed.")
        if not self.scale[0] < self.scale[1]:
            raise InputError(
                f"the colour scale goes from {self.scale[0]} to {self.scale[1]}, but low < high is needed."
            )
