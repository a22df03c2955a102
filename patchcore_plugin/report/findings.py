"""From scores and labels to what a person wants to know first: how many, which ones, how good, in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from patchcore_plugin.metrics import average_precision, best_f1, image_auroc, roc_curve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from patchcore_plugin.report.report_data import Entry, ReportData

MOST_SUSPICIOUS, BORDERLINE, LEAST_SUSPICIOUS, WORST = 60, 12, 12, 8  # how many of each a page shows


@dataclass(frozen=True)
class Ranked:
    """An entry with its rank (1 is the most suspicious) and whether it raises an alarm (None: nothing decides)."""

    rank: int
    entry: Entry
    alarm: bool | None

    @property
    def short_name(self) -> str:
        """The last part of the name, which tells images of one folder apart."""
        return PurePath(self.entry.name).name or self.entry.name

    @property
    def outcome(self) -> str:
        """What became of it: found, missed, false alarm, passed; empty where the truth or the verdict is unknown."""
        if self.entry.label is None or self.alarm is None:
            return ""
        names = {(True, True): "found", (True, False): "missed", (False, True): "false alarm", (False, False): "passed"}
        return names[self.entry.label, self.alarm]


class Counts(NamedTuple):
    """The four outcomes of labelled parts at one threshold."""

    found: int
    missed: int
    false_alarms: int
    passed: int


@dataclass(frozen=True)
class Quality:
    """How well the scores separate defective from good; only where both kinds are labelled."""

    auroc: float
    average_precision: float
    f1: float
    f1_threshold: float
    at_best_f1: Counts
    share_defective: float
    roc: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Group:
    """Parts that are shown together, and why."""

    title: str
    why: str
    members: Sequence[Ranked]


def rank(data: ReportData) -> list[Ranked]:
    """Order all entries from the most to the least suspicious; equal scores keep the order they came in."""
    ordered = sorted(data.entries, key=lambda entry: -entry.score)
    return [Ranked(place, entry, _alarm(entry, data.threshold)) for place, entry in enumerate(ordered, start=1)]


def judge(data: ReportData) -> Quality | None:
    """Measure how well scores and labels agree; None unless good and defective parts are both labelled."""
    labelled = [entry for entry in data.entries if entry.label is not None]
    labels = np.array([entry.label for entry in labelled], dtype=bool)
    if not labels.any() or labels.all():
        return None
    scores = np.array([entry.score for entry in labelled])
    f1, threshold = best_f1(labels, scores)
    fpr, tpr, _ = roc_curve(labels, scores)
    return Quality(
        auroc=image_auroc(labels, scores),
        average_precision=average_precision(labels, scores),
        f1=f1,
        f1_threshold=threshold,
        at_best_f1=_count(labels, scores >= threshold),
        share_defective=float(labels.mean()),
        roc=(fpr, tpr),
    )


def decide(ranked: Sequence[Ranked], quality: Quality | None) -> tuple[list[Ranked], bool]:
    """Give every part a verdict where that is possible; where nothing decides, labels decide in hindsight.

    Returns: the parts, and whether their verdicts come from the best threshold in hindsight.
    """
    if quality is None or any(one.alarm is not None for one in ranked):
        return list(ranked), False
    return [Ranked(one.rank, one.entry, one.entry.score >= quality.f1_threshold) for one in ranked], True


def count_outcomes(ranked: Sequence[Ranked]) -> Counts | None:
    """Count the outcomes of parts that have both a label and a verdict; None where there are none."""
    known = [one for one in ranked if one.outcome]
    if not known:
        return None
    return _count(np.array([one.entry.label for one in known], bool), np.array([one.alarm for one in known], bool))


def choose_shown(ranked: Sequence[Ranked], threshold: float | None) -> list[Group]:
    """Choose who gets pictures: everybody in a small run, otherwise both ends and those next to the threshold.

    Order: each part once; most suspicious first in each group.
    """
    if len(ranked) <= MOST_SUSPICIOUS + BORDERLINE + LEAST_SUSPICIOUS:
        return [Group("All, most suspicious first", "", ranked)]
    top, bottom = ranked[:MOST_SUSPICIOUS], ranked[-LEAST_SUSPICIOUS:]
    groups = [Group(f"The {len(top)} most suspicious", "Highest scores first.", top)]
    if threshold is not None:
        middle = ranked[MOST_SUSPICIOUS:-LEAST_SUSPICIOUS]
        nearest = sorted(middle, key=lambda one: abs(one.entry.score - threshold))[:BORDERLINE]
        nearest.sort(key=lambda one: one.rank)
        groups.append(
            Group("Closest to the threshold", "Here the verdict could easily have been the other one.", nearest)
        )
    return [*groups, Group(f"The {len(bottom)} least suspicious", "This is what unremarkable looks like.", bottom)]


def worst_mistakes(ranked: Sequence[Ranked]) -> list[Group]:
    """Show the mistakes that are furthest on the wrong side."""
    missed = [one for one in reversed(ranked) if one.outcome == "missed"][:WORST]
    alarms = [one for one in ranked if one.outcome == "false alarm"][:WORST]
    groups = [
        Group("Worst misses", "Labelled defective, yet with the lowest scores.", missed),
        Group("Worst false alarms", "Labelled good, yet with the highest scores.", alarms),
    ]
    return [group for group in groups if group.members]


def per_hundred(count: int, total: int) -> str:
    """Say a share as a person would: never 0 or 100 of 100 unless it is exactly that."""
    share = 100 * count / total if total else 0.0
    if 0 < share < 1 or 99 < share < 100:
        return f"{share:.1f}" if 0.05 <= share < 99.95 else ("fewer than 0.1" if share < 1 else "more than 99.9")
    return f"{share:.0f}"


def in_words(counts: Counts, noun: tuple[str, str]) -> str:
    """Tell found parts and false alarms in one sentence, with the numbers themselves."""
    bad, good = counts.found + counts.missed, counts.false_alarms + counts.passed
    halves = [
        f"Of {bad} defective {noun[bad != 1]}, {counts.found} {_is(counts.found)} found" if bad else "",
        f"of {good} good {noun[good != 1]}, {counts.false_alarms} {_raise(counts.false_alarms)}" if good else "",
    ]
    sentence = "; ".join(half for half in halves if half) + "."
    return sentence[0].upper() + sentence[1:]


def in_hundreds(counts: Counts, noun: tuple[str, str]) -> str:
    """Tell found parts and false alarms as shares of hundred."""
    found = per_hundred(counts.found, counts.found + counts.missed)
    alarms = per_hundred(counts.false_alarms, counts.false_alarms + counts.passed)
    return f"of 100 defective {noun[1]} {found} are found; of 100 good ones {alarms} raise a false alarm"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _raise(count: int) -> str:
    return "raises a false alarm" if count == 1 else "raise a false alarm"


def _alarm(entry: Entry, threshold: float | None) -> bool | None:
    if entry.verdict is not None:
        return entry.verdict
    return None if threshold is None else entry.score > threshold


def _count(labels: npt.NDArray[np.bool_], alarms: npt.NDArray[np.bool_]) -> Counts:
    return Counts(
        found=int((labels & alarms).sum()),
        missed=int((labels & ~alarms).sum()),
        false_alarms=int((~labels & alarms).sum()),
        passed=int((~labels & ~alarms).sum()),
    )
