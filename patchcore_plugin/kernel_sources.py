"""One key for all compiled code that Numba keeps on disk, so that it is compiled again when any of its sources changes.

Numba keeps the code of a function for as long as the function's own file stays the same; the helpers that were compiled
into it may lie in other files. What a function refers to from outside becomes a part of its key in the cache, though.
So an entry to compiled code, a function that Python calls and Numba keeps, is made by a function that hands it this
digest; helpers are not kept by themselves, and functions without helpers need no key.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path


@cache
def kernel_sources() -> str:
    """Digest of all files of this package whose code may be compiled."""
    files = sorted(Path(__file__).parent.rglob("numba_*.py"))
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
