"""All runs of a benchmark in turn: finished ones are taken from the ledger, the others are done and kept."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from patchcore_plugin.benchmark.features import Features
from patchcore_plugin.benchmark.ledger import Ledger, identity_of
from patchcore_plugin.benchmark.runs import carry_out
from patchcore_plugin.benchmark.time_left import RunTimes
from patchcore_plugin.datasets.split import GOOD
from patchcore_plugin.errors import ImageError
from patchcore_plugin.parts import create_parts
from patchcore_plugin.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from patchcore_plugin.benchmark.protocol import Protocol, Run
    from patchcore_plugin.benchmark.record import Record
    from patchcore_plugin.datasets.split import Split
    from patchcore_plugin.parts import Parts

LISTING = "listing images"


@dataclass(frozen=True)
class Planned:
    """A run with its images, all that decides it, and what it left behind if it was done before."""

    run: Run
    split: Split
    identity: dict[str, Any]
    record: Record | None

    @property
    def kind(self) -> tuple[str, str, int | None]:
        """What runs are alike in, as far as their time goes."""
        return self.run.category, self.run.configuration.name, self.run.shots


class Step(NamedTuple):
    """A run that is finished: its place among all, its record, whether it was done before, and the time left."""

    number: int
    total: int
    run: Run
    record: Record
    kept: bool
    left: str


def plan(protocol: Protocol, ledger: Ledger, progress: Progress = silent) -> list[Planned]:
    """List the images of every run and see which runs are finished.

    Raises: StoreError for a finished run of other conditions, ConfigError for too few images, ImageError for a missing
            mask: each before anything is computed.
    """
    runs, parts, splits = list(protocol.runs()), {}, {}
    planned = []
    for number, run in enumerate(runs, 1):
        name, images = (run.configuration.name, run.seed), (run.category, run.shots, run.seed)
        if name not in parts:
            parts[name] = create_parts(run.configuration.for_seed(run.seed))
        if images not in splits:
            splits[images] = _checked(protocol.split(run), pixels=protocol.pixels)
        planned.append(_planned(run, protocol, ledger, splits[images], parts[name]))
        progress(LISTING, number, len(runs))
    return planned


def carry_out_all(
    planned: list[Planned],
    protocol: Protocol,
    ledger: Ledger,
    *,
    keep_features: int,
    bars: Callable[[Run], AbstractContextManager[Progress]],
) -> Iterator[Step]:
    """Do what is not done yet, and yield every run in order as it is finished.

    Args:   keep_features: bytes of disk for the features of one category and configuration; 0: none are kept.
            bars: gives what listens to one run.
    Raises: whatever a run raises; those before it are kept.
    """
    times, done = RunTimes(), 0
    for one in planned:
        if one.record is not None:
            times.note(one.kind, one.record.wall_seconds)
    for _, group in groupby(planned, key=lambda one: (one.run.category, one.run.configuration.name)):
        with Features(ledger.folder, keep_features) as features:
            for one in group:
                record = one.record or _done(one, protocol, features, bars)
                if one.record is None:
                    ledger.add(record)
                    times.note(one.kind, record.wall_seconds)
                done += 1
                left = times.in_words([other.kind for other in planned[done:] if other.record is None])
                yield Step(done, len(planned), one.run, record, one.record is not None, left)


def _done(
    one: Planned, protocol: Protocol, features: Features, bars: Callable[[Run], AbstractContextManager[Progress]]
) -> Record:
    with bars(one.run) as progress:
        return carry_out(
            one.run,
            one.split,
            one.identity,
            root=protocol.dataset.root,
            pixels=protocol.pixels,
            features=features,
            progress=progress,
        )


def _planned(run: Run, protocol: Protocol, ledger: Ledger, split: Split, parts: Parts) -> Planned:
    identity = identity_of(run, protocol, split, parts)
    return Planned(run, split, identity, ledger.find(identity))


def _checked(split: Split, *, pixels: bool) -> Split:
    for one in split.test if pixels else ():
        if one.kind != GOOD and not one.masks:
            raise ImageError(
                f"{one.path} is defective ({one.kind}) but has no mask, so its pixels cannot be compared. "
                "Add the mask, or leave pixel figures out: --no-pixels."
            )
    return split


def kept_runs(folder: Path) -> Path:
    """Say where the finished runs of a benchmark's folder stand."""
    return folder / "runs"
