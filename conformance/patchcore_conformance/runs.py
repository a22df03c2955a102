"""What ``patchcore-conformance run`` does: judge one subject or every installed part, and write and show reports."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from patchcore_conformance.console import print_report, say, watching
from patchcore_conformance.engine import judge
from patchcore_conformance.formats import require_formats
from patchcore_conformance.profiles import profile_named
from patchcore_conformance.telling import part_line, summary_line
from patchcore_conformance.verdicts import CONFORMANT, NON_CONFORMANT, UNDECIDED, Verdict
from patchcore_conformance.violation import KitError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from patchcore_conformance.expected import Expectations
    from patchcore_conformance.report import Report
    from patchcore_conformance.subject import Subject


@dataclass(frozen=True)
class Runs:
    """How to run; the results go into ``folder`` in these formats, if one is named.

    Raises: KitError for an unknown profile or format.
    """

    profile: str = "quick"
    seed: int = 0
    only: Sequence[str] | None = None
    folder: Path | None = None
    formats: Sequence[str] = ("json",)

    def __post_init__(self) -> None:
        profile_named(self.profile)
        require_formats(self.formats)

    def one(self, subject: Subject, expect: Expectations) -> int:
        """Judge one subject in detail; return the exit code."""
        report = self._judged(subject, expect)
        files = report.write(self.folder, self.formats) if self.folder else []
        print_report(report, next((file for file in files if file.name == "report.json"), None))
        say([f"written: {', '.join(map(str, files))}"] if files else [])
        return report.exit_code

    def installed(self, kind: str | None = None) -> int:
        """Judge every installed part at the claims of its record, one line each; return the exit code of all."""
        from patchcore_conformance.installed import installed_parts

        ends = Counter(self._installed_part(*part) for part in installed_parts(kind))
        left_out = f", {ends[None]} left out (ENV)" if ends[None] else ""
        say([f"{ends[CONFORMANT]} conformant, {ends[NON_CONFORMANT]} not, {ends[UNDECIDED]} undecided{left_out}"])
        if ends[NON_CONFORMANT]:
            return NON_CONFORMANT
        return CONFORMANT if ends[CONFORMANT] and not ends[UNDECIDED] else UNDECIDED

    def _installed_part(self, kind: str, name: str) -> int | None:
        """Judge one installed part; None where something that it needs is not here."""
        from patchcore_conformance.installed import installed_subject, missing

        if lacking := missing(kind, name):
            say([part_line(kind, name, "ENV", lacking)])
            return None
        try:
            subject = installed_subject(kind, name)
        except KitError as problem:  # a stranger's record must not end the run of all others
            say([part_line(kind, name, "not conformant", str(problem))])
            return NON_CONFORMANT
        report = self._judged(subject)
        if self.folder:
            report.write(self.folder / f"{kind}-{name.replace(':', '-')}", self.formats)
        if report.env_only:
            lacking = next(one.message for one in report.results if one.verdict is Verdict.ENV)
            say([part_line(kind, name, "ENV", lacking)])
            return None
        say([part_line(kind, name, report.outcome, summary_line(report))])
        return report.exit_code

    def _judged(self, subject: Subject, expect: Expectations | None = None) -> Report:
        with watching(subject.name) as progress:
            return judge(
                subject, profile=self.profile, seed=self.seed, only=self.only, expect=expect, progress=progress
            )
