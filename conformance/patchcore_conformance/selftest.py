"""The kit judges itself: every faulty part is caught, every valid one passes, no law can be left out unseen.

A kit that lets faults pass is worth nothing, and one that refuses valid work is worth less. ``kill_matrix.json`` holds
what is expected; see ``kill_matrix``.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from patchcore_conformance import probes
from patchcore_conformance.accepted.registry import accepted_parts
from patchcore_conformance.broken.registry import broken_parts
from patchcore_conformance.claims import KINDS
from patchcore_conformance.engine import judge
from patchcore_conformance.kill_matrix import COMMAND, Golden, catching, facts_of, golden, valid_names
from patchcore_conformance.processes import spread
from patchcore_conformance.registry import digest, laws_of
from patchcore_conformance.subject import Subject
from patchcore_conformance.verdicts import CONFORMANT, UNDECIDED, Verdict
from patchcore_conformance.violation import KitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_FINE = {Verdict.PASS, Verdict.NOT_CLAIMED}


@dataclass(frozen=True)
class Outcome:
    """What came of it: one line in ``told``, and each thing that is off."""

    told: str
    complaints: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0, or 3 where the kit is not to be trusted."""
        return UNDECIDED if self.complaints else CONFORMANT

    @property
    def lines(self) -> list[str]:
        """The whole in words."""
        return [*(f"  {one}" for one in self.complaints), self.told]


def run(kinds: Sequence[str] | None = None, workers: int | None = None) -> Outcome:
    """Judge the kit, for all kinds or some; ``workers`` processes, one a processor if None.

    Raises: KitError for an unknown kind.
    Cost:   a few minutes of one processor for all kinds.
    """
    start, chosen = time.perf_counter(), tuple(kinds or KINDS)
    off = [*(one for kind in chosen for one in structure(kind)), *probe_strength()]
    faulty = [(kind, part.name) for kind in chosen for part in broken_parts(kind)]
    valid = [(kind, part.name) for kind in chosen for part in accepted_parts(kind)]
    missed = dict(zip(faulty, spread(blind, faulty, workers), strict=True))
    refused = spread(refusals, valid, workers)
    misses = []
    for kind in chosen:
        misses += uncaught(kind, {name: lost for (of, name), lost in missed.items() if of == kind})
    off += [*misses, *(one for found in refused for one in found)]
    escaped = [one for one in misses if ", broken part " in one]
    laws = sum(len(laws_of(kind)) for kind in chosen)
    told = (
        f"selftest: {laws} laws, {len(faulty) - len(escaped)} of {len(faulty)} broken parts caught, "
        f"{refused.count([])} of {len(valid)} valid parts passed, {len(_FAMILIES)} families of probes strong, "
        f"in {time.perf_counter() - start:.0f} s: {f'{len(off)} things are off' if off else 'all as it should be'}"
    )
    return Outcome(told, tuple(off))


def structure(kind: str) -> list[str]:
    """Return what is off with the laws, faulty and valid parts of a kind, without running any of them."""
    laws, parts = laws_of(kind), broken_parts(kind)
    try:
        known = golden(kind)
    except KitError as problem:
        return [str(problem)]
    off = _differences(f"laws of {kind}", known.laws, [law.id for law in laws])
    off += _differences(f"broken parts of {kind}", known.must, [part.name for part in parts])
    off += _differences(f"valid parts of {kind}", known.valid, valid_names(kind, with_torch=False))
    if find_spec("torch"):
        off += _differences(f"valid parts of {kind}", known.with_torch, valid_names(kind, with_torch=True))
    if digest(laws) != known.digest:
        off.append(f"the laws of {kind} do not say what they said. If that is meant: {COMMAND}.")
    off += [
        f"{law.id} of {kind} has {facts_of(law)}, but {known.laws[law.id]} stands written"
        for law in laws
        if law.id in known.laws and facts_of(law) != known.laws[law.id]
    ]
    return [*off, *_columns(kind, known)]


def _columns(kind: str, known: Golden) -> list[str]:
    """Hold the matrix to what parts name: each law has a part that names it, and catches all that do."""
    parts, off = broken_parts(kind), []
    for part in parts:
        blind = set(part.caught_by) - set(known.must.get(part.name, part.caught_by))
        off += [f"{kind}, {part.name!r}: {law} is named, but the kill matrix does not have it" for law in sorted(blind)]
    named = {law for part in parts for law in part.caught_by}
    off += [f"no broken part of {kind} is there for {law.id}" for law in laws_of(kind) if law.id not in named]
    asked = {law for caught in known.must.values() for law in caught} | named
    off += [f"{law} of {kind} is to catch parts, but there is no such law" for law in sorted(asked - _ids(kind))]
    return off


def _ids(kind: str) -> set[str]:
    return {law.id for law in laws_of(kind)}


def _differences(what: str, written: Iterable[str], found: Iterable[str]) -> list[str]:
    gone, new = sorted(set(written) - set(found)), sorted(set(found) - set(written))
    off = [f"{what}: {', '.join(map(repr, gone))} stand written but are not there"] if gone else []
    return off + ([f"{what}: {', '.join(map(repr, new))} do not stand written. If meant: {COMMAND}."] if new else [])


def blind(kind: str, name: str) -> list[str]:
    """Judge a faulty part by the laws that caught it so far; return those that did not."""
    part = next(one for one in broken_parts(kind) if one.name == name)
    try:
        wanted = {*golden(kind).must.get(name, ()), *part.caught_by}
    except KitError:
        wanted = set(part.caught_by)
    return sorted(wanted - set(catching(kind, name, wanted)))


def uncaught(kind: str, lost: Mapping[str, Sequence[str]]) -> list[str]:
    """Say which faulty parts were not caught by laws that they name, and which laws lost many others.

    What a part does not name may be lost here and there: machines round otherwise, and hashes differ.
    """
    off, others = [], Counter[str]()
    for part in broken_parts(kind):
        missed = lost.get(part.name, ())
        if named := sorted(set(missed) & set(part.caught_by)):
            off.append(f"{kind}, broken part {part.name!r}: not caught by {', '.join(named)}")
        others.update(set(missed) - set(part.caught_by))
    if not others:
        return off
    columns = Counter(law for caught in golden(kind).must.values() for law in caught)
    return off + [
        f"{law} of {kind} grew blind: it lost {count} of the {columns[law]} broken parts that it caught"
        for law, count in sorted(others.items())
        if count > max(1, columns[law] // 10)
    ]


def refusals(kind: str, name: str) -> list[str]:
    """Judge a valid part by everything it claims; say what was held against it."""
    part = next(one for one in accepted_parts(kind) if one.name == name)
    report = judge(Subject.of(kind, part.make, part.claims))
    held = [f"{one.id} {one.verdict.value}: {one.message}" for one in report.results if one.verdict not in _FINE]
    return [f"{kind}, valid part {name!r}: {'; '.join(held) or 'nothing was checked'}"] if report.exit_code else []


# What makes a family of probes strong, and rows that are too weak to serve as one.
_FAMILIES = (
    (probes.lattice, probes.has_ties, lambda random: random.standard_normal((200, 3))),
    (probes.clusters, probes.needs_choosing, lambda random: random.standard_normal((400, 256))),
    (probes.many_scales, probes.spans_many_scales, lambda random: random.standard_normal((200, 3))),
    (probes.gaussian, probes.all_different, lambda random: random.integers(0, 2, (200, 3))),
    (probes.manifold, probes.all_different, lambda random: np.repeat(random.standard_normal((1, 3)), 200, axis=0)),
)


def probe_strength() -> list[str]:
    """Return which families of probes are weak, or would not be found out if they were."""
    off = []
    for family, strong, weak in _FAMILIES:
        for total, width in ((100, 2), (257, 5), (300, 64)):
            try:
                family(total, width)
            except KitError as problem:
                off.append(str(problem))
        if strong(np.asarray(weak(np.random.default_rng(0)), dtype=np.float32)):
            off.append(f"the probes {family.__name__} could be weak, and {strong.__name__} would not say so")
    return off
