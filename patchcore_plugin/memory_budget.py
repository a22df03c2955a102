"""How much memory this process holds, how much the machine has left, and what a budget leaves for the sampler."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patchcore_plugin.byte_sizes import in_words
from patchcore_plugin.errors import ConfigError
from patchcore_plugin.parts import takes_memory

if TYPE_CHECKING:
    from patchcore_plugin.contracts import CoresetSampler
    from patchcore_plugin.fit_sizes import FitSizes

_TYPICAL = 300 * 2**20  # bytes of a process with NumPy, Numba and a backbone, where the system does not say
SLACK = 64 * 2**20  # bytes: images read ahead, a batch on its way, one window of rows from the disk, stacks
LEAST = 32 * 2**20  # bytes: with less than this no sampler gets far
BANK_COPIES = 3  # the bank, the search's own copy, and what a search adds to it


@dataclass(frozen=True)
class Budget:
    """A limit on the resident memory of the whole process while it fits; None: no limit."""

    bytes: int | None

    def left(self) -> int | None:
        """Bytes that the sampler may use for arrays of its own, beyond what the process holds now."""
        return None if self.bytes is None else max(0, self.bytes - resident_bytes() - SLACK)

    def require_fit(self, sampler: CoresetSampler, name: str, sizes: FitSizes) -> None:
        """Refuse, before anything is read, a budget within which the sampler cannot work.

        Raises: ConfigError that says what is needed, and which sampler can do with less.
        """
        left = self.left()
        if left is None or self.bytes is None:
            return
        row_bytes = sizes.width * 4
        bank = (sizes.bank_rows or 0) * row_bytes * BANK_COPIES
        for_choosing = _least_for(sampler, sizes) if takes_memory(sampler) else sizes.rows * row_bytes
        needed = max(for_choosing, bank)
        if needed <= left:
            return
        total = in_words(self.bytes - left + needed)
        if bank >= for_choosing and sizes.bank_rows == sizes.rows:
            advice = (
                f"Sampler {name!r} remembers all of them, and a memory bank is in memory while it is searched. Set "
                f'sampler.name = "pruned-greedy", with sampler.keep well below 1, or raise memory.budget to {total} or '
                "more."
            )
        elif bank >= for_choosing:
            advice = f"Keep fewer rows than {sizes.bank_rows:,}, or raise memory.budget to {total} or more."
        elif takes_memory(sampler):
            advice = f"Raise memory.budget to {total} or more."
        else:
            advice = (
                f'Sampler {name!r} needs all rows in memory. Set sampler.name = "pruned-greedy", which works on '
                f"parts of them, or raise memory.budget to {total} or more."
            )
        raise ConfigError(
            f"memory.budget is {in_words(self.bytes)}, of which {in_words(left)} are left beside what the program "
            f"itself holds, but {in_words(needed)} are needed for {sizes.rows:,} rows of {sizes.width} values. {advice}"
        )


def _least_for(sampler: Any, sizes: FitSizes) -> int:
    """Bytes without which a sampler that works on parts of the rows cannot choose; it may know itself."""
    known = getattr(sampler, "least_memory", None)
    return max(LEAST, int(known(sizes.rows, sizes.width)) if known else 0)


def resident_bytes() -> int:
    """Bytes of physical memory that this process holds now; its peak, where the system tells no more."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return peak_bytes() or _TYPICAL


def peak_bytes() -> int | None:
    """Bytes of physical memory that this process held at most so far; None where the system does not say."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def available_bytes() -> int | None:
    """Bytes of memory that could be had now without swapping; None where the system does not say."""
    found = [limit for limit in (_free_for_programs(), _left_in_container()) if limit is not None]
    return min(found, default=None)


def _free_for_programs() -> int | None:
    try:
        fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, ValueError, KeyError):
        return _installed()


def _installed() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None


def _left_in_container() -> int | None:
    group = Path("/sys/fs/cgroup")
    try:
        return int((group / "memory.max").read_text()) - int((group / "memory.current").read_text())
    except (OSError, ValueError):  # no such file, or "max": no limit
        return None
