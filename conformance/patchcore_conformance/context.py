"""What a check works with: fresh parts, seeded chance, and the ways to say what was seen."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from patchcore_conformance.violation import Missing, Violation
from patchcore_conformance.watched import Watched

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from patchcore_conformance.claims import Claims
    from patchcore_conformance.profiles import Profile
    from patchcore_conformance.watched import Tap

Factory = Callable[..., Any]


@dataclass
class Context:
    """One run of one check on one part.

    A check asks ``make`` for parts, never keeps one for another check, and tells what it saw by ``witness`` and
    ``within``. It raises by ``require``, ``within`` or ``broken``; it never asserts: ``python -O`` has to judge alike.
    """

    law: str
    kind: str
    claims: Claims
    profile: Profile
    seed: int
    factory: Factory
    tap: Tap
    shrinking: bool = True
    witnesses: int = 0
    worst_margin: float | None = None
    tolerance: float | None = None

    def make(self, **options: Any) -> Watched:
        """Return a fresh part with these options, watched."""
        return Watched(lambda: self.raw(**options), f"{self.kind}({sorted(options.items())!r})", self.tap)

    def watch(self, make: Callable[[], Any], name: str) -> Watched:
        """Return a part that is made in another way than by its options, such as by unpickling, watched."""
        return Watched(make, f"{self.kind} {name}", self.tap)

    def raw(self, **options: Any) -> Any:
        """Return a fresh part with these options, for what must reach it unwatched, such as pickle."""
        try:
            return self.factory(**options)
        except ImportError as missing:
            raise Missing(str(missing)) from missing

    def rng(self, salt: object = "") -> np.random.Generator:
        """Return chance that is the same in every run with the same seed, for this law and this salt."""
        return np.random.default_rng([self.seed, zlib.crc32(f"{self.kind}:{self.law}:{salt}".encode())])

    def witness(self, count: int = 1) -> None:
        """Count instances in which the law could have been broken in a telling way."""
        self.witnesses += int(count)

    def broken(self, message: str, **evidence: Any) -> NoReturn:
        """Say that the law does not hold, and what shows it."""
        raise Violation(message, evidence)

    def require(self, holds: object, message: str, **evidence: Any) -> None:
        """Say so if something does not hold."""
        if not bool(holds):
            self.broken(message, **evidence)

    def within(self, error: Any, tolerance: Any, message: str, **evidence: Any) -> None:
        """Require each error to be at most its tolerance, and remember how close it came.

        A tolerance of zero asks for equality. An error that is no number is a violation.
        """
        errors, limits = np.broadcast_arrays(np.asarray(error, dtype=np.float64), np.asarray(tolerance, np.float64))
        if errors.size == 0:
            return
        over = ~(errors <= limits)
        share = np.divide(errors, limits, out=np.where(errors > 0, np.inf, 0.0), where=limits > 0)
        worst = int(np.argmax(np.where(np.isnan(share), np.inf, share)))
        if over.any():
            worst = int(np.flatnonzero(over.ravel())[0]) if not over.ravel()[worst] else worst
            found, allowed = errors.ravel()[worst], limits.ravel()[worst]
            self.broken(f"{message} (off by {found:.6g}, allowed {allowed:.6g})", **evidence)
        if self.worst_margin is None or share.ravel()[worst] > self.worst_margin:
            self.worst_margin, self.tolerance = float(share.ravel()[worst]), float(limits.ravel()[worst])

    def search(self, inputs: SearchStrategy[Any], judge: Callable[[Any], None], examples: int | None = None) -> None:
        """Judge generated inputs; of those that break the law, raise for the smallest that was found.

        The same seed generates the same inputs, whatever was run before and on every machine.
        """
        from patchcore_conformance.hypothesis_search import search

        chance = zlib.crc32(f"{self.seed}:{self.kind}:{self.law}".encode())
        search(inputs, judge, examples=examples or self.profile.examples, chance=chance, shrinking=self.shrinking)
