"""A whole run: who was judged, by which laws, with which result; as plain data that all formats are written from."""

from __future__ import annotations

import platform
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance.registry import digest
from patchcore_conformance.verdicts import BAD, Verdict, exit_code

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence
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
    """The outcome of one run on one part."""

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

    @classmethod
    def of(
        cls, subject: Subject, results: Sequence[Result], laws: Iterable[Law], profile: Profile, seed: int
    ) -> Report:
        """Put a run together, with what is known of the machine."""
        return cls(
            kind=subject.kind,
            subject=subject.name,
            distribution=subject.distribution,
            claims=subject.claims,
            profile=profile.name,
            seed=seed,
            laws_digest=digest(laws),
            results=tuple(results),
            env=environment(),
            made=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        )

    @property
    def exit_code(self) -> int:
        """0 conformant, 1 not, 3 undecided."""
        return exit_code(result.verdict for result in self.results)

    @property
    def conformant(self) -> bool:
        """True when every law that is claimed was checked and holds."""
        return self.exit_code == 0

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
        raise NonConformantError("\n".join([f"{self.subject} is not conformant:", *(lines or ["nothing was checked"])]))

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
