"""The closest of the names that exist."""

from __future__ import annotations

import pytest

from patchcore_plugin.spelling import did_you_mean, listed


@pytest.mark.parametrize("slip", ["numba-gredy", "numba_greedy", "NUMBA-GREEDY", "numbagreedy"])
def test_a_slip_finds_the_name_that_was_meant(slip):
    assert "'numba-greedy'" in did_you_mean(slip, ["random", "numba-greedy"])


@pytest.mark.parametrize("word", ["zzz", "", None, 7])
def test_what_is_close_to_nothing_gets_no_guess(word):
    assert did_you_mean(word, ["random", "numba-greedy"]) == ""


def test_names_are_listed_in_the_order_given():
    assert listed(["b", "a"]) == "b, a"
    assert listed([]) == "none"
