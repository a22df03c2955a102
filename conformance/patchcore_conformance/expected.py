"""Failures that are known: a TOML file that names laws by id, each with a reason, and complains when it is out of date.

    [N05]
    reason = "our index adds a small constant under the root"    # required
    issue = "https://example.org/tracker/7"                      # optional
    until = 2027-03-31                                           # optional; its last day

A law that holds after all (XPASS), an id that no law has, and an entry whose day is past all fail the run: the file
only ever excuses what is broken today.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patchcore_conformance.verdicts import Verdict
from patchcore_conformance.violation import KitError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence

    from patchcore_conformance.law import Law
    from patchcore_conformance.result import Result

_KEYS = ("reason", "issue", "until")


@dataclass(frozen=True)
class Expected:
    """One failure that is known; ``until`` is the last day that it is excused on."""

    id: str
    reason: str
    issue: str = ""
    until: date | None = None

    def in_words(self) -> str:
        """Return the reason with where to read on and how long it counts."""
        more = [self.issue] if self.issue else []
        more += [f"until {self.until}"] if self.until else []
        return f"{self.reason} ({', '.join(more)})" if more else self.reason


@dataclass(frozen=True)
class Expectations:
    """All known failures of one part, as of ``today``."""

    entries: tuple[Expected, ...] = ()
    source: str = "the expected failures"
    today: date = field(default_factory=date.today)

    @classmethod
    def of(cls, given: Expectations | str | os.PathLike[str] | None) -> Expectations:
        """Return expectations as they are, none, or what a file holds."""
        if given is None or isinstance(given, Expectations):
            return given or cls()
        return cls.read(given)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Expectations:
        """Read a file.

        Raises: KitError, naming the file and the entry, when it is missing, malformed, or gives no reason.
        """
        try:
            tables = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as problem:
            raise KitError(f"the expected failures in {path} cannot be read: {problem}.") from problem
        return cls(tuple(_entry(path, name, table) for name, table in tables.items()), Path(path).name)

    @property
    def ids(self) -> frozenset[str]:
        """The laws that may fail today."""
        return frozenset(entry.id for entry in self.entries if not self._is_past(entry))

    def complaints(self, laws: Iterable[Law]) -> tuple[str, ...]:
        """Say which entries name no law of the kind, and which are past their day."""
        known = {law.id for law in laws}
        unknown = [f"{self.source}: no law of this kind is named {e.id}" for e in self.entries if e.id not in known]
        past = [
            f"{self.source}: {entry.id} was to be mended by {entry.until}: mend the part, or set another day"
            for entry in self.entries
            if self._is_past(entry)
        ]
        return (*unknown, *past)

    def applied_to(self, results: Sequence[Result], laws: Iterable[Law]) -> list[Result]:
        """Excuse what fails as expected, and report what holds although it is expected to fail.

        A law that may err by chance is allowed to hold now and then.
        """
        entries = {entry.id: entry for entry in self.entries if entry.id in self.ids}
        chancy = {law.id for law in laws if law.statistical}
        return [
            self._applied(result, entries[result.id], result.id in chancy) if result.id in entries else result
            for result in results
        ]

    def _applied(self, result: Result, entry: Expected, chancy: bool) -> Result:
        if result.verdict in {Verdict.FAIL, Verdict.ERROR}:
            return replace(result, verdict=Verdict.XFAIL, reason=entry.in_words())
        if result.verdict is Verdict.PASS and not chancy:
            told = f"holds, but {self.source} expects it to fail: take the entry out"
            return replace(result, verdict=Verdict.XPASS, message=told, reason=entry.in_words())
        return result

    def _is_past(self, entry: Expected) -> bool:
        return entry.until is not None and entry.until < self.today


def _entry(path: str | os.PathLike[str], name: str, table: Any) -> Expected:
    where = f"the expected failure [{name}] in {path}"
    if not isinstance(table, dict):
        raise KitError(f"{where} is {table!r}, but a table with a reason is needed.")
    strange = [key for key in table if key not in _KEYS]
    if strange:
        raise KitError(f"{where} has {', '.join(strange)}. There are: {', '.join(_KEYS)}.")
    for key in ("reason", "issue"):
        if not isinstance(table.get(key, ""), str):
            raise KitError(f"{where} has {key} = {table[key]!r}, but a text is needed.")
    if not table.get("reason", "").strip():
        raise KitError(f"{where} gives no reason. Write why it fails: reason = ...")
    return Expected(name, table["reason"].strip(), table.get("issue", ""), _day(where, table.get("until")))


def _day(where: str, given: Any) -> date | None:
    if given is None or (isinstance(given, date) and not isinstance(given, datetime)):
        return given
    try:
        return date.fromisoformat(given)
    except (TypeError, ValueError) as problem:
        raise KitError(f"{where} has until = {given!r}, but a day such as 2027-03-31 is needed.") from problem
