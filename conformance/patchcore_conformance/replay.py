"""One law of a written report, checked again: does it still fail, and on the same input?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from patchcore_conformance.engine import judge
from patchcore_conformance.evidence import described
from patchcore_conformance.formats.json_report import read
from patchcore_conformance.registry import digest
from patchcore_conformance.report import KIT
from patchcore_conformance.subject import Subject
from patchcore_conformance.targets import subject_named
from patchcore_conformance.verdicts import Verdict
from patchcore_conformance.violation import KitError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from patchcore_conformance.report import Report


@dataclass(frozen=True)
class Replay:
    """What came of it.

    before   the verdict in the report.
    report   the new run, of this one law.
    same     for each piece of evidence of the old failure: whether the new one has the very same.
    notes    what is otherwise than it was, apart from the part.
    """

    id: str
    before: Verdict
    report: Report
    same: Mapping[str, bool]
    notes: tuple[str, ...]

    @property
    def after(self) -> Verdict:
        """The verdict now."""
        return self.report[self.id].verdict

    @property
    def still_fails(self) -> bool:
        """True where the law is broken now, as it may have been before."""
        return self.after in {Verdict.FAIL, Verdict.ERROR}

    def in_words(self) -> list[str]:
        """Tell what is as before and what is not."""
        return [self._verdicts(), *self._inputs(), *self.notes]

    def _verdicts(self) -> str:
        failed = self.before in {Verdict.FAIL, Verdict.ERROR, Verdict.XFAIL}
        change = f"was {self.before.value}, is {self.after.value}"
        if self.still_fails:
            return f"{self.id} {'still fails' if failed else 'fails now'}: {change}"
        return f"{self.id} {'no longer fails' if failed else 'does not fail'}: {change}"

    def _inputs(self) -> list[str]:
        if not (self.same and self.still_fails):
            return []
        if all(self.same.values()):
            return ["with the same input and the same answers as in the report"]
        words = {True: "as in the report", False: "not as in the report"}
        return [f"{name}: {words[same]}" for name, same in self.same.items()]


def replay(path: str | os.PathLike[str], id: str, make: Callable[..., Any] | str | None = None) -> Replay:  # noqa: A002
    """Check one law again with the claims, the profile and the seed of a report.

    Args:   make:  the factory, or where to import it from, if it is not where the report says or has no name.
    Raises: KitError when the report cannot be read, did not judge this law, or names a factory that cannot be imported.
    """
    written = read(path)
    check = next((one for one in written["checks"] if one["id"] == id), None)
    if check is None:
        judged = ", ".join(one["id"] for one in written["checks"])
        raise KitError(f"{path} does not judge {id}. It judges: {judged or 'nothing'}.")
    report = judge(_subject(written, make), profile=written["profile"], seed=written["seed"], only=[id])
    return Replay(id, Verdict(check["verdict"]), report, _same(check, report), _notes(written, check, report))


def _subject(written: dict[str, Any], make: Callable[..., Any] | str | None) -> Subject:
    told, claims = written["subject"], written["claims"]
    if callable(make):
        return Subject.of(told["kind"], make, claims)
    if make is None and "<" in told["factory"]:
        raise KitError(f"the factory {told['factory']} cannot be imported by its name. Name it: --make module:name.")
    kind = None if told["installed"] and make is None else told["kind"]
    return subject_named(make or told["factory"], kind, claims, told["options"])


def _same(check: dict[str, Any], report: Report) -> dict[str, bool]:
    now = described(report[check["id"]].evidence)
    return {name: now.get(name) == value for name, value in check["evidence"].items() if name != "traceback"}


def _notes(written: dict[str, Any], check: dict[str, Any], report: Report) -> tuple[str, ...]:
    notes = [] if check["digest"] == digest(report.laws) else [f"the law {check['id']} itself is not what it was"]
    env = {**written["env"], "kit": written["kit"]}
    now = {**report.env, "kit": KIT}
    notes += [f"{name} was {env[name]}, is {now.get(name)}" for name in env if env[name] != now.get(name)]
    origin = written["subject"]["distribution"]
    return tuple(notes if origin == report.distribution else [*notes, f"it was {origin}, is {report.distribution}"])
