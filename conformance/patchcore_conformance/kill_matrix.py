"""The kill matrix: which law catches which faulty part, kept in ``kill_matrix.json`` so that no law grows blind unseen.

    python -m patchcore_conformance.kill_matrix    # judges all faulty parts anew and writes the file; takes minutes

Write it when laws, faulty parts or valid parts were added or changed on purpose, and read the difference before
committing it. A law counts as catching a part where it does so for every seed tried ("must"); what it catches by luck
only, or by the clock, stands under "may" and is not asked for.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
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

FILE = Path(__file__).with_suffix(".json")
COMMAND = "python -m patchcore_conformance.kill_matrix"
_SEEDS = (0, 1, 2)


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
    return [law.id for law in laws if check(law, subject, profile, seed, {}, shrinking=False).verdict in BAD]


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
    caught = spread(catching, [(kind, name, None, seed) for name in names for seed in _SEEDS], workers)
    runs = {name: caught[place * len(_SEEDS) : (place + 1) * len(_SEEDS)] for place, name in enumerate(names)}
    must = {name: sorted(set.intersection(*map(set, found))) for name, found in runs.items()}
    may = {name: sorted(set().union(*found) - set(must[name])) for name, found in runs.items()}
    return Golden(
        digest=digest(laws_of(kind)),
        laws={law.id: facts_of(law) for law in laws_of(kind)},
        must=must,
        may={name: found for name, found in may.items() if found},
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
