"""Which plugins may load at all: three environment variables, read before any plugin is imported.

``PATCHCORE_NO_PLUGINS=1``          no plugin loads.
``PATCHCORE_PLUGINS=a,b``           only these load.
``PATCHCORE_DISABLE_PLUGINS=a,b``   these do not load.

A name is a distribution's, an entry point's, or ``distribution:entry-point``. Built-in parts are always there.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

NONE_AT_ALL = "PATCHCORE_NO_PLUGINS"
ONLY_THESE = "PATCHCORE_PLUGINS"
NOT_THESE = "PATCHCORE_DISABLE_PLUGINS"


def canonical(name: str) -> str:
    """Return a distribution's name in the one spelling that package indexes use: ``My_Part`` -> ``my-part``."""
    return re.sub(r"[-_.]+", "-", name).lower()


@dataclass(frozen=True)
class Switches:
    """What the environment says."""

    none_at_all: bool = False
    only: frozenset[str] = frozenset()
    disabled: frozenset[str] = frozenset()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Switches:
        """Read the three variables; one that is unset or empty says nothing."""
        found = os.environ if environment is None else environment
        off = found.get(NONE_AT_ALL, "").strip().lower() not in {"", "0", "false", "no", "off"}
        return cls(off, _names(found.get(ONLY_THESE, "")), _names(found.get(NOT_THESE, "")))

    def objection(self, distribution: str, entry_point: str) -> str | None:
        """Say why this plugin must not load, or None where it may."""
        called = _ways_to_name(distribution, entry_point)
        if self.none_at_all:
            return f"{NONE_AT_ALL} is set"
        if called & self.disabled:
            return f"{NOT_THESE} names it"
        if self.only and not called & self.only:
            return f"{ONLY_THESE} does not name it"
        return None

    def names_of_nothing(self, installed: Collection[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """Yield (variable, name) for each name that fits none of the installed (distribution, entry point) pairs."""
        known = {way for pair in installed for way in _ways_to_name(*pair)}
        for variable, names in ((ONLY_THESE, self.only), (NOT_THESE, self.disabled)):
            for name in sorted(names - known):
                yield variable, name


def _names(text: str) -> frozenset[str]:
    return frozenset(canonical(name.strip()) for name in text.split(",") if name.strip())


def _ways_to_name(distribution: str, entry_point: str) -> frozenset[str]:
    return frozenset(canonical(way) for way in (distribution, entry_point, f"{distribution}:{entry_point}"))
