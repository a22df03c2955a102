"""Claim: importing the package, with the names a plugin needs, takes under 0.3 s. Exit code 0 where it holds."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys

CLAIM = "import patchcore_plugin takes under 0.3 s in a fresh process; so does what a plugin imports"
LIMIT = 0.3
RUNS = 9
STATEMENTS = {
    "import patchcore_plugin": True,
    "from patchcore_plugin import Component, components, hookimpl": True,
    "import patchcore_plugin.arrays, patchcore_plugin.contracts": True,
    "import numpy": False,  # the yardstick: nothing of ours
    "from patchcore_plugin import components; components.names('sampler')": False,  # looks at all distributions
}


def seconds(statement: str) -> float:
    script = f"import time; start = time.perf_counter()\n{statement}\nprint(time.perf_counter() - start)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return float(ran.stdout.splitlines()[-1])


def main() -> int:
    print(CLAIM)
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, {RUNS} processes each")
    holds = True
    for statement, claimed in STATEMENTS.items():
        seconds(statement)  # fills the file cache and writes byte code
        times = sorted(seconds(statement) for _ in range(RUNS))
        median = statistics.median(times)
        holds &= not claimed or median < LIMIT
        print(f"{median:7.3f} s  ({times[0]:.3f} to {times[-1]:.3f})  {statement}")
    print("holds" if holds else "DOES NOT HOLD")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
