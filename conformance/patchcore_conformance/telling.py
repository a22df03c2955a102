"""A result in words, for people: what came, what was needed, on which input, and how to see it again."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance.claims import Claims
from patchcore_conformance.evidence import flattened, literal
from patchcore_conformance.verdicts import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from patchcore_conformance.law import Law
    from patchcore_conformance.report import Report
    from patchcore_conformance.result import Result
    from patchcore_conformance.subject import Subject

_PROGRAM = "patchcore-conformance"
_TOLD = {Verdict.FAIL, Verdict.ERROR, Verdict.XPASS, Verdict.VACUOUS, Verdict.INCONCLUSIVE}
_WORTH_TELLING = 0.5  # seconds


def level_in_words(judged: Report | Subject) -> str:
    """Return the level that is claimed, with the claims that make it weaker or stronger: "exact, E1"."""
    claims = judged.claims
    words = [str(claims.level)]
    if judged.kind in {"sampler", "neighbors"}:
        words.append(claims.arith)
    words += [f"{name}={value}" for name, value in changed_claims(claims).items() if name not in {"level", "arith"}]
    return ", ".join(words)


def changed_claims(claims: Claims) -> dict[str, Any]:
    """Return the claims that are not the usual ones; the level is always told."""
    usual = Claims().to_dict()
    return {name: value for name, value in claims.to_dict().items() if value != usual[name]}


def needs_telling(report: Report) -> list[Result]:
    """Return the results that keep a run from being conformant."""
    return [result for result in report.results if result.verdict in _TOLD]


def not_claimed(report: Report) -> list[str]:
    """Return the laws that are not judged for want of a promise, with that promise, one text each promise."""
    return _by_message(report, Verdict.NOT_CLAIMED)


def not_here(report: Report) -> list[str]:
    """Return the laws that could not be judged on this machine, with what it lacks, one text each lack."""
    return _by_message(report, Verdict.ENV)


def _by_message(report: Report, verdict: Verdict) -> list[str]:
    found: dict[str, list[str]] = {}
    for one in report.results:
        if one.verdict is verdict:
            found.setdefault(one.message, []).append(one.id)
    return [f"{', '.join(ids)}: {message}" for message, ids in found.items()]


def result_in_words(result: Result, law: Law) -> list[str]:
    """Tell one result: the law, what happened, the input, and how to mend it."""
    lines = [f"{result.id} {result.verdict.value}", f"law:    {law.statement}", f"found:  {result.message}"]
    if result.reason:
        lines.append(f"reason: {result.reason}")
    lines += [
        f"{'inputs:' if not place else '':<8}{line}" for place, line in enumerate(inputs_in_words(result.evidence))
    ]
    if result.verdict is Verdict.ERROR:
        lines += ["        " + line for line in str(result.evidence.get("traceback", "")).rstrip().splitlines()]
    if result.verdict is Verdict.FAIL:
        lines.append(f"mend:   {law.mend}")
    return lines


def inputs_in_words(evidence: dict[str, Any]) -> list[str]:
    """Tell each array by its form, and its values where they are few; anything else as it is."""
    lines = []
    for name, value in flattened(evidence).items():
        if isinstance(value, np.ndarray):
            text = literal(value)
            form = f"{value.dtype} {value.shape}"
            lines.append(f"{name} = {text}" if text else f"{name}: {form}")
        elif name != "traceback":
            lines.append(f"{name} = {value!r}"[:400])
    return lines


def replay_command(path: Path | str, id: str) -> str:  # noqa: A002 - the word that reports use
    """Return the command that checks one law of a written report again."""
    return f"{_PROGRAM} replay {shlex.quote(str(path))} {id}"


def rerun_command(report: Report, id: str) -> str:  # noqa: A002
    """Return the command that checks one law again; the Python call where the factory cannot be named."""
    if "<" in report.subject:
        return f"conformance.run({report.kind!r}, ..., profile={report.profile!r}, seed={report.seed}, only=[{id!r}])"
    installed = report.facts.get("installed")
    words = [_PROGRAM, "run", report.subject, *([] if installed else ["--kind", report.kind])]
    for name, value in (report.facts["claimed"] if installed else changed_claims(report.claims)).items():
        words += ["--claim", f"{name}={value}"]
    for name, value in report.facts.get("options", {}).items():
        words += ["--set", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    words += ["--profile", report.profile, "--seed", str(report.seed), "--only", id]
    return shlex.join(words)


def part_line(kind: str, name: str, outcome: str, more: str) -> str:
    """Return one line for a part among many."""
    return f"{kind:<10} {name:<20} {outcome:<15} {more}"


def summary_line(report: Report) -> str:
    """Return the level, how many laws hold and by which margin, and those that are not as they should be."""
    margins = [one.worst_margin for one in report.results if one.worst_margin is not None]
    parts = [f"{level_in_words(report)}: {report.counts().get(Verdict.PASS, 0)} PASS"]
    parts += [f"worst margin {max(margins):.2g}"] if margins else []
    parts.append(time_in_words(report))
    parts += [f"{one.id} {one.verdict.value}" for one in needs_telling(report)]
    return ", ".join(parts)


def time_in_words(report: Report) -> str:
    """Return how long the laws took, and what it took before to load the part, if that was long."""
    loading = f" after {report.loading:.1f} s of loading" if report.loading >= _WORTH_TELLING else ""
    return f"{sum(one.seconds for one in report.results):.1f} s{loading}"
