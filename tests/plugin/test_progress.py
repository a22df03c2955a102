"""Time left: from the pace of late, counted down between reports, and silent while nothing is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchcore_plugin.progress import TimeLeft, duration


def after(*reports, total=100):
    left = TimeLeft()
    for now, done in reports:
        left.note(done, total, now)
    return left


def test_a_steady_pace_is_told_exactly_and_counts_down():
    left = after((0, 0), (1, 10), (2, 20))
    assert left.seconds(2) == pytest.approx(8)
    assert left.seconds(5) == pytest.approx(5)
    assert left.seconds(50) == 0


@pytest.mark.parametrize(
    "reports", [[], [(0, 0)], [(0, 0), (1, 5)], [(0, 5), (1, 5), (2, 5)], [(1, 0), (1, 1), (1, 2)]]
)
def test_nothing_is_told_while_nothing_is_known(reports):
    assert after(*reports).seconds(3) is None


def test_nothing_is_told_where_the_end_is_unknown():
    assert after((0, 0), (1, 1), (2, 2), total=None).seconds(3) is None


def test_what_an_earlier_run_did_does_not_make_this_one_look_fast():
    assert after((0, 9000), (1, 9001), (2, 9002), total=9010).seconds(2) == pytest.approx(8)


def test_the_pace_of_late_counts_when_a_stage_slows_down():
    left = after(
        *((second, 10 * second) for second in range(100)), *((99 + 10 * k, 990 + k) for k in range(1, 11)), total=1100
    )
    assert left.seconds(199) == pytest.approx(1000)


def test_rare_reports_are_enough():
    left = after((0, 0), (200, 10), (400, 20), (600, 30))
    assert left.seconds(600) == pytest.approx(1400)


@given(gaps=st.lists(st.floats(0.001, 100), min_size=1, max_size=60))
def test_it_is_never_negative_and_nothing_is_left_at_the_end(gaps):
    left, now = TimeLeft(), 0.0
    for done, gap in enumerate(gaps):
        now += gap
        left.note(done + 1, len(gaps), now)
        assert (left.seconds(now) or 0) >= 0
    assert left.seconds(now) in (None, 0)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (8.4, "8 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (13_200, "3 h 40 min")],
)
def test_a_time_is_told_no_finer_than_it_matters(seconds, words):
    assert duration(seconds) == words
