"""Recall as it is declared: on queries left out, in the worse of two kinds, with as little effort as does it."""

from __future__ import annotations

import numpy as np
from row_families import clusters, rows_of

from patchcore_plugin.neighbors.declared_recall import LeftOut, declare

TRUTH = np.arange(1.0, 101.0)


def found_by(effort):
    """Of 100 nearest rows, ``effort`` of each half are found; of the rest, one twice as far."""
    missed = np.arange(100) % 50 >= effort
    return np.where(missed, 2 * TRUTH, TRUTH)


def test_effort_grows_until_the_wanted_share_is_found():
    declared = declare(found_by, TRUTH, least=1, most=50, wanted=0.5)
    assert (declared.effort, declared.recall, declared.queries) == (28, 0.56, 100)


def test_the_least_effort_is_kept_where_it_does_and_the_most_is_not_passed():
    assert declare(found_by, TRUTH, least=40, most=50, wanted=0.5).effort == 40
    assert declare(found_by, TRUTH, least=90, most=45, wanted=1.0)[:2] == (45, 0.9)


def test_the_worse_half_counts():
    def found(effort):
        return np.where(np.arange(100) < 50, TRUTH, np.inf)

    assert declare(found, TRUTH, least=1, most=1, wanted=1.0).recall == 0.0


def test_another_row_as_near_counts_as_found_and_one_slightly_farther_does_not():
    assert declare(lambda _: TRUTH * (1 + 1e-7), TRUTH, 1, 1, 1.0).recall == 1.0
    assert declare(lambda _: TRUTH * (1 + 1e-3), TRUTH, 1, 1, 1.0).recall == 0.0


def test_with_nothing_to_try_it_on_the_search_is_as_hard_as_it_can_be():
    assert declare(found_by, np.empty(0), least=1, most=9, wanted=0.9) == (9, 1.0, 0)


def test_every_row_is_either_kept_or_left_out_and_the_seed_decides_which():
    left_out = LeftOut.of(1000, seed=1)
    assert sorted(np.concatenate(left_out).tolist()) == list(range(1000))
    assert len(left_out.tried) == 125
    assert len(LeftOut.of(10_000, seed=1).tried) == 512
    assert len(LeftOut.of(7, seed=1).tried) == 0
    assert LeftOut.of(1000, seed=1).tried.tolist() == left_out.tried.tolist() != LeftOut.of(1000, seed=2).tried.tolist()


def test_it_is_tried_on_the_rows_left_out_and_on_points_off_them():
    bank = rows_of(clusters, 400, 5)
    left_out = LeftOut.of(400, seed=0)
    queries = left_out.queries(bank, seed=0)
    np.testing.assert_array_equal(queries[:50], bank[left_out.tried])
    assert queries.shape == (100, 5)
    assert queries.dtype == np.float32
    assert len({tuple(row) for row in queries.tolist()} - {tuple(row) for row in bank.tolist()}) > 40
