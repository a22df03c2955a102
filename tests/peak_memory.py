"""The most memory that this process held at once, for programs that tests start.

Linux tells it as VmHWM, which begins anew with each program. ``ru_maxrss`` would not do: a program begins with the
value of the one that started it, so that in a small program under a large pytest nothing it does can be seen.
"""

from __future__ import annotations

import sys
from pathlib import Path


def peak_bytes() -> int:
    """Peak resident memory of this process in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
