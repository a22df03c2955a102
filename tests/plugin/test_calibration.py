from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchcore_plugin.calibration import Calibration
from patchcore_plugin.errors import EmptyInputError, NonFiniteError

score_lists = st.lists(st.integers(0, 20).map(float), min_size=1, max_size=60)


@given(held_out=score_lists, new=score_lists)
def test_a_p_value_counts_the_held_out_scores_that_are_at_least_as_high(held_out, new):
    counted = [(1 + sum(h >= s for h in held_out)) / (len(held_out) + 1) for s in new]
    assert Calibration(np.array(held_out)).p_values(np.array(new)).tolist() == counted


@given(held_out=score_lists, rate=st.floats(0.001, 0.999))
def test_the_threshold_keeps_its_promise_on_the_held_out_images(held_out, rate):
    """The conformal promise, as far as it can be counted: few of n + 1 exchangeable scores lie above it."""
    calibration = Calibration(np.array(held_out), rate)
    above = sum(score > calibration.threshold for score in held_out)
    assert above <= calibration.promised_rate * (len(held_out) + 1) - 1 + 1e-9
    assert calibration.promised_rate <= max(rate + 1e-9, 1 / (len(held_out) + 1))


def test_false_alarms_stay_near_the_promise_on_fresh_draws():
    rng = np.random.default_rng(0)
    rates = []
    for _ in range(300):
        calibration = Calibration(rng.gamma(3.0, size=99), 0.05)
        rates.append(np.mean(rng.gamma(3.0, size=200) > calibration.threshold))
    assert 0.03 < np.mean(rates) < 0.06


def test_too_few_held_out_images_promise_less_and_say_so():
    calibration = Calibration(np.array([1.0, 2.0, 3.0]), 0.05)
    assert calibration.threshold == 3.0
    assert calibration.promised_rate == 0.25
    assert "19 held-out images would allow 5.0%" in calibration.in_words()


def test_enough_held_out_images_promise_what_was_asked_for():
    calibration = Calibration(np.arange(1.0, 20.0), 0.05)
    assert calibration.threshold == 19.0
    assert "at most 5.0 %" in calibration.in_words()


def test_nothing_held_out_and_nan_are_refused():
    with pytest.raises(EmptyInputError):
        Calibration(np.array([]))
    with pytest.raises(NonFiniteError):
        Calibration(np.array([1.0, np.nan]))
