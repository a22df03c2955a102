"""Sizes of memory and files as people write them, both ways."""

from __future__ import annotations

import re

# Powers of 1,000 are what disks are sold in, powers of 1,024 what memory comes in; each is written its own way.
_DECIMAL = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_BINARY = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
UNITS = {**_DECIMAL, **_BINARY}
_FOLDED = {name.lower(): factor for name, factor in UNITS.items()}


def bytes_of(text: str) -> int:
    """Read ``"2 GiB"``, ``"1.5GB"``, ``"64 mib"`` or ``"4096"`` as bytes, rounded down.

    Raises: ValueError for anything else, nothing and negative sizes included.
    """
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Z]*)\s*", text)
    factor = _FOLDED.get(found[2].lower() or "b") if found else None
    if found is None or factor is None:
        raise ValueError(f"{text!r} is no size: a number and one of {', '.join(UNITS)} is needed")
    return int(float(found[1]) * factor)


def in_words(count: float) -> str:
    """Write bytes for people: ``4.4 GiB``, ``120.0 MiB``, ``17 bytes``."""
    for unit, factor in reversed(_BINARY.items()):
        if count >= factor:
            return f"{count / factor:,.1f} {unit}"
    return f"{int(count)} bytes"
