"""What can become of a check, and the exit code that a whole run ends with."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Verdict(str, Enum):
    """The outcome of one check."""

    PASS = "PASS"  # noqa: S105 - not a password
    FAIL = "FAIL"
    ERROR = "ERROR"  # the part raised what no law allows
    XFAIL = "XFAIL"  # failed as the expectations file says
    XPASS = "XPASS"  # passed though the expectations file says it fails
    NOT_CLAIMED = "NOT_CLAIMED"  # the part does not promise this
    BLOCKED = "BLOCKED"  # a law that this one builds on is broken
    ENV = "ENV"  # a library or a device is missing here
    INCONCLUSIVE = "INCONCLUSIVE"  # chance could not decide
    VACUOUS = "VACUOUS"  # passed, but the check showed too little to mean anything


EXECUTED = frozenset(Verdict) - {Verdict.NOT_CLAIMED, Verdict.BLOCKED, Verdict.ENV}
BAD = frozenset({Verdict.FAIL, Verdict.ERROR, Verdict.XPASS})
UNSETTLED = frozenset({Verdict.INCONCLUSIVE, Verdict.VACUOUS})

CONFORMANT, NON_CONFORMANT, MISUSED, UNDECIDED = 0, 1, 2, 3  # exit codes


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """Sum up a run: 0 conformant, 1 not, 3 where the kit itself could not tell, such as when nothing was checked."""
    seen = set(verdicts)
    if seen & BAD:
        return NON_CONFORMANT
    return CONFORMANT if seen & EXECUTED and not seen & UNSETTLED else UNDECIDED
