"""Claim: the pruned search is several times faster than faiss and torch. Exit code 0 where it holds. Needs both."""

from __future__ import annotations

import argparse
import os
import sys
from statistics import median

import faiss
import numba
import numpy as np
import torch
from real_features import add_options
from report import print_report, take_turns, verdict
from search_bank import NARROW, PATCHES, bank_of, queries_of

from patchcore_plugin.neighbors.numba_exact import NumbaExact
from patchcore_plugin.neighbors.pruned_exact import PrunedExact

OVER_FAISS, OVER_TORCH, OVER_NUMBA = 5, 4, 2
CLAIM = (
    f"nearest row of {PATCHES} patches, an image at a time, M = 16,385, D = 1,312: pruned-exact is at least "
    f"{OVER_FAISS} x faster\nthan faiss-cpu IndexFlatL2 and {OVER_TORCH} x faster than torch's expanded distance; "
    f"with the default settings (D = 152)\nat least {OVER_NUMBA} x faster than numba-exact"
)
SIZES = ((16_385, {}), (16_000, NARROW), (3_700, NARROW))  # rows of the bank, and what the features are made with
IMAGES, TURNS, REST = 4, 7, 0.1
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
TORCH_CHUNK = 1024  # queries at a time, as anomalib has it


def faiss_search(bank):
    index = faiss.IndexFlatL2(bank.shape[1])
    index.add(bank)
    return lambda queries: index.search(queries, 1)[1][:, 0]


def torch_search(bank):
    """The expanded distance as anomalib 2.7 computes it, squared lengths of the bank included."""
    bank = torch.from_numpy(bank)

    def nearest(queries):
        rows = []
        for x in torch.from_numpy(queries).split(TORCH_CHUNK):
            distances = torch.matmul(x, bank.T)
            distances.mul_(-2).add_(x.pow(2).sum(dim=-1, keepdim=True)).add_(bank.pow(2).sum(dim=-1))
            rows.append(distances.clamp_min_(0).sqrt_().min(dim=1).indices)
        return torch.cat(rows).numpy()

    return nearest


def our_search(part, bank):
    index = part.build(bank)
    return lambda queries: index.query(queries)[1][:, 0]


def distances(queries, bank, rows):
    return np.sqrt(((queries.astype(np.float64) - bank[rows]) ** 2).sum(axis=1))


def assert_same_distances(searches, bank, images):
    """Rows may differ only where distances agree within rounding; the expansion of the others is allowed its own."""
    for queries in images:
        found = {name: distances(queries, bank, search(queries)) for name, search in searches.items()}
        ours = found["pruned-exact"]
        assert (ours <= found["numba-exact"] * (1 + 1e-6)).all()
        for theirs in found.values():
            np.testing.assert_allclose(ours, theirs, rtol=1e-4)
            assert (ours <= theirs * (1 + 1e-6)).all()


def race(bank, images):
    searches = {
        "pruned-exact": our_search(PrunedExact(), bank),
        "numba-exact": our_search(NumbaExact(), bank),
        "faiss IndexFlatL2": faiss_search(bank),
        "torch, expanded distance": torch_search(bank),
    }
    assert_same_distances(searches, bank, images)
    runs = {name: lambda search=search: [search(queries) for queries in images] for name, search in searches.items()}
    return take_turns(runs, TURNS, dict.fromkeys(runs, len(images)), REST)


def ratios(timings):
    """Medians over turns of their time in units of ours, by name."""
    ours, *others = timings
    return {other.name: median(b / a for a, b in zip(ours.runs, other.runs, strict=True)) for other in others}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    arguments = parser.parse_args()
    for set_threads in (torch.set_num_threads, numba.set_num_threads, faiss.omp_set_num_threads):
        set_threads(CORES)
    holds = True
    print(CLAIM)
    with torch.inference_mode():
        for rows, made in SIZES:
            bank = bank_of(arguments, rows, **made)
            timings = race(bank, queries_of(arguments, IMAGES, **made))
            print()
            title = f"M = {rows:,}, D = {bank.shape[1]:,}, {PATCHES} queries a call; the answers agree"
            print_report(title, timings, CORES, ("numba", "faiss-cpu", "torch", "numpy"))
            faster = ratios(timings)
            print(", ".join(f"{ratio:.1f} x faster than {name}" for name, ratio in faster.items()))
            holds &= faster["numba-exact"] >= OVER_NUMBA
            if not made:
                holds &= faster["faiss IndexFlatL2"] >= OVER_FAISS
                holds &= faster["torch, expanded distance"] >= OVER_TORCH
    return verdict(holds)


if __name__ == "__main__":
    sys.exit(main())
