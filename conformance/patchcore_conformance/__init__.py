"""The judge: what any part must satisfy, whoever wrote it.

    import patchcore_conformance as conformance

    report = conformance.run("sampler", make=MySampler, claims=conformance.Claims(level="exact"))
    report.raise_for_status()

Laws stand in ``laws/``; ``engine`` runs them; ``formats/``, ``cli`` and ``pytest_items`` show what came of it. Names
are imported when they are first asked for: importing this package loads nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from patchcore_conformance.claims import SPEC, Claims
    from patchcore_conformance.engine import run
    from patchcore_conformance.expected import Expectations
    from patchcore_conformance.pytest_items import parametrize
    from patchcore_conformance.report import NonConformantError, Report
    from patchcore_conformance.result import Result
    from patchcore_conformance.verdicts import Verdict
    from patchcore_conformance.violation import KitError, Violation

__all__ = [
    "SPEC",
    "Claims",
    "Expectations",
    "KitError",
    "NonConformantError",
    "Report",
    "Result",
    "Verdict",
    "Violation",
    "parametrize",
    "run",
]

_HOMES = {
    "SPEC": "claims",
    "Claims": "claims",
    "Expectations": "expected",
    "KitError": "violation",
    "NonConformantError": "report",
    "Report": "report",
    "Result": "result",
    "Verdict": "verdicts",
    "Violation": "violation",
    "parametrize": "pytest_items",
    "run": "engine",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
