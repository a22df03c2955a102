"""The register of unusual parts that are right: each must pass all that it claims."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Made = TypeVar("Made", bound="Callable[..., Any]")


@dataclass(frozen=True)
class Accepted:
    """A factory of right parts, and what they claim."""

    kind: str
    name: str
    make: Callable[..., Any]
    claims: dict[str, Any]


_ACCEPTED: dict[tuple[str, str], Accepted] = {}


def accepted(kind: str, name: str, **claims: Any) -> Callable[[Made], Made]:
    """Register a class or a function that makes right parts."""

    def register(make: Made) -> Made:
        _ACCEPTED[kind, name] = Accepted(kind, name, make, claims)
        return make

    return register


def accepted_parts(kind: str) -> tuple[Accepted, ...]:
    """Return the unusual parts of a kind; those in a file ``torch_<kind>`` only where torch is installed."""
    import_module(f"patchcore_conformance.accepted.{kind}")
    with_torch = f"patchcore_conformance.accepted.torch_{kind}"
    if find_spec("torch") and find_spec(with_torch):
        import_module(with_torch)
    return tuple(part for (of, _), part in _ACCEPTED.items() if of == kind)
