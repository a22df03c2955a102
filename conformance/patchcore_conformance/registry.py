"""All laws, by kind and id: which file holds which kind, and how a check becomes one of them."""

from __future__ import annotations

import hashlib
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from patchcore_conformance.claims import KINDS
from patchcore_conformance.law import Check, Law
from patchcore_conformance.violation import KitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Laws that hold for several kinds.
_GENERIC = ("generic_instances", "generic_inputs", "generic_answers", "generic_surroundings")

# Files by kind, in the order in which the laws are run and listed.
_FILES = {
    "sampler": (
        *_GENERIC,
        "sampler_answers",
        "sampler_certificates",
        "sampler_symmetries",
        "sampler_starts",
        "sampler_progress",
        "sampler_keywords",
    ),
    "neighbors": (
        *_GENERIC,
        "neighbor_distances",
        "neighbor_sets",
        "neighbor_symmetries",
        "neighbor_lifecycle",
        "neighbor_recall",
    ),
    "extractor": (*_GENERIC, "extractor_maps", "extractor_state", "extractor_geometry"),
    "aggregator": (*_GENERIC, "aggregator_windows", "aggregator_reach", "aggregator_layers", "aggregator_symmetries"),
    "scores": (*_GENERIC, "image_scores", "image_score_independence"),
    "maps": (*_GENERIC, "anomaly_maps", "map_smoothing"),
    "plugin": ("plugin_records", "plugin_loading"),
    "pipeline": (
        "pipeline",
        "pipeline_files",
        "pipeline_manners",
        "pipeline_photographs",
        "pipeline_settings",
        "pipeline_independence",
    ),
}
_LAWS: dict[tuple[str, str], Law] = {}


def law(id: str, *kinds: str, **facts: Any) -> Callable[[Check], Check]:  # noqa: A002 - the word that reports use
    """Make a check the law ``id`` of one kind, or of several; ``facts`` are those of ``Law``."""

    def register(check: Check) -> Check:
        for kind in kinds:
            if kind not in KINDS:
                raise KitError(f"law {id} names the kind {kind!r}. There are: {', '.join(KINDS)}.")
            if (kind, id) in _LAWS and _LAWS[kind, id].check.__module__ != check.__module__:
                raise KitError(f"two laws of kind {kind} bear the id {id}.")
            _LAWS[kind, id] = Law(id=id, kind=kind, check=check, **facts)
        return check

    return register


def laws_of(kind: str) -> tuple[Law, ...]:
    """Return a kind's laws in the order of their ids.

    Raises: KitError when there is no such kind, or hypothesis, which many laws need, is not installed.
    """
    if kind not in _FILES:
        raise KitError(f"no kind is named {kind!r}. There are: {', '.join(KINDS)}.")
    if find_spec("hypothesis") is None:
        raise KitError("the kit needs hypothesis, not installed here: pip install 'patchcore-plugin[conformance]'.")
    for file in _FILES[kind]:
        import_module(f"patchcore_conformance.laws.{file}")
    return tuple(found for (of, _), found in sorted(_LAWS.items()) if of == kind)


def find_laws(id: str) -> tuple[Law, ...]:  # noqa: A002
    """Return the laws with an id, one a kind; KitError when there is none."""
    found = tuple(one for kind in KINDS for one in laws_of(kind) if one.id == id)
    if not found:
        raise KitError(f"no law has the id {id!r}. `patchcore-conformance list` names them all.")
    return found


def digest(laws: Iterable[Law]) -> str:
    """Fingerprint what a set of laws demands, so that two reports can tell whether they were judged alike."""
    lines = (f"{one.kind}:{one.id}:{one.since}:{one.statement}:{one.promise}" for one in laws)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
