"""The kill matrix: which law catches which faulty part, kept in ``kill_matrix.json`` so that no law grows blind unseen.

    python -m patchcore_conformance.kill_matrix    # judges all faulty parts anew and writes the file; takes minutes

Write it when laws, faulty parts or valid parts were added or changed on purpose, and read the difference before
committing it. A law counts as catching a part where it does so for every seed tried ("must"); what it catches by luck
only, or by the clock, stands under "may" and is not asked for.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patchcore_conformance.accepted.registry import accepted_parts
from patchcore_conformance.broken.registry import broken_parts
from patchcore_conformance.claims import KINDS, SPEC
from patchcore_conformance.engine import check
from patchcore_conformance.processes import spread
from patchcore_conformance.profiles import profile_named
from patchcore_conformance.registry import digest, laws_of
from patchcore_conformance.subject import Subject
from patchcore_conformance.verdicts import BAD
from patchcore_conformance.violation import KitError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from patchcore_conformance.law import Law
    from patchcore_conformance.profiles import Profile
    from patchcore_conformance.verdicts import Verdict

FILE = Path(__file__).with_suffix(".json")
COMMAND = "python -m patchcore_conformance.kill_matrix"
_OTHER_SEEDS = (1, 2)


@dataclass(frozen=True)
class Golden:
    """What stands written of one kind.

    digest   fingerprint of the laws' statements and promises.
    laws     by id: how many witnesses each needs, which saboteurs it has, and after which laws it runs.
    must, may   by faulty part: the laws that catch it always, and those that do by luck or by the clock.
    valid    names of the unusual parts that are right; ``with_torch`` those that need torch.
    """

    digest: str
    laws: dict[str, dict[str, Any]]
    must: dict[str, list[str]]
    may: dict[str, list[str]] = field(default_factory=dict)
    valid: list[str] = field(default_factory=list)
    with_torch: list[str] = field(default_factory=list)


def golden(kind: str, path: Path = FILE) -> Golden:
    """Read what stands written of a kind.

    Raises: KitError when nothing does, or only for another version of the laws.
    """
    whole = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if whole.get("spec") != SPEC or kind not in whole.get("kinds", {}):
        raise KitError(f"{path.name} holds nothing about {kind} for the laws of version {SPEC}. Write it: {COMMAND}.")
    return Golden(**whole["kinds"][kind])


def catching(kind: str, name: str, ids: Iterable[str] | None = None, seed: int = 0) -> list[str]:
    """Judge a faulty part by laws, each for itself, and return those that caught it."""
    part = next(one for one in broken_parts(kind) if one.name == name)
    subject, profile = Subject.of(kind, part.make, part.claims), profile_named(part.profile)
    laws = [law for law in laws_of(kind) if law.profile.rank <= profile.rank and (ids is None or law.id in ids)]
    return [law.id for law in laws if _verdict(law, subject, profile, seed) in BAD]


def _verdict(law: Law, subject: Subject, profile: Profile, seed: int) -> Verdict:
    unsabotaged = replace(law, saboteurs=())  # a PASS is blind here, whatever else it would notice
    return check(unsabotaged, subject, profile, seed, {}, shrinking=False).verdict


def always_and_sometimes(kind: str, name: str) -> tuple[list[str], list[str]]:
    """Judge a faulty part by all laws, and by those that caught it again with other seeds."""
    found = catching(kind, name)
    again = [set(catching(kind, name, found, seed)) for seed in _OTHER_SEEDS]
    must = sorted(set(found).intersection(*again))
    return must, sorted(set(found) - set(must))


def facts_of(law: Law) -> dict[str, Any]:
    """Return what of a law, beside its words, decides how much it sees."""
    return {
        "witnesses": law.witnesses,
        "saboteurs": sorted(saboteur.name for saboteur in law.saboteurs),
        "after": sorted(law.after),
    }


def valid_names(kind: str, *, with_torch: bool) -> list[str]:
    """Return the names of the unusual parts that are right and need torch, or those that do not."""
    parts = accepted_parts(kind)
    return sorted(part.name for part in parts if ("accepted.torch_" in part.make.__module__) is with_torch)


def _measured(kind: str, workers: int | None) -> Golden:
    names = sorted(part.name for part in broken_parts(kind))
    caught = dict(zip(names, spread(always_and_sometimes, [(kind, name) for name in names], workers), strict=True))
    return Golden(
        digest=digest(laws_of(kind)),
        laws={law.id: facts_of(law) for law in laws_of(kind)},
        must={name: must for name, (must, _) in caught.items()},
        may={name: may for name, (_, may) in caught.items() if may},
        valid=valid_names(kind, with_torch=False),
        with_torch=valid_names(kind, with_torch=True),
    )


def write(kinds: Iterable[str] = KINDS, path: Path = FILE, workers: int | None = None) -> None:
    """Judge all faulty parts of these kinds by all of their laws, and write the file; other kinds stay as they are."""
    whole = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"kinds": {}}
    found = {kind: vars(_measured(kind, workers)) for kind in kinds}
    known = {**whole["kinds"], **found}
    path.write_text(_told({kind: known[kind] for kind in KINDS if kind in known}), encoding="utf-8")


def _told(kinds: dict[str, dict[str, Any]]) -> str:
    """Write one line a law and one a part, so that differences can be read."""
    lines = []
    for kind, facts in kinds.items():
        told = ",\n".join(f"   {json.dumps(name)}: {_block(value)}" for name, value in facts.items())
        lines.append(f"  {json.dumps(kind)}: {{\n{told}\n  }}")
    return f'{{\n "spec": "{SPEC}",\n "kinds": {{\n' + ",\n".join(lines) + "\n }\n}\n"


def _block(value: Any) -> str:
    if not isinstance(value, dict) or not value:
        return json.dumps(value)
    return "{\n" + ",\n".join(f"    {json.dumps(name)}: {json.dumps(one)}" for name, one in value.items()) + "\n   }"


if __name__ == "__main__":
    write(sys.argv[1:] or KINDS)
