"""The pytest plugin: options, a marker, and what was judged, in the header and at the end.

It is not found by itself: write ``pytest_plugins = "patchcore_conformance.pytest_plugin"`` into the top conftest.py.
``parametrize`` works without it too, with the quick profile and without the section at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from patchcore_conformance.pytest_items import Suite


@dataclass(frozen=True)
class Options:
    """What was asked for on pytest's command line; ``active`` where the plugin is at work."""

    active: bool = False
    profile: str | None = None
    expect: Path | None = None


_RUNNING: list[Options] = []  # a run of pytest may be started inside another one, so that the last one counts
_SUITES = pytest.StashKey[list[Any]]()


def options() -> Options:
    """Return the options of the run of pytest that is going on."""
    return _RUNNING[-1] if _RUNNING else Options()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --pc-profile and --pc-expect."""
    from patchcore_conformance.profiles import PROFILES

    group = parser.getgroup("patchcore conformance")
    group.addoption("--pc-profile", choices=tuple(PROFILES), help="how thoroughly parts are judged")
    group.addoption("--pc-expect", metavar="FILE", help="known failures, a TOML file, instead of those in the tests")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and keep the options for the test modules."""
    config.addinivalue_line("markers", "conformance: a law of the PatchCore conformance kit, checked on one part")
    config.stash[_SUITES] = []
    expect = config.getoption("--pc-expect")
    where = config.invocation_params.dir
    _RUNNING.append(Options(True, config.getoption("--pc-profile"), where / expect if expect else None))


def pytest_unconfigure() -> None:
    """Forget the options."""
    if _RUNNING:
        _RUNNING.pop()


def pytest_report_header(config: pytest.Config) -> str:
    """Say by which laws and how thoroughly."""
    from patchcore_conformance.claims import SPEC

    return f"patchcore conformance: laws {SPEC}, profile {config.getoption('--pc-profile') or 'as the tests say'}"


@pytest.hookimpl(tryfirst=True)  # before pytest asks what there is to say about it
def pytest_collection_finish(session: pytest.Session) -> None:
    """Find out which parts are judged."""
    session.config.stash[_SUITES] = list(_suites(session.items))


def _suites(items: Iterable[pytest.Item]) -> Iterable[Suite]:
    found: dict[int, Suite] = {}
    for item in items:
        suite = getattr(getattr(item, "callspec", None), "params", {}).get("check")
        if item.get_closest_marker("conformance") and suite is not None:
            found.setdefault(id(suite.suite), suite.suite)
    return found.values()


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Say which parts are judged, and what they claim."""
    suites = config.stash[_SUITES]
    if not suites:
        return []
    from patchcore_conformance.report import KIT
    from patchcore_conformance.telling import level_in_words

    return [
        f"patchcore conformance: {suite.subject.kind} {suite.subject.name}, level {level_in_words(suite.subject)}, "
        f"laws {suite.subject.claims.spec}, kit {KIT}, profile {suite.profile}, seed {suite.seed}"
        for suite in suites
    ]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Sum up each part: its level, what is not claimed, and how close the closest call was."""
    ran = [suite for suite in config.stash[_SUITES] if suite.results]
    if not ran:
        return
    from patchcore_conformance.telling import not_claimed, part_line, summary_line

    terminalreporter.section("patchcore conformance")
    for suite in ran:
        report = suite.report()
        terminalreporter.write_line(part_line(report.kind, report.subject, report.outcome, summary_line(report)))
        if not_claimed(report):
            terminalreporter.write_line(f"  not claimed: {'; '.join(not_claimed(report))}")
