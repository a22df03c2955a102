"""Claim: the pruned search never costs much more than plain products. Exit code 0 where it holds."""

from __future__ import annotations

import argparse
import os
import sys
from statistics import median

import numba
import numpy as np
from numba import njit, prange
from real_features import add_options
from report import print_report, take_turns, verdict
from search_bank import NARROW, bank_of, queries_of

from patchcore_plugin.neighbors.pruned_exact import PrunedExact

DOUBLE, WIDER, RANDOM = 2.4, 10.0, 1.3
CLAIM = (
    f"pruned-exact takes at most {DOUBLE} x the time when queries or bank rows double and at most {WIDER:.0f} x from\n"
    f"D = 152 to 1,312; on random numbers, where nothing can be pruned, at most {RANDOM} x that of products in blocks"
)
TURNS, REST, BLOCK = 7, 0.1, 2048
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@njit(parallel=True)
def keep_least(products, halves, start, lowest, rows):
    for q in prange(len(products)):
        for m in range(products.shape[1]):
            value = halves[start + m] - products[q, m]
            if value < lowest[q]:
                lowest[q], rows[q] = value, start + m


def plain_products(bank):
    """Matrix products in blocks with a running minimum: no margin, nothing measured again."""
    halves = np.einsum("ij,ij->i", bank, bank) / 2

    def search(queries):
        lowest, rows = np.full(len(queries), np.inf, np.float32), np.zeros(len(queries), np.int64)
        for start in range(0, len(bank), BLOCK):
            keep_least(queries @ bank[start : start + BLOCK].T, halves, start, lowest, rows)
        return rows

    return search


def pruned(bank):
    index = PrunedExact().build(bank)
    return lambda queries: index.query(queries)[1][:, 0]


def growth(slow, fast):
    return median(a / b for a, b in zip(slow.runs, fast.runs, strict=True))


def on_features(arguments):
    """Time with everything at its smaller size, and with each size at its larger."""
    wide, narrow = bank_of(arguments, 16_000), bank_of(arguments, 16_000, **NARROW)
    image, other = queries_of(arguments, 2)
    joined = np.concatenate([image, other])
    small = queries_of(arguments, 2, **NARROW)[0]
    half, whole, thin = pruned(wide[::2]), pruned(wide), pruned(narrow)
    runs = {
        "784 queries, M = 8,000, D = 1,312": lambda: half(image),
        "784 other queries": lambda: half(other),
        "both, 1,568 queries": lambda: half(joined),
        "M = 16,000": lambda: whole(image),
        "M = 16,000, D = 152": lambda: thin(small),
    }
    base, second, both, rows, narrower = timings = take_turns(runs, TURNS, rest=REST)
    print_report("On features of photographs:", timings, CORES, ("numba", "numpy"))
    # Images differ in how much can be pruned: twice as many queries are held against the mean of their halves.
    doubled = median(2 * c / (a + b) for a, b, c in zip(base.runs, second.runs, both.runs, strict=True))
    found = doubled, growth(rows, base), growth(rows, narrower)
    print(f"queries doubled {found[0]:.2f} x, bank rows doubled {found[1]:.2f} x, D from 152 to 1,312 {found[2]:.2f} x")
    return found[0] <= DOUBLE and found[1] <= DOUBLE and found[2] <= WIDER


def on_random_numbers(width, rows):
    random = np.random.default_rng(0)
    bank, queries = (random.standard_normal((n, width)).astype(np.float32) for n in (rows, 784))
    ours, plain = pruned(bank), plain_products(bank)
    mine, theirs = (np.linalg.norm(queries - bank[search(queries)], axis=1) for search in (ours, plain))
    np.testing.assert_allclose(mine, theirs, rtol=1e-5)
    runs = {"pruned-exact": lambda: ours(queries), "plain products": lambda: plain(queries)}
    timings = take_turns(runs, TURNS, rest=REST)
    print()
    print_report(f"On random numbers, D = {width:,}, M = {rows:,}:", timings, CORES, ("numba", "numpy"))
    found = growth(*timings)
    print(f"{found:.2f} x plain products")
    return found <= RANDOM


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    arguments = parser.parse_args()
    numba.set_num_threads(CORES)
    print(CLAIM)
    print()
    held = [on_features(arguments), on_random_numbers(1312, 8192), on_random_numbers(152, 16_384)]
    return verdict(all(held))


if __name__ == "__main__":
    sys.exit(main())
