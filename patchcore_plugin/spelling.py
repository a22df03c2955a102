"""What was probably meant: the closest of the names that exist, for the texts of errors."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x' or 'y'?"``, or nothing at all where no name is close."""
    folded = {name.lower().replace("_", "-"): name for name in known}
    close = get_close_matches(str(word).lower().replace("_", "-"), folded, n=2)
    return f" Did you mean {' or '.join(repr(folded[name]) for name in close)}?" if close else ""


def listed(names: Iterable[str]) -> str:
    """Return the names as one readable line, in the order given."""
    return ", ".join(names) or "none"
