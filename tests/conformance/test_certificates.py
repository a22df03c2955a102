"""The kit's own judge: it lets right answers pass, by any tie and any claimed rounding, and rejects wrong ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchcore_conformance import probes
from patchcore_conformance.certificates import (
    best_radius,
    cover_radius,
    require_greedy,
    require_nearest,
    truth_between,
    walk,
)
from patchcore_conformance.claims import Claims
from patchcore_conformance.context import Context
from patchcore_conformance.model.sampler import farthest_first
from patchcore_conformance.numerics import Numerics, rounded_to, squares_between
from patchcore_conformance.profiles import QUICK
from patchcore_conformance.violation import Violation
from patchcore_conformance.watched import Record, Tap

LINE = np.array([[0.0], [1.0], [5.0], [9.0]])


def judge(**claims):
    return Context("S00", "sampler", Claims(**claims), QUICK, 0, lambda: None, Tap(Record()))


def brute_force(queries, bank, k, squares=squares_between):
    measured = squares(queries.astype(np.float64), bank.astype(np.float64))
    rows = np.argsort(measured, axis=1, kind="stable")[:, :k]
    return np.sqrt(np.take_along_axis(measured, rows, axis=1)), rows


def expanded(queries, bank):
    queries, bank = queries.astype(np.float32), bank.astype(np.float32)
    sizes = np.square(queries).sum(axis=1)[:, None] + np.square(bank).sum(axis=1)
    return np.maximum(sizes - 2 * queries @ bank.T, 0)


@pytest.mark.parametrize("rows", [[0, 3, 2, 1], [1, 3, 2, 0], [2, 0, 3, 1], [3, 0, 2, 1], [3], [2, 0]])
def test_a_farthest_first_order_is_accepted_from_any_start(rows):
    require_greedy(judge(arith="E0"), LINE, np.array(rows))


@pytest.mark.parametrize("rows", [[0, 2, 3, 1], [0, 3, 1, 2], [0, 1], [3, 1, 0, 2]])
def test_a_choice_that_is_not_the_farthest_is_rejected_and_named(rows):
    with pytest.raises(Violation, match=r"choice .* the farthest is needed") as caught:
        require_greedy(judge(arith="E0"), LINE, np.array(rows))
    assert caught.value.evidence["rows"].tolist() == rows


def test_any_of_equally_far_rows_is_right():
    square = np.array([[0.0, 0], [0, 2], [2, 0], [2, 2]])
    for rows in ([0, 3, 1, 2], [0, 3, 2, 1], [1, 2, 0, 3]):
        require_greedy(judge(arith="E0", dtype="float64"), square, np.array(rows))


@pytest.mark.parametrize(
    "family", [probes.lattice, probes.clusters, probes.gaussian, probes.fine_ties, probes.rectified]
)
@pytest.mark.parametrize("change", ["swap", "near", "chance"])
def test_spoilt_selections_of_real_data_are_rejected(family, change):
    rows = family(200, 6)
    chosen = farthest_first(rows, 40, first=7)
    require_greedy(judge(arith="E0"), rows, chosen)
    spoilt = {
        "swap": chosen[[0, 20, *range(2, 20), 1, *range(21, 40)]],
        "near": np.concatenate([chosen[:39], np.setdiff1d(np.arange(200), chosen)[-1:]]),
        "chance": np.random.default_rng(0).permutation(200)[:40],
    }[change]
    with pytest.raises(Violation):
        require_greedy(judge(arith="E0"), rows, spoilt)


@pytest.mark.parametrize("bits", [10, 13, 16])
def test_choosing_with_fewer_bits_than_claimed_is_rejected(bits):
    rows = probes.fine_ties(400, 3)
    coarse = np.round(rows * 2.0**bits / 8) * 8 / 2.0**bits
    with pytest.raises(Violation):
        require_greedy(judge(arith="E0"), rows, farthest_first(coarse, 200))


def test_float32_is_enough_where_float32_is_claimed_and_not_where_float64_is():
    rows = probes.near_ties(300, 6)
    near, chosen = np.full(300, np.inf, dtype=np.float32), [0]
    for _ in range(99):
        near = np.minimum(near, np.square(rows - rows[chosen[-1]]).sum(axis=1))
        chosen.append(int(np.argmax(near)))
    require_greedy(judge(arith="E0"), rows, np.array(chosen))
    with pytest.raises(Violation):
        require_greedy(judge(arith="E0", dtype="float64"), rows, np.array(chosen))


@given(st.integers(2, 9), st.integers(1, 3), st.integers(1, 3), st.integers(0, 10_000))
def test_farthest_first_covers_within_twice_the_best(total, width, count, seed):
    """Gonzalez 1985: what the certificate asks for implies it."""
    points = np.random.default_rng(seed).integers(-3, 4, size=(total, width)).astype(np.float32)
    count = min(count, total)
    rows = farthest_first(points, count, first=seed % total)
    require_greedy(judge(arith="E0"), points, rows)
    assert cover_radius(points, rows) <= 2 * best_radius(points, count) + 1e-9


def test_the_best_radius_is_found_by_trying_all():
    assert best_radius(LINE, 1) == 5
    assert best_radius(LINE, 2) == 4
    assert best_radius(LINE, 3) == 1


def test_a_walk_tells_radii_and_how_far_the_choices_are_decided():
    found = walk(LINE, np.array([0, 3, 2]), Numerics.of(Claims(arith="E0")))
    assert np.sqrt(found.radii).tolist() == [9, 4, 1]
    assert np.sqrt(found.reached).tolist() == [9, 4]
    assert found.decided == 3
    tied = walk(np.array([[0.0], [2], [-2]]), np.array([0, 1, 2]), Numerics.of(Claims(arith="E0")))
    assert tied.decided == 1


def test_right_neighbours_are_accepted_and_ties_may_be_swapped():
    bank = np.repeat(probes.lattice(10, 3), 2, axis=0)
    truth = truth_between(bank[:4], bank, Numerics.of(Claims(arith="E0")))
    distances, rows = brute_force(bank[:4], bank, 2)
    require_nearest(judge(arith="E0"), truth, distances, rows)
    require_nearest(judge(arith="E0"), truth, distances, rows[:, ::-1])


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda d, r: (d**2, r), "not that of its row"),
        (lambda d, r: (d[:, 1:], r[:, 1:]), "nearer row was missed"),
        (lambda d, r: (d, np.roll(r, 1, axis=1)), "not that of its row"),
        (lambda d, r: (d, np.repeat(r[:, :1], r.shape[1], axis=1)), "twice"),
        (lambda d, r: (d * (1 + 1e-5), r), "not that of its row"),
        (lambda d, r: (d.astype(np.float16), r), "not that of its row"),
        (lambda d, r: (np.full_like(d, np.nan), r), "not that of its row"),
        (lambda d, r: (d, r - 50), "outside"),
        (lambda d, r: (d, np.where(r == r.max(), 50, r)), "outside"),
    ],
)
def test_wrong_neighbours_are_rejected(spoil, reason):
    queries, bank = probes.clusters(6, 5, seed=1), probes.clusters(50, 5, seed=2)
    truth = truth_between(queries, bank, Numerics.of(Claims(arith="E0")))
    with pytest.raises(Violation, match=reason):
        require_nearest(judge(arith="E0"), truth, *spoil(*brute_force(queries, bank, 4)))


@pytest.mark.parametrize("family", [probes.gaussian, probes.clusters, probes.rectified, probes.duplicates])
def test_expanded_float32_distances_are_right_where_they_are_claimed(family):
    queries, bank = family(40, 9, seed=1), family(90, 9, seed=2)
    distances, rows = brute_force(queries, bank, 5, squares=expanded)
    truth = truth_between(queries, bank, Numerics.of(Claims(arith="E1")))
    require_nearest(judge(arith="E1"), truth, distances.astype(np.float32), rows)


def test_expanded_distances_far_from_zero_are_right_only_where_no_more_is_claimed():
    queries, bank = np.split(probes.shifted(120, 5), [30])
    distances, rows = brute_force(queries, bank, 3, squares=expanded)
    require_nearest(judge(arith="E1"), truth_between(queries, bank, Numerics.of(Claims(arith="E1"))), distances, rows)
    for arith in ("E0", "E1-centred"):
        truth = truth_between(queries, bank, Numerics.of(Claims(arith=arith)))
        with pytest.raises(Violation):
            require_nearest(judge(arith=arith), truth, distances, rows)


def test_no_queries_have_no_neighbours():
    bank = probes.gaussian(5, 2)
    truth = truth_between(bank[:0], bank, Numerics.of(Claims(arith="E0")))
    require_nearest(judge(), truth, np.empty((0, 3)), np.empty((0, 3), dtype=np.int64))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_rounded_rows_are_exact_in_the_claimed_dtype_and_rounding_again_changes_nothing(dtype):
    rows = rounded_to(probes.clusters(60, 5), dtype)
    assert np.array_equal(rounded_to(rows, dtype), rows)
    if dtype == "float16":
        assert np.array_equal(rows.astype(np.float16).astype(np.float32), rows)
        assert squares_between(rows.astype(float), rows.astype(float)).max() < 65504
    if dtype == "bfloat16":
        assert not (rows.view(np.uint32) & 0xFFFF).any()
        assert np.abs(rows / probes.clusters(60, 5) - 1).max() <= 2.0**-8


def test_a_weak_family_cannot_be_built():
    from patchcore_conformance.violation import KitError

    @probes.family(probes.needs_choosing)
    def haze(random, total, width):
        return random.standard_normal((total, width))

    haze(30, 200)
    with pytest.raises(KitError, match="too weak"):
        haze(300, 200)


def test_families_are_the_same_whenever_they_are_built_and_belong_to_the_caller():
    first = probes.clusters(120, 4)
    expected = first.copy()
    first[:] = 0
    assert np.array_equal(probes.clusters(120, 4), expected)
    assert not np.array_equal(probes.clusters(120, 4, seed=1), expected)
