"""Many runs to few figures: mean over the seeds with its spread, category by category and over all."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from patchcore_plugin.benchmark.record import Record

FIGURES = {
    "image_auroc": "image AUROC",
    "average_precision": "image AP",
    "best_f1": "best F1",
    "pixel_auroc": "pixel AUROC",
    "pixel_average_precision": "pixel AP",
    "aupro_0.3": "AUPRO 0.3",
    "aupro_0.05": "AUPRO 0.05",
}


@dataclass(frozen=True)
class Spread:
    """A mean over runs and their standard deviation (n - 1); None for a single run."""

    mean: float
    deviation: float | None
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Take at least one value."""
        return cls(fmean(values), stdev(values) if len(values) > 1 else None, len(values))

    @property
    def in_percent(self) -> str:
        """As papers print it: ``97.90 ± 0.31``."""
        return f"{100 * self.mean:.2f}" + ("" if self.deviation is None else f" ± {100 * self.deviation:.2f}")


@dataclass(frozen=True)
class Summary:
    """All records of a benchmark; every (category, configuration, shots) has one for each seed."""

    records: tuple[Record, ...]

    @property
    def categories(self) -> tuple[str, ...]:
        """In the order they were run."""
        return tuple(dict.fromkeys(one.category for one in self.records))

    @property
    def configurations(self) -> tuple[str, ...]:
        """By name, in the order they were given."""
        return tuple(dict.fromkeys(one.configuration for one in self.records))

    @property
    def shots(self) -> tuple[int | None, ...]:
        """Numbers of images learned from; all (None) first, then from many to few."""
        return tuple(dict.fromkeys(one.shots for one in self.records))

    @property
    def seeds(self) -> tuple[int, ...]:
        """In the order they were given."""
        return tuple(dict.fromkeys(one.seed for one in self.records))

    @property
    def figures(self) -> dict[str, str]:
        """Titles of the figures that every run has, by name."""
        return {name: title for name, title in FIGURES.items() if all(name in one.figures for one in self.records)}

    def of(self, configuration: str, shots: int | None, category: str | None = None) -> tuple[Record, ...]:
        """Give the runs of a configuration that learned from so many images; of one category, or of all."""
        return tuple(
            one
            for one in self.records
            if (one.configuration, one.shots) == (configuration, shots) and category in (None, one.category)
        )

    def figure(self, name: str, configuration: str, shots: int | None, category: str | None = None) -> Spread:
        """Give a figure of a category; without one, the mean over the categories, and how that spreads over seeds."""
        return over_seeds(self.of(configuration, shots, category), lambda one: one.figures[name])

    def best(self, shots: int | None) -> str:
        """Name the configuration with the highest image AUROC over all categories; of equal ones the first."""
        return max(self.configurations, key=lambda name: self.figure("image_auroc", name, shots).mean)


def over_seeds(records: Iterable[Record], value: Callable[[Record], float]) -> Spread:
    """Average over the categories of each seed, then over the seeds."""
    by_seed: dict[int, list[float]] = defaultdict(list)
    for one in records:
        by_seed[one.seed].append(value(one))
    return Spread.of([fmean(values) for values in by_seed.values()])
