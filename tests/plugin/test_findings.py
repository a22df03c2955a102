from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from made_up_reports import labelled, report

from patchcore_plugin.report.findings import (
    Counts,
    Ranked,
    choose_shown,
    count_outcomes,
    in_words,
    judge,
    per_hundred,
    rank,
)
from patchcore_plugin.report.report_data import Entry


def test_ranks_go_from_the_most_suspicious_down_and_ties_keep_their_order():
    ranked = rank(report([Entry(name=name, score=score) for name, score in (("a", 1), ("b", 3), ("c", 1))]))
    assert [(one.rank, one.entry.name, one.alarm) for one in ranked] == [(1, "b", None), (2, "a", None), (3, "c", None)]


def test_an_alarm_is_a_score_above_the_threshold_unless_a_verdict_says_otherwise():
    entries = [Entry(name="above", score=3), Entry(name="at", score=2), Entry(name="said", score=1, verdict=True)]
    assert [one.alarm for one in rank(report(entries, threshold=2.0))] == [True, False, True]


def test_quality_needs_both_kinds_of_labels():
    assert judge(labelled([3, 4], [])) is None
    assert judge(report([Entry(name="a", score=1)])) is None
    quality = judge(labelled([3, 4], [1, 2]))
    assert (quality.auroc, quality.f1, quality.at_best_f1) == (1.0, 1.0, Counts(2, 0, 0, 2))


def test_counts_agree_with_the_outcomes_shown():
    ranked = rank(labelled([9, 8, 1], [7, 2, 1, 0], threshold=5.0))
    assert count_outcomes(ranked) == Counts(found=2, missed=1, false_alarms=1, passed=3)
    assert [one.outcome for one in ranked].count("missed") == 1


@given(total=st.integers(1, 300), cut=st.floats(-1, 301))
def test_every_part_is_shown_at_most_once_and_the_extremes_always(total, cut):
    ranked = [Ranked(i + 1, Entry(name=str(i), score=float(total - i)), None) for i in range(total)]
    shown = [one.rank for group in choose_shown(ranked, cut) for one in group.members]
    assert len(shown) == len(set(shown)) <= 84
    assert shown[0] == 1
    assert total in shown
    if total <= 84:
        assert shown == list(range(1, total + 1))


def test_parts_next_to_the_threshold_are_shown():
    ranked = [Ranked(i + 1, Entry(name=str(i), score=float(200 - i)), None) for i in range(200)]
    middle = choose_shown(ranked, 100.2)[1]
    assert [one.entry.score for one in middle.members] == list(range(106, 94, -1))


def test_sentences_count_and_conjugate():
    assert in_words(Counts(250, 63, 8, 110), ("cell", "cells")) == (
        "Of 313 defective cells, 250 are found; of 118 good cells, 8 raise a false alarm."
    )
    assert in_words(Counts(1, 0, 0, 0), ("cell", "cells")) == "Of 1 defective cell, 1 is found."
    assert in_words(Counts(0, 0, 1, 0), ("cell", "cells")) == "Of 1 good cell, 1 raises a false alarm."


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_all_and_none_are_said_only_when_it_is_all_or_none(count, total):
    count = min(count, total)
    said = per_hundred(count, total)
    assert (said == "0") == (count == 0)
    assert (said == "100") == (count == total)
