"""Who is judged: the factory of a part, what it promises, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from patchcore_conformance.claims import Claims

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Subject:
    """A part to judge.

    make   called with options by keyword, for each check anew; returns a part without any state.
    name, distribution   for reports: what it is called, and what it was installed by, with its version.
    """

    kind: str
    make: Callable[..., Any]
    claims: Claims
    name: str = ""
    distribution: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, kind: str, make: Callable[..., Any], claims: Mapping[str, Any] | Claims | None = None) -> Subject:
        """Describe a factory; KitError for an unknown kind, claim or level."""
        name = f"{getattr(make, '__module__', '')}:{getattr(make, '__qualname__', type(make).__name__)}"
        return cls(kind, make, Claims.of(claims, kind), name)
