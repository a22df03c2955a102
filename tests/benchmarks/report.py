"""How a benchmark measures and how it reports: turns taken in one process, medians and spread, machine, verdict."""

from __future__ import annotations

import os
import platform
import statistics
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Timing:
    """What one contestant took, run by run, in seconds for ``items`` things done in each run."""

    name: str
    runs: tuple[float, ...]
    items: int = 1

    @property
    def median(self) -> float:
        return statistics.median(self.runs) / self.items

    @property
    def best(self) -> float:
        return min(self.runs) / self.items

    @property
    def worst(self) -> float:
        return max(self.runs) / self.items


def take_turns(
    contestants: Mapping[str, Callable[[], object]],
    turns: int,
    items: Mapping[str, int] | None = None,
    rest: float = 0.0,
) -> list[Timing]:
    """Time each contestant once per turn, so that whatever else the machine does falls on all of them alike.

    Each is run once untimed in every turn, right before the timed run: its data is in the cache then and its threads
    are awake. ``rest`` is a pause in seconds that lets the threads of the one before fall asleep.
    """
    runs: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(turns):
        for name, run in contestants.items():
            time.sleep(rest)
            run()
            start = time.perf_counter()
            run()
            runs[name].append(time.perf_counter() - start)
    return [Timing(name, tuple(times), (items or {}).get(name, 1)) for name, times in runs.items()]


def print_report(claim: str, timings: list[Timing], threads: int, libraries: tuple[str, ...] = ("numpy",)) -> None:
    """Print the claim, the circumstances, and a line per contestant: median, best and worst of its runs."""
    print(claim)
    print(machine(libraries, threads))
    print(f"{len(timings[0].runs)} turns, times per item")
    for timing in timings:
        median, best, worst = (seconds * 1e3 for seconds in (timing.median, timing.best, timing.worst))
        print(f"{median:9.3f} ms  (best {best:.3f}, worst {worst:.3f})  {timing.name}")


def machine(libraries: tuple[str, ...] = ("numpy",), threads: int | None = None) -> str:
    """Say on what a figure was measured: processor, cores, BLAS and what pins it, versions."""
    versions = ", ".join(f"{library} {metadata.version(library)}" for library in libraries)
    used = "" if threads is None else f", {threads} thread(s)"
    return (
        f"{_processor()}; {os.cpu_count()} cores{used}; BLAS: {_blas()}\nPython {platform.python_version()}, {versions}"
    )


def verdict(holds: bool) -> int:
    """Print whether the claim holds, as the exit code says it."""
    print("holds" if holds else "DOES NOT HOLD")
    return 0 if holds else 1


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _blas() -> str:
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    settings = [f"{name}={value}" for name, value in os.environ.items() if name.startswith("OPENBLAS_")]
    return " ".join([blas["name"], blas["version"], *settings])
