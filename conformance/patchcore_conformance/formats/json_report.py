"""JSON: everything that is known of a run, for programs, for ``replay`` and for ``diff``; failing arrays beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patchcore_conformance.evidence import described, plain_value, save
from patchcore_conformance.registry import digest
from patchcore_conformance.report import KIT, SCHEMA
from patchcore_conformance.telling import replay_command
from patchcore_conformance.violation import KitError

if TYPE_CHECKING:
    import os

    from patchcore_conformance.report import Report
    from patchcore_conformance.result import Result

NAME = "report.json"


def write(report: Report, folder: Path) -> list[Path]:
    """Write report.json, and evidence/ID.npz for each result that has arrays."""
    path = folder / NAME
    content = as_data(report)
    written = []
    for result, check in zip(report.results, content["checks"], strict=True):
        file = folder / "evidence" / f"{result.id}.npz"
        file.unlink(missing_ok=True)  # an earlier run's would be taken for this one's
        if save(result.evidence, file):
            check["arrays"] = f"evidence/{file.name}"
            written.append(file)
        check["replay"] = replay_command(path, result.id)
    path.write_text(json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")
    return [path, *written]


def as_data(report: Report) -> dict[str, Any]:
    """Return a report as plain data, as JSON holds it."""
    return {
        "schema": SCHEMA,
        "spec": report.claims.spec,
        "kit": KIT,
        "registry": report.laws_digest,
        "made": report.made,
        "outcome": report.outcome,
        "exit_code": report.exit_code,
        "counts": {verdict.value: count for verdict, count in report.counts().items()},
        "complaints": list(report.complaints),
        "subject": {
            "kind": report.kind,
            "factory": report.subject,
            "distribution": report.distribution,
            "installed": bool(report.facts.get("installed", False)),
            "options": dict(report.facts.get("options", {})),
        },
        "claims": report.claims.to_dict(),
        "profile": report.profile,
        "seed": report.seed,
        "env": report.env,
        "loading_seconds": round(report.loading, 4),
        "checks": [_check(report, result) for result in report.results],
    }


def _check(report: Report, result: Result) -> dict[str, Any]:
    law = report.law(result.id)
    return {
        "id": result.id,
        "verdict": result.verdict.value,
        "level": law.promise or "core",
        "statement": law.statement,
        "digest": digest([law]),
        "message": result.message,
        "reason": result.reason,
        "witnesses": result.witnesses,
        "sensitivity": result.sensitivity,
        "missed": list(result.missed),
        "worst_margin": plain_value(result.worst_margin),
        "tolerance": plain_value(result.tolerance),
        "seconds": round(result.seconds, 4),
        "evidence": described(result.evidence),
        "arrays": None,
        "replay": None,
    }


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a report that was written as JSON.

    Raises: KitError when it is missing, no report, or of another schema.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise KitError(f"the report {path} cannot be read: {problem}.") from problem
    if not isinstance(found, dict) or not isinstance(found.get("checks"), list):
        raise KitError(f"{path} is no report of this kit: it lists no checks. Give a {NAME}.")
    if found.get("schema") != SCHEMA:
        raise KitError(f"{path} has schema {found.get('schema')!r}, but this kit reads {SCHEMA}. Make the report anew.")
    return found
