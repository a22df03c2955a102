"""Which parts a detector misses, and what their heat maps say about the reason; over all runs of one category."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import zip_longest
from statistics import fmean, median
from typing import TYPE_CHECKING

from patchcore_plugin.benchmark.summary import Spread, over_seeds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from patchcore_plugin.benchmark.record import Picture, Record, Seen

SHOWN = 8  # misses, and as many false alarms


@dataclass(frozen=True)
class Defect:
    """One kind of defect, over all runs.

    Units:  ``found`` share of its images above the threshold, ``hit`` share whose hottest point lies on the defect,
            ``missed_hit`` the same of the missed ones, ``size`` the median share of the image that is defect. The last
            three are None without masks; ``missed_hit`` also where none is missed.
    """

    name: str
    images: int
    auroc: Spread
    found: float
    hit: float | None
    missed_hit: float | None
    size: float | None

    @property
    def reason(self) -> str:
        """Say in a sentence what the misses have in common."""
        if self.found == 1:
            return "All are found."
        if self.missed_hit is None:
            return "Missed ones score like good ones."
        share = f"{100 * self.missed_hit:.0f} %"
        if self.missed_hit >= 0.5:
            return f"Seen, but too faint: {share} of the missed ones are hottest on the defect, below the threshold."
        return f"Not seen: {share} of the missed ones are hottest on the defect; something else looks stranger."


@dataclass(frozen=True)
class Mistake:
    """An image that was judged wrongly in some of the runs that tested it, with a picture where one was kept.

    Units: ``margin`` the mean of score / threshold - 1 over those runs: how far on the wrong side.
    """

    name: str
    kind: str
    wrong: int
    tested: int
    margin: float
    score: float
    size: float | None
    on_defect: bool | None
    picture: Picture | None

    @property
    def reason(self) -> str:
        """Say in a few words what its heat map shows."""
        if self.on_defect is None:
            return ""
        return "heat on the defect, but too faint" if self.on_defect else "heat lies elsewhere"


@dataclass(frozen=True)
class Verdict:
    """Runs together: shares found and falsely alarmed, where thresholds came from, the share of alarms they allow."""

    found: Spread
    false_alarms: Spread
    source: str
    allowed: float


def verdict(records: Sequence[Record]) -> Verdict:
    """Average what the runs found; the threshold is called hindsight as soon as one of them had no other."""
    sources = {one.threshold_from for one in records}
    return Verdict(
        over_seeds(records, lambda one: one.figures["found_at_threshold"]),
        over_seeds(records, lambda one: one.figures["false_alarms_at_threshold"]),
        "calibration" if sources == {"calibration"} else "hindsight",
        float(records[0].identity["settings"]["calibration"]["false_alarm_rate"]),
    )


def defects(records: Sequence[Record]) -> list[Defect]:
    """Describe each kind of defect of a category, the one that is found least first."""
    by_kind: dict[str, list[Seen]] = defaultdict(list)
    for one in (seen for record in records for seen in record.images if seen.bad):
        by_kind[one.kind].append(one)
    found = [_defect(kind, seen, records) for kind, seen in by_kind.items()]
    return sorted(found, key=lambda one: (one.found, one.auroc.mean))


def misses(records: Sequence[Record]) -> list[Mistake]:
    """Choose defective images that are missed, from every kind of defect in turn.

    Order: of one kind, those missed most often first, and of these the ones farthest below the threshold.
    """
    found = sorted(_mistakes(records, bad=True), key=lambda one: (-one.wrong / one.tested, one.margin))
    by_kind = [[one for one in found if one.kind == defect.name] for defect in defects(records)]
    in_turn = [one for row in zip_longest(*by_kind) for one in row if one is not None]
    return in_turn[:SHOWN]


def false_alarms(records: Sequence[Record]) -> list[Mistake]:
    """Give the good images that raise an alarm most often, and of these the ones farthest above the threshold."""
    found = _mistakes(records, bad=False)
    return sorted(found, key=lambda one: (-one.wrong / one.tested, -one.margin))[:SHOWN]


def _defect(kind: str, seen: Sequence[Seen], records: Sequence[Record]) -> Defect:
    sizes = [one.defect_share for one in seen if one.defect_share is not None]
    return Defect(
        name=kind,
        images=len({one.name for one in seen}),
        auroc=Spread.of([one.by_defect[kind] for one in records if kind in one.by_defect]),
        found=fmean(one.alarm for one in seen),
        hit=_share_hit(seen),
        missed_hit=_share_hit(one for one in seen if not one.alarm),
        size=median(sizes) if sizes else None,
    )


def _share_hit(seen: Iterable[Seen]) -> float | None:
    known = [one.on_defect for one in seen if one.on_defect is not None]
    return fmean(known) if known else None


def _mistakes(records: Sequence[Record], *, bad: bool) -> list[Mistake]:
    """Collect each image with all runs that tested it; good ones differ from seed to seed where the split is random."""
    tested: dict[str, list[tuple[Seen, Record]]] = defaultdict(list)
    for record in records:
        for seen in record.images:
            if seen.bad == bad:
                tested[seen.name].append((seen, record))
    pictures = {picture.name: picture for record in reversed(records) for picture in record.pictures}
    return [
        _mistake(runs, wrong, pictures.get(name))
        for name, runs in tested.items()
        if (wrong := [(seen, record) for seen, record in runs if seen.alarm != bad])
    ]


def _mistake(
    runs: Sequence[tuple[Seen, Record]], wrong: Sequence[tuple[Seen, Record]], picture: Picture | None
) -> Mistake:
    first = wrong[0][0]
    return Mistake(
        name=first.name,
        kind=first.kind,
        wrong=len(wrong),
        tested=len(runs),
        margin=fmean(seen.score / record.threshold - 1 if record.threshold else 0.0 for seen, record in wrong),
        score=fmean(seen.score for seen, _ in wrong),
        size=first.defect_share,
        on_defect=first.on_defect,
        picture=picture,
    )
