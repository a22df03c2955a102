"""What is on offer: which part, of which kind, from which distribution; and which plugins offer nothing, and why."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from patchcore_plugin.spelling import listed

if TYPE_CHECKING:
    from patchcore_plugin.hookspecs import Component

OWN = "patchcore-plugin"  # the distribution that the built-in parts come from


def _is_installed(module: str) -> bool:
    return sys.modules.get(module) is not None or find_spec(module) is not None


@dataclass(frozen=True)
class Offer:
    """A part on offer: the record, its kind, and who offers it."""

    kind: str
    component: Component
    distribution: str
    version: str

    @property
    def built_in(self) -> bool:
        """Whether the part comes with this distribution."""
        return self.distribution == OWN

    @property
    def full_name(self) -> str:
        """The name that means this part whatever else is installed."""
        return f"{self.distribution}:{self.component.name}"

    @property
    def missing(self) -> tuple[str, ...]:
        """Libraries the part requires that are not installed; they are looked for, never imported."""
        return tuple(name for name in self.component.requires if not _is_installed(name))

    @property
    def remedy(self) -> str:
        """What to do about the missing libraries."""
        extra = self.component.extra
        return f"pip install '{self.distribution}[{extra}]'" if extra else f"install {listed(self.missing)}"

    def __str__(self) -> str:
        return f"{self.kind} {self.component.name!r} of {self.distribution} {self.version}"


@dataclass(frozen=True)
class NotLoaded:
    """A plugin that is installed but offers nothing: because it failed, or because it was to be left out."""

    distribution: str
    version: str
    entry_point: str
    reason: str
    failed: bool
    details: str = ""  # the traceback, for the plugin's author

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}, entry point {self.entry_point!r}: {self.reason}"


@dataclass(frozen=True)
class Registry:
    """Everything on offer, built-in parts first, then strangers by distribution; and what did not load."""

    offers: tuple[Offer, ...]
    not_loaded: tuple[NotLoaded, ...]

    def of_kind(self, kind: str) -> tuple[Offer, ...]:
        """Return the offers of one kind."""
        return tuple(offer for offer in self.offers if offer.kind == kind)

    def called(self, kind: str, name: str) -> tuple[Offer, ...]:
        """Return the offers of one kind that a bare name could mean."""
        return tuple(offer for offer in self.of_kind(kind) if offer.component.name == name)

    def short_name(self, offer: Offer) -> str:
        """Return the bare name where it means this part, else the full one."""
        means_it = offer.built_in or self.called(offer.kind, offer.component.name) == (offer,)
        return offer.component.name if means_it else offer.full_name

    def row(self, offer: Offer) -> dict[str, Any]:
        """Return an offer as plain data."""
        return {
            "kind": offer.kind,
            "name": self.short_name(offer),
            "full_name": offer.full_name,
            "distribution": offer.distribution,
            "version": offer.version,
            "built_in": offer.built_in,
            "summary": offer.component.summary,
            "factory": offer.component.factory,
            "requires": list(offer.component.requires),
            "claims": dict(offer.component.claims),
            "available": not offer.missing,
            "why_not": f"{listed(offer.missing)} missing: {offer.remedy}" if offer.missing else None,
        }
