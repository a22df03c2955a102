"""What became of one check, with everything needed to understand and to repeat it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from patchcore_conformance.verdicts import Verdict


@dataclass(frozen=True)
class Result:
    """One line of a report.

    witnesses      telling instances that the check met.
    sensitivity    share of saboteurs that it noticed on this part's own answers; None where none could be applied.
    worst_margin   largest error as a share of its tolerance, also on a PASS: 0.9 is about to break.
    evidence       arrays and numbers of a violation.
    missed         saboteurs that went unnoticed.
    """

    id: str
    kind: str
    verdict: Verdict
    message: str = ""
    seconds: float = 0.0
    witnesses: int = 0
    sensitivity: float | None = None
    worst_margin: float | None = None
    tolerance: float | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    missed: tuple[str, ...] = ()
    reason: str = ""  # why a failure was expected
