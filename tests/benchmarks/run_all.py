"""Run every benchmark, or those named, print verdicts, and write what they printed to docs/benchmarks.md.

Those that are not named keep their section as it stands on the page.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "benchmarks.md"
TOOLS = {"report.py", "real_features.py", "search_bank.py", Path(__file__).name}  # not benchmarks themselves

HEAD = """# Benchmarks

Each file of [`tests/benchmarks`](../tests/benchmarks) is one claim with its verdict: correctness first, then ratios of
contestants that take turns in one run. This page is written by `make benchmark` from what they print, and by nothing
else. Absolute times are those of the machine named in each block; the ratios are the claim.
"""


@dataclass(frozen=True)
class Outcome:
    """What one benchmark printed, and how it ended: 0 holds, 1 does not hold, anything else could not run."""

    file: Path
    printed: str
    code: int

    @property
    def verdict(self) -> str:
        return {0: "holds", 1: "DOES NOT HOLD"}.get(self.code, "could not run")

    def section(self) -> str:
        return f"\n## {title_of(self.file)}: {self.verdict}\n\n```text\n{self.printed.strip()}\n```\n"


def title_of(file: Path) -> str:
    """Say the claim as its file is called."""
    words = file.stem.replace("_", " ")
    return words[0].upper() + words[1:]


def standing() -> dict[str, str]:
    """Read the sections of the page by their titles."""
    found = re.split(r"(?m)(?=^## )", PAGE.read_text())[1:]
    return {one[3:].partition(":")[0]: f"\n{one.rstrip()}\n" for one in found}


def run(file: Path) -> Outcome:
    """Run one benchmark without the pins that hold NumPy's BLAS to an older processor."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    done = subprocess.run([sys.executable, file], capture_output=True, text=True, check=False, env=environment)
    if done.returncode not in (0, 1) or not done.stdout:
        print(done.stderr, file=sys.stderr)
    return Outcome(file, done.stdout or done.stderr.strip().rpartition("\n")[2], done.returncode if done.stdout else 2)


def benchmark_called(name: str) -> Path:
    """Find a benchmark by its path, or by the name of its file alone."""
    found = [path.resolve() for path in (Path(name), HERE / name) if path.is_file()]
    if not found:
        known = ", ".join(sorted(path.name for path in benchmarks()))
        raise SystemExit(f"there is no benchmark {name!r}. Name one of {known}.")
    return found[0]


def benchmarks() -> set[Path]:
    """List all of them."""
    return set(HERE.glob("*.py")) - {HERE / name for name in TOOLS}


def main() -> int:
    """Run those named on the command line, or all."""
    named = [benchmark_called(argument) for argument in sys.argv[1:]]
    outcomes = []
    for file in named or sorted(benchmarks()):
        outcomes.append(run(file))
        print(f"{outcomes[-1].verdict:<14} {file.name}", flush=True)
    sections = {**(standing() if named else {}), **{title_of(one.file): one.section() for one in outcomes}}
    PAGE.write_text(HEAD + "".join(sections[title] for title in sorted(sections)))
    print(f"written: {PAGE.name}")
    return int(any(outcome.code for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
