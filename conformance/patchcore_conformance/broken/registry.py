"""The register of faulty parts: each with what it claims, and the laws that must catch it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, TypeVar

import patchcore_conformance.broken as package

if TYPE_CHECKING:
    from collections.abc import Callable

Made = TypeVar("Made", bound="Callable[..., Any]")


@dataclass(frozen=True)
class Broken:
    """A factory of faulty parts: at least the laws ``caught_by`` must fail at these claims, in this profile."""

    kind: str
    name: str
    make: Callable[..., Any]
    claims: dict[str, Any]
    caught_by: tuple[str, ...]
    profile: str = "quick"


_BROKEN: dict[tuple[str, str], Broken] = {}


def broken(
    kind: str, name: str, *, caught_by: tuple[str, ...], profile: str = "quick", **claims: Any
) -> Callable[[Made], Made]:
    """Register a class or a function that makes faulty parts."""

    def register(make: Made) -> Made:
        _BROKEN[kind, name] = Broken(kind, name, make, claims, caught_by, profile)
        return make

    return register


def broken_parts(kind: str) -> tuple[Broken, ...]:
    """Return the faulty parts of a kind: those of the files ``<kind>.py`` and ``<kind>_*.py``, in their order."""
    import_module("patchcore_conformance.broken.generic")  # mistakes that every kind can make
    for file in iter_modules(package.__path__):
        if file.name == kind or file.name.startswith(f"{kind}_"):
            import_module(f"{package.__name__}.{file.name}")
    return tuple(part for (of, _), part in _BROKEN.items() if of == kind)
