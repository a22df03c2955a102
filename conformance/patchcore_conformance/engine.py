"""The engine: runs the laws of a kind on one part, each in isolation, and says what became of each."""

from __future__ import annotations

import time
import traceback
import warnings
import zlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patchcore_conformance.context import Context
from patchcore_conformance.expected import Expectations
from patchcore_conformance.profiles import profile_named
from patchcore_conformance.registry import laws_of
from patchcore_conformance.report import Report
from patchcore_conformance.result import Result
from patchcore_conformance.subject import Subject
from patchcore_conformance.surroundings import restored
from patchcore_conformance.verdicts import Verdict
from patchcore_conformance.violation import Inconclusive, KitError, Missing, NotOffered, Violation
from patchcore_conformance.watched import Record, SabotagedTap, Tap

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping

    from patchcore_conformance.claims import Claims
    from patchcore_conformance.law import Law
    from patchcore_conformance.profiles import Profile

_KILLERS_OF_LATER_LAWS = {Verdict.FAIL, Verdict.ERROR, Verdict.BLOCKED, Verdict.XFAIL}
_MADE_OTHERWISE = ("plugin", "pipeline")  # a plugin is loaded in processes of its own, a detector is cheap to make


def run(
    kind: str,
    make: Callable[..., Any],
    claims: Mapping[str, Any] | Claims | None = None,
    *,
    profile: str = "quick",
    seed: int = 0,
    only: Iterable[str] | None = None,
    expect: Expectations | str | os.PathLike[str] | None = None,
) -> Report:
    """Judge a part.

    Args:   kind:    "sampler", "neighbors", "extractor", "aggregator", "scores", "maps", "plugin" or "pipeline".
            make:    returns a fresh part for the options given by keyword.
            claims:  what the part promises; without, the contract's plain reading of its kind.
            only:    ids of the laws to check; all of the kind otherwise. Laws that these build on are not added.
            expect:  failures that are known, with reasons: a TOML file, or what was read from one.
    Raises: KitError for an unknown kind, claim, level, profile or law, or a file that cannot be used. Whatever the part
            does ends in the report.
    Cost:   the quick profile takes a few seconds for a part of ordinary speed.
    """
    subject = Subject.of(kind, make, claims)
    return judge(subject, profile=profile, seed=seed, only=only, expect=Expectations.of(expect))


def judge(
    subject: Subject,
    *,
    profile: str = "quick",
    seed: int = 0,
    only: Iterable[str] | None = None,
    expect: Expectations | None = None,
    progress: Callable[[Law], None] | None = None,
) -> Report:
    """Judge a subject like ``run`` does; ``progress`` is told each law before it is checked."""
    expect = expect or Expectations()
    thoroughness = profile_named(profile)
    laws = _chosen(subject.kind, only, thoroughness)
    results: dict[str, Result] = {}
    for law in laws:
        if law.ahead is not None and law.applies(subject.claims):
            law.ahead(subject)
    loading = _made_once(subject)
    for law in laws:
        if progress is not None:
            progress(law)
        results[law.id] = check(law, subject, thoroughness, seed, results, shrinking=law.id not in expect.ids)
    judged = expect.applied_to(list(results.values()), laws)
    report = Report.of(subject, judged, laws, thoroughness, seed, expect.complaints(laws_of(subject.kind)))
    return replace(report, loading=loading)


def _made_once(subject: Subject) -> float:
    """Make a part and forget it; return the seconds that took: loading torch is nothing that a law should be told of.

    What goes wrong here will go wrong in a law.
    """
    start = time.perf_counter()
    if subject.kind not in _MADE_OTHERWISE:
        with suppress(Exception, SystemExit), warnings.catch_warnings(), restored():
            warnings.simplefilter("ignore")
            subject.make()
    return time.perf_counter() - start


def check(
    law: Law,
    subject: Subject,
    profile: Profile,
    seed: int,
    before: Mapping[str, Result],
    *,
    shrinking: bool = True,
) -> Result:
    """Run one law's check, and on a PASS prove that it could have failed."""
    result = Result(law.id, law.kind, Verdict.NOT_CLAIMED, f"needs the promise: {law.promise}")
    if not law.applies(subject.claims):
        return result
    broken = [one for one in law.after if one in before and before[one].verdict in _KILLERS_OF_LATER_LAWS]
    if broken:
        return replace(result, verdict=Verdict.BLOCKED, message=f"says nothing while {', '.join(broken)} is broken")
    record, start = Record(), time.perf_counter()
    context = Context(law.id, law.kind, subject.claims, profile, seed, subject.make, Tap(record), shrinking)
    verdict, message, evidence = _tried(law, context)
    if verdict is Verdict.PASS and context.witnesses < law.witnesses:
        verdict, message = Verdict.VACUOUS, f"met {context.witnesses} telling instances of {law.witnesses} needed"
    result = replace(
        result,
        verdict=verdict,
        message=message,
        witnesses=context.witnesses,
        worst_margin=context.worst_margin,
        tolerance=context.tolerance,
        evidence=evidence,
    )
    if verdict is Verdict.PASS and law.saboteurs:
        result = _sabotaged(result, law, context, record)
    return replace(result, seconds=time.perf_counter() - start)


def _tried(law: Law, context: Context) -> tuple[Verdict, str, dict[str, Any]]:
    """Run a check and put a name to what came of it."""
    try:
        with warnings.catch_warnings(), restored():  # what one faulty part does to the process, the next must not feel
            warnings.simplefilter("ignore")  # warnings are a law of their own
            law.check(context)
    except Violation as violation:
        return Verdict.FAIL, violation.message, violation.evidence
    except Inconclusive as doubt:
        return Verdict.INCONCLUSIVE, str(doubt), {}
    except KitError:
        raise
    except Missing as missing:
        return Verdict.ENV, str(missing), {}
    except NotOffered as absent:
        return Verdict.NOT_CLAIMED, str(absent), {}
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a part raises is a finding
        where = traceback.extract_tb(error.__traceback__)[-1]
        told = f"{type(error).__name__}: {error} ({where.name}, line {where.lineno})"
        return Verdict.ERROR, told, {**context.tap.failed_on(error), "traceback": _traceback(error)}
    return Verdict.PASS, "", {}


def _traceback(error: BaseException) -> str:
    """Return the calls that led to an error, without those that only pass on from the law to the part."""
    frames = traceback.extract_tb(error.__traceback__)
    told = [frame for frame in frames if not _passes_on(Path(frame.filename))]
    return "".join([*traceback.format_list(told[-8:]), *traceback.format_exception_only(type(error), error)])


def _passes_on(file: Path) -> bool:
    return file.parent == Path(__file__).parent or "hypothesis" in file.parts


def _sabotaged(result: Result, law: Law, context: Context, record: Record) -> Result:
    """Let each saboteur corrupt the recorded answers; a check that misses all of them has shown nothing."""
    applied, missed = 0, []
    for saboteur in law.saboteurs:
        if saboteur.method not in record.methods:
            continue  # of another kind of part: the check would run again for nothing
        tap = SabotagedTap(record, saboteur, zlib.crc32(f"{context.seed}:{saboteur.name}".encode()))
        verdict, _, _ = _tried(law, replace(context, tap=tap, shrinking=False, witnesses=0))
        if tap.applied:
            applied += 1
            if verdict is not Verdict.FAIL:
                missed.append(saboteur.name)
    sensitivity = (applied - len(missed)) / applied if applied else None
    result = replace(result, sensitivity=sensitivity, missed=tuple(missed))
    if sensitivity:
        return result
    told = f"did not notice {', '.join(missed)}" if missed else "no saboteur could be applied to its answers"
    return replace(result, verdict=Verdict.VACUOUS, message=f"the check passed, but {told}")


def _chosen(kind: str, only: Iterable[str] | None, profile: Profile) -> tuple[Law, ...]:
    laws = laws_of(kind)
    if only is None:
        return tuple(law for law in laws if law.profile.rank <= profile.rank)
    wanted = list(only)
    unknown = [one for one in wanted if one not in {law.id for law in laws}]
    if unknown:
        raise KitError(f"a {kind} has no law {', '.join(unknown)}. There are: {', '.join(law.id for law in laws)}.")
    chosen = tuple(law for law in laws if law.id in wanted)
    for law in chosen:
        if law.profile.rank > profile.rank:
            raise KitError(f"law {law.id} needs profile {law.profile.name!r}, but this is {profile.name!r}.")
    return chosen
