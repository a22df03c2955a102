"""Saboteurs: corruptions of a part's own answers, by which a check has to prove that it can fail here.

After a PASS the check is run again on what the part answered, each answer corrupted on its way. A check that does not
notice has shown nothing about this part on this machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np


@dataclass
class Call:
    """One call of a watched method: what went in, and what came out or was raised."""

    method: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: Any = None
    error: Exception | None = None


@dataclass(frozen=True)
class Saboteur:
    """A corruption of one method's answers.

    ``corrupt(call, rng)`` gets a call with answers that are its own to change, and returns what is answered instead;
    None where it cannot be applied, as swapping two neighbours where there is one. It may also misbehave: change its
    arguments, warn, or touch global state.
    """

    name: str
    method: str
    corrupt: Callable[[Call, np.random.Generator], Any] = field(compare=False)
