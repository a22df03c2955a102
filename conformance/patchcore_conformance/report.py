"""A whole run: who was judged, by which laws, with which result; as plain data that all formats are written from."""

from __future__ import annotations

import platform
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance.registry import digest, laws_of
from patchcore_conformance.verdicts import BAD, EXECUTED, NON_CONFORMANT, Verdict, exit_code

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from patchcore_conformance.claims import Claims
    from patchcore_conformance.law import Law
    from patchcore_conformance.profiles import Profile
    from patchcore_conformance.result import Result
    from patchcore_conformance.subject import Subject

SCHEMA = 1
KIT = "2026.11"  # the kit's own version, by calendar; the laws have theirs


class NonConformantError(AssertionError):
    """A part broke laws that it claims, or nothing could be decided."""


@dataclass(frozen=True)
class Report:
    """The outcome of one run on one part.

    laws_digest  fingerprint of all laws of the kind, whichever of them were run.
    complaints   what is wrong with the run itself, such as an expected failure of a law that does not exist.
    facts        what else is known of the subject: its ``options``, and whether it is ``installed``.
    loading      seconds that the first making of the part took, its libraries loaded; no law counts them.
    """

    kind: str
    subject: str
    distribution: str
    claims: Claims
    profile: str
    seed: int
    laws_digest: str
    results: tuple[Result, ...]
    env: dict[str, str] = field(default_factory=dict)
    made: str = ""
    complaints: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    laws: tuple[Law, ...] = field(default=(), repr=False, compare=False)
    loading: float = 0.0

    @classmethod
    def of(
        cls,
        subject: Subject,
        results: Sequence[Result],
        laws: Sequence[Law],
        profile: Profile,
        seed: int,
        complaints: Sequence[str] = (),
    ) -> Report:
        """Put a run together, with what is known of the machine."""
        return cls(
            kind=subject.kind,
            subject=subject.name,
            distribution=subject.distribution,
            claims=subject.claims,
            profile=profile.name,
            seed=seed,
            laws_digest=digest(laws_of(subject.kind)),
            results=tuple(results),
            env=environment(),
            made=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            complaints=tuple(complaints),
            facts=subject.facts,
            laws=tuple(laws),
        )

    @property
    def exit_code(self) -> int:
        """0 conformant, 1 not, 3 undecided."""
        return NON_CONFORMANT if self.complaints else exit_code(result.verdict for result in self.results)

    @property
    def conformant(self) -> bool:
        """True when every law that is claimed was checked and holds, or fails as expected."""
        return self.exit_code == 0

    @property
    def outcome(self) -> str:
        """The whole run in a word or two."""
        if self.conformant:
            return "conformant with exceptions" if Verdict.XFAIL in self.counts() else "conformant"
        return "not conformant" if self.exit_code == NON_CONFORMANT else "undecided"

    @property
    def env_only(self) -> bool:
        """True when nothing could be checked because something that the part needs is not on this machine."""
        seen = set(self.counts())
        return Verdict.ENV in seen and not seen & EXECUTED

    def law(self, id: str) -> Law:  # noqa: A002 - the word that reports use
        """Return the law behind a result."""
        return next(law for law in self.laws if law.id == id)

    def counts(self) -> dict[Verdict, int]:
        """How often each verdict was given."""
        return dict(Counter(result.verdict for result in self.results))

    def __getitem__(self, id: str) -> Result:  # noqa: A002
        return next(result for result in self.results if result.id == id)

    def raise_for_status(self) -> None:
        """Raise NonConformantError, naming what is broken, unless the part is conformant."""
        if self.conformant:
            return
        told = [result for result in self.results if result.verdict in BAD] or [
            result for result in self.results if result.verdict in {Verdict.VACUOUS, Verdict.INCONCLUSIVE}
        ]
        lines = [f"{result.id} {result.verdict.value}: {result.message}" for result in told]
        lines = [*lines, *self.complaints] or ["nothing was checked"]
        raise NonConformantError("\n".join([f"{self.subject} is {self.outcome}:", *lines]))

    def write(self, folder: str | os.PathLike[str], formats: Sequence[str] = ("json",)) -> list[Path]:
        """Write the report in one or several formats; return the files. See ``patchcore_conformance.formats``."""
        from patchcore_conformance.formats import write

        return write(self, folder, formats)


def environment() -> dict[str, str]:
    """Tell what an answer may depend on."""
    found = {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}
    for name in ("numpy", "numba", "torch", "faiss-cpu", "hypothesis"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    build: Any = getattr(np, "show_config", None)
    blas = build(mode="dicts").get("Build Dependencies", {}).get("blas", {}) if build else {}
    found["blas"] = f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()
    return found
