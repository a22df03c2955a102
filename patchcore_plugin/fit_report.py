"""What a fit did and how long each stage took, for people and for programs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from patchcore_plugin.good_images import GoodImages
    from patchcore_plugin.memory_bank import MemoryBank

EMBEDDING, CLEANING, CHOOSING, CALIBRATING = "embedding", "cleaning", "choosing", "calibrating"


class Stopwatch:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time a stage."""
        started = time.perf_counter()
        yield
        self.seconds[stage] = time.perf_counter() - started


@dataclass(frozen=True)
class FitReport:
    """A finished fit.

    Units: ``seconds`` of wall time by stage. ``images`` and ``resumed`` count images; those that an earlier,
           interrupted fit had embedded were resumed. ``sampler_facts`` and ``search_facts`` are in the sampler's and
           the search index's own words (batches, radius ...; recall ...), empty where they tell nothing.
           ``left_out`` names the images that ``cleaning.drop`` left out, least like the others first; ``flips`` how
           the images to choose from were mirrored: ``rows`` counts those pictures too, ``images`` does not.
    """

    images: int
    held_out: int
    resumed: int
    rows: int
    width: int
    bank_rows: int
    seconds: Mapping[str, float]
    sampler_facts: Mapping[str, Any] = field(default_factory=dict)
    search_facts: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    flips: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        good: GoodImages,
        bank: MemoryBank,
        resumed: int,
        left_out: tuple[str, ...],
        seconds: Mapping[str, float],
        sampler_facts: Mapping[str, Any],
    ) -> FitReport:
        """Collect what is known when a fit is done."""
        rows, width = good.embeddings.shape
        images, aside = len(good.names), len(good.held_out_names)
        facts = (sampler_facts, bank.search_facts)
        return cls(images, aside, resumed, rows, width, len(bank), seconds, *facts, left_out, good.flips)

    def in_words(self) -> list[str]:
        """Say it in lines for a terminal."""
        stages = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in self.seconds.items())
        images = f"{self.images} images{' and their mirrored ones' if self.flips else ''}"
        lines = [f"{self.rows:,} patches of {images}, {self.width} values each: {self.bank_rows:,} remembered"]
        if self.resumed:
            lines.append(f"{self.resumed} images were embedded by an earlier run already")
        if self.left_out:
            lines.append(f"{len(self.left_out)} images left out as least like the others, look at them:")
            lines += [f"  {name}" for name in self.left_out]
        lines += [
            f"  {name.replace('_', ' '):<26} {_told(value)}"
            for name, value in (*self.sampler_facts.items(), *self.search_facts.items())
            if name != "rows"
        ]
        return [*lines, f"time: {stages}"]


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_told(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_told(one) for one in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
