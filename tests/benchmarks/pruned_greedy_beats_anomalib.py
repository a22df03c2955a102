"""Claim: pruned-greedy picks a coreset 150 times as fast as anomalib. Exit code 0 where it holds. Needs anomalib.

Ours is farthest-first on all values; anomalib's is farthest-first on its own random projection. Anomalib does one pass
over all rows for each row it keeps, so its time is that of a short run, extrapolated; ``--full`` waits for all of it.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from pathlib import Path

import numba
import numpy as np
from real_features import add_options, describe, features_of
from report import Timing, print_report, take_turns, verdict

from patchcore_plugin.samplers.pruned_greedy import PrunedGreedy
from patchcore_reference.coreset import coverage_radii

sys.path.insert(0, str(Path(__file__).parents[1]))
from certificates import FLOAT32, require_farthest_first

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what anomalib itself imports
    import torch
    from anomalib.models.components.sampling import k_center_greedy

LIMIT = 150
KEEP = 0.1
CLAIM = (
    f"{KEEP:.0%} of the rows are chosen at least {LIMIT} times as fast by pruned-greedy as by anomalib's KCenterGreedy"
)
PREFIX = 61  # rows that anomalib is asked for, besides one, which costs only the projection
CHECKED = 12  # first choices whose radii are measured again over all rows, in float64
TURNS = 3
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def anomalib_rows(embeddings: torch.Tensor, count: int) -> list[int]:
    """The rows that anomalib's sampler keeps."""
    torch.manual_seed(0)
    ratio = (count + 0.5) / len(embeddings)
    rows: list[int] = k_center_greedy.KCenterGreedy(embeddings, sampling_ratio=ratio).select_coreset_idxs()
    assert len(rows) == count
    return rows


def assert_right(embeddings: np.ndarray) -> None:
    """On a part of the rows, every choice is farthest; on all rows, the first radii are what the reference measures."""
    part = embeddings[:: len(embeddings) // 3000]
    require_farthest_first(part, PrunedGreedy(keep=KEEP).select(part), unit=FLOAT32)
    found = PrunedGreedy(keep=KEEP).select_with_report(embeddings)
    measured = coverage_radii(embeddings, found.rows[:CHECKED])
    np.testing.assert_allclose(found.radii[:CHECKED], measured, rtol=1e-4)


def compare_radii(embeddings: np.ndarray, theirs: list[int]) -> bool:
    """Whether our rows cover at least as well as equally many of theirs."""
    ours = PrunedGreedy(keep=KEEP).select_with_report(embeddings).radii[len(theirs) - 1]
    reached = radius_of(embeddings, theirs)
    print(f"radius after {len(theirs):,} rows: ours {ours:.4f}, anomalib's {reached:.4f}")
    return bool(ours <= reached * (1 + 1e-5))


def radius_of(embeddings: np.ndarray, rows: list[int]) -> float:
    """How far the farthest row is from the rows given; from products of centred rows, exact enough to compare."""
    centre = embeddings.mean(axis=0)
    chosen = torch.from_numpy(embeddings[rows] - centre)
    parts = (torch.from_numpy(embeddings[start : start + 2048] - centre) for start in range(0, len(embeddings), 2048))
    return max(float(torch.cdist(part, chosen).min(dim=1).values.max()) for part in parts)


def race(embeddings: np.ndarray) -> tuple[Timing, Timing, Timing]:
    tensor = torch.from_numpy(embeddings)
    ours = f"pruned-greedy, all {round(KEEP * len(embeddings)):,} rows"
    contestants = {
        ours: lambda: PrunedGreedy(keep=KEEP).select(embeddings),
        "anomalib, 1 row (its projection)": lambda: anomalib_rows(tensor, 1),
        f"anomalib, {PREFIX} rows": lambda: anomalib_rows(tensor, PREFIX),
    }
    first, second, third = take_turns(contestants, TURNS, rest=0.2)
    return first, second, third


def print_stages(embeddings: np.ndarray) -> None:
    facts = PrunedGreedy(keep=KEEP).select_with_report(embeddings).facts
    shares = ", ".join(f"{name} {share:.2%}" for name, share in facts["shares of pairs"].items())
    stages = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in facts["seconds"].items())
    print(f"{facts['batches']} batches over {facts['pairs']:,} pairs: {shares}; {stages}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    parser.add_argument("--full", action="store_true", help="run anomalib's sampler to its end: about 15 minutes")
    arguments = parser.parse_args()
    k_center_greedy.tqdm = lambda steps, **_: steps  # its progress bar, not a part of the work
    torch.set_num_threads(CORES)
    numba.set_num_threads(CORES)
    embeddings = features_of(arguments)
    count = round(KEEP * len(embeddings))
    assert_right(embeddings)
    ours, projection, prefix = race(embeddings)
    print_report(CLAIM, [ours, projection, prefix], CORES, ("numpy", "numba", "torch", "anomalib"))
    print(describe(embeddings, arguments.images))
    print_stages(embeddings)
    each = (prefix.median - projection.median) / (PREFIX - 1)
    needed = projection.median + (count - 1) * each
    print(f"anomalib: {each * 1e3:.1f} ms a row, extrapolated to {needed:.0f} s for {count:,} rows")
    theirs = anomalib_rows(torch.from_numpy(embeddings), PREFIX)
    if arguments.full:
        start = time.perf_counter()
        theirs = anomalib_rows(torch.from_numpy(embeddings), count)
        needed = time.perf_counter() - start
        print(f"anomalib: {needed:.0f} s measured for all {count:,} rows")
    covers = compare_radii(embeddings, theirs)
    print(f"ratio {needed / ours.median:.0f}; at least {LIMIT} is claimed")
    return verdict(needed >= LIMIT * ours.median and covers)


if __name__ == "__main__":
    sys.exit(main())
