"""A law: what must hold, why, what happened where it did not, how to mend it; and the check that decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from patchcore_conformance.claims import SPEC
from patchcore_conformance.profiles import QUICK, Profile

if TYPE_CHECKING:
    from patchcore_conformance.claims import Claims
    from patchcore_conformance.context import Context
    from patchcore_conformance.saboteur import Saboteur
    from patchcore_conformance.subject import Subject

Check = Callable[["Context"], None]
Needs = Callable[["Claims"], bool]


def everyone(_: Claims) -> bool:
    """Say yes: a core law, which no part can disclaim."""
    return True


@dataclass(frozen=True, kw_only=True)
class Law:
    """One law of one kind of part, with its check.

    statement, why, seen, mend   plain words for ``explain``: the law, why it matters, a real fault that it catches, and
                 how to mend a violation.
    applies      which claims call for it; ``promise`` says so in words, empty for a core law.
    after        laws without which this one says nothing: if one is broken, this one is BLOCKED.
    witnesses    how many telling instances a run must have met; fewer: VACUOUS.
    saboteurs    corruptions of the part's own answers that the check must notice after a PASS.
    ahead        what it needs and may begin in the background while other laws are checked.
    profile      the least thorough profile that runs it.
    statistical  may err by chance, at the rate that it states.
    """

    id: str
    kind: str
    statement: str
    why: str
    seen: str
    mend: str
    check: Check
    applies: Needs = everyone
    promise: str = ""
    after: tuple[str, ...] = ()
    witnesses: int = 1
    saboteurs: tuple[Saboteur, ...] = ()
    ahead: Callable[[Subject], None] | None = None
    profile: Profile = QUICK
    statistical: bool = False
    since: str = SPEC

    @property
    def core(self) -> bool:
        """True for a law that cannot be disclaimed."""
        return self.applies is everyone
