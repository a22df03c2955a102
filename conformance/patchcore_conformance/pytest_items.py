"""Laws as pytest items: one item a law, made at module level, so that each passes, fails and is named by itself."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from patchcore_conformance import pytest_plugin
from patchcore_conformance.engine import check
from patchcore_conformance.expected import Expectations
from patchcore_conformance.profiles import profile_named
from patchcore_conformance.registry import laws_of
from patchcore_conformance.report import NonConformantError, Report
from patchcore_conformance.subject import Subject
from patchcore_conformance.telling import rerun_command, result_in_words
from patchcore_conformance.verdicts import BAD, UNSETTLED, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from patchcore_conformance.claims import Claims
    from patchcore_conformance.law import Law
    from patchcore_conformance.result import Result


@dataclass(eq=False)
class Suite:
    """All laws of one subject, and what came of those that were run so far."""

    subject: Subject
    laws: tuple[Law, ...]
    profile: str
    seed: int
    expect: Expectations
    results: dict[str, Result] = field(default_factory=dict)

    def run(self, law: Law) -> Result:
        """Check one law; what an earlier item found decides whether it is blocked."""
        known = law.id in self.expect.ids
        found = check(law, self.subject, profile_named(self.profile), self.seed, self.results, shrinking=not known)
        self.results[law.id] = found
        return self.expect.applied_to([found], [law])[0]

    def report(self) -> Report:
        """Return what is known by now."""
        judged = self.expect.applied_to(list(self.results.values()), self.laws)
        complaints = self.expect.complaints(laws_of(self.subject.kind))
        return Report.of(self.subject, judged, self.laws, profile_named(self.profile), self.seed, complaints)


@dataclass(frozen=True, eq=False)
class Check:
    """One item: call it, and it passes, fails, skips or fails as expected."""

    suite: Suite
    law: Law

    def __call__(self) -> None:
        """Check the law.

        Raises: NonConformantError, and pytest's own ways to say "skipped" and "expected".
        """
        __tracebackhide__ = True
        result = self.suite.run(self.law)
        if result.verdict in BAD | UNSETTLED:
            again = rerun_command(self.suite.report(), result.id)
            raise NonConformantError("\n".join([*result_in_words(result, self.law), f"again:  {again}"]))
        if result.verdict is Verdict.XFAIL:
            pytest.xfail(result.reason)
        if result.verdict is not Verdict.PASS:
            pytest.skip(f"{result.verdict.value}: {result.message}")


@dataclass(frozen=True, eq=False)
class FileCheck:
    """The item for a file of expected failures: fails where an entry is unknown, or past its day."""

    suite: Suite

    def __call__(self) -> None:
        """Check the file."""
        __tracebackhide__ = True
        complaints = self.suite.expect.complaints(laws_of(self.suite.subject.kind))
        if complaints:
            raise NonConformantError("\n".join(complaints))


def parametrize(
    kind: str,
    make: Callable[..., Any],
    claims: Mapping[str, Any] | Claims | None = None,
    *,
    expect: Expectations | str | Path | None = None,
    profile: str | None = None,
    seed: int = 0,
) -> pytest.MarkDecorator:
    """Make a test function, which takes ``check`` and calls it, one item a law.

        @conformance.parametrize("neighbors", make=build, claims={"level": "exact"}, expect="expect.toml")
        def test_conformance(check):
            check()

    Args:   expect:   known failures: what was read, or a file, looked for beside the test module.
            profile:  "quick" unless said here; ``--pc-profile`` and ``--pc-expect`` of the plugin go before both.
    Raises: KitError as ``run`` does, when the test module is imported.
    """
    options = pytest_plugin.options()
    profile = options.profile or profile or "quick"
    if isinstance(expect, (str, Path)):
        expect = Path(sys._getframe(1).f_code.co_filename).parent / expect
    known = Expectations.of(options.expect or expect)
    laws = tuple(law for law in laws_of(kind) if law.profile.rank <= profile_named(profile).rank)
    suite = Suite(Subject.of(kind, make, claims), laws, profile, seed, known)
    marks = [pytest.mark.conformance] if options.active else []
    items = [pytest.param(Check(suite, law), id=law.id, marks=marks) for law in laws]
    if known.entries:
        items.append(pytest.param(FileCheck(suite), id=known.source, marks=marks))
    return pytest.mark.parametrize("check", items)
