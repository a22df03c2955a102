"""Installed parts by name, built-in or of other distributions, with the claims of their records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance.claims import Claims
from patchcore_conformance.subject import Subject
from patchcore_conformance.violation import KitError, Missing
from patchcore_plugin import components
from patchcore_plugin.errors import PatchCoreError, WeightsError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LACKING: dict[str, str] = {}  # by part: which weights are not here, as far as it was tried in this process


@dataclass(frozen=True)
class Installed:
    """The factory of an installed part, as a configuration would create it; ``options`` are always given to it."""

    kind: str
    name: str
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __call__(self, **options: Any) -> Any:
        """Create the part.

        Raises: Missing when its weights are not here; MissingLibraryError for a library; else whatever it raises.
        """
        part = repr(self)
        if part not in _LACKING:
            _LACKING[part] = self._lacking()
        if _LACKING[part]:
            raise Missing(_LACKING[part])
        return components.create(self.kind, self.name, **{**self.options, **options})

    def _lacking(self) -> str:
        """Use an extractor once, since weights are looked for when it first runs; other faults are left to the laws."""
        try:
            part = components.create(self.kind, self.name, **self.options)
            if self.kind == "extractor":
                part.extract(np.zeros((1, 3, 64, 64), dtype=np.float32))
        except WeightsError as missing:
            return str(missing)
        except Exception:  # noqa: BLE001 - a law will meet it too, and name it
            return ""
        return ""


def installed_subject(
    kind: str, name: str, claims: Mapping[str, Any] | None = None, options: Mapping[str, Any] | None = None
) -> Subject:
    """Describe an installed part; ``claims`` are laid over those of its record.

    Raises: KitError when there is no such part, or it claims what does not exist.
    """
    try:
        offer = components.find(kind, name)
    except PatchCoreError as problem:
        raise KitError(str(problem)) from problem
    try:
        promised = Claims.of({**offer.component.claims, **(claims or {})}, kind)
    except KitError as problem:
        raise KitError(f"{offer}: {problem}") from problem
    facts = {"installed": True, "options": dict(options or {}), "claimed": dict(claims or {})}
    origin = f"{offer.distribution} {offer.version}"
    return Subject(kind, Installed(kind, name, dict(options or {})), promised, f"{kind}:{name}", origin, facts)


def installed_parts(kind: str | None = None) -> list[tuple[str, str]]:
    """Return kind and name of each part that can be named, in the order of the data.

    Raises: KitError when there is no such kind of part.
    """
    if kind is not None and kind not in components.KINDS:
        raise KitError(f"parts of kind {kind!r} are not looked up by name. Kinds: {', '.join(components.KINDS)}.")
    kinds = components.KINDS if kind is None else (kind,)
    return [(one, name) for one in kinds for name in components.names(one)]


def missing(kind: str, name: str) -> str:
    """Return which libraries a part lacks here and how to get them; nothing if it lacks none."""
    offer = components.find(kind, name)
    return f"{', '.join(offer.missing)} missing: {offer.remedy}" if offer.missing else ""
