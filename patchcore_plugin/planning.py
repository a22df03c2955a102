"""What a fit will need, told before it begins: sizes by arithmetic, times measured on a few of the images."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from patchcore_plugin.byte_sizes import in_words
from patchcore_plugin.disk_space import MARGIN, free_bytes
from patchcore_plugin.errors import ConfigError
from patchcore_plugin.fit_report import CALIBRATING, CHOOSING, EMBEDDING
from patchcore_plugin.fit_sizes import FitSizes
from patchcore_plugin.fitting import images_a_step
from patchcore_plugin.flips import pictures_of
from patchcore_plugin.images import iterate
from patchcore_plugin.memory_budget import Budget, available_bytes, resident_bytes
from patchcore_plugin.progress import Progress, duration, silent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from patchcore_plugin.arrays import Embeddings
    from patchcore_plugin.contracts import NeighborSearch
    from patchcore_plugin.detector import PatchCore

SAMPLE_ROWS = 20_000  # patches that the measuring runs are made on: seconds of work, and more than a cache holds
_LEAST_IMAGES = 4
_SHORT = 0.5  # seconds
_FLATTEST, _STEEPEST = 1.5, 2.0  # powers of the rows with which a sampler's time grows
_T = TypeVar("_T")
MEASURING = "measuring on a few images"


@dataclass(frozen=True)
class Plan:
    """What a fit will need.

    Units: bytes; seconds of wall time by stage. ``bank_rows`` is scaled up from the sample where the sampler does not
           know beforehand. ``memory`` is what the process will hold; ``available`` is None where the system does not
           say. ``store`` is the folder of the embeddings, None when they stay in memory.
    """

    sizes: FitSizes
    bank_rows: int
    sampler: str
    memory: int
    available: int | None
    store: Path | None
    disk_free: int
    seconds: dict[str, float]
    sample_images: int
    sample_rows: int
    warnings: tuple[str, ...]

    def in_words(self) -> list[str]:
        """Say it in lines for a terminal; what is a guess is called one."""
        sizes, times = self.sizes, {stage: duration(seconds) for stage, seconds in self.seconds.items()}
        where = f"on disk in {self.store} ({in_words(self.disk_free)} free)" if self.store else "in memory"
        if self.store and sizes.scratch_bytes:
            where += f", and {in_words(sizes.scratch_bytes)} beside them while choosing"
        there = "" if self.available is None else f", {in_words(self.available)} available"
        bank = in_words(sizes.bank_bytes(self.bank_rows))
        mirrored = "" if sizes.pictures == 1 else f" (and {sizes.images * (sizes.pictures - 1):,} mirrored)"
        lines = {
            "images": f"{sizes.images:,} to choose from{mirrored}, {sizes.held_out:,} put aside to calibrate",
            "patches": f"{sizes.rows:,} rows of {sizes.width} values",
            "embeddings": f"{in_words(sizes.embedding_bytes)}, {where}",
            "memory bank": f"{'' if sizes.bank_rows else 'about '}{self.bank_rows:,} rows, {bank} in the model's file",
            "memory": f"{in_words(self.memory)} for the whole process{there}",
            "embedding": f"about {times[EMBEDDING]}, measured on {self.sample_images} images",
            "choosing": f"{times[CHOOSING]} at a guess, from {self.sample_rows:,} rows: {self.sampler} may surprise",
            "calibrating": f"about {times[CALIBRATING]}",
        }
        return [f"{name:<12} {text}" for name, text in lines.items()] + [f"Warning: {text}" for text in self.warnings]


def plan_fit(
    images: Any, detector: PatchCore, *, model: Path, store: Path | None = None, progress: Progress = silent
) -> Plan:
    """Say what ``detector.fit(images)`` will need; nothing is kept.

    Raises: NoImagesError, ImageError for one of the images that is measured on.
    Cost:   seconds: compiling where that was not done yet, and a few images and runs of the sampler.
    """
    settings, parts = detector.settings, detector.parts
    source = iterate(images, settings.images, batch_size=images_a_step(settings))
    detector.warm_up(progress=progress)
    sizes = FitSizes.of(source.image_count, parts, settings)
    progress(MEASURING, 0, 3)
    sample, per_image = _embedded_sample(source.items, detector, sizes)
    progress(MEASURING, 1, 3)
    chosen, choosing = _chosen_sample(sample, detector, sizes)
    progress(MEASURING, 2, 3)
    bank_rows = sizes.bank_rows or round(len(chosen) / len(sample) * sizes.rows)
    patches = sizes.grid[0] * sizes.grid[1]
    searching = _searching(sample, bank_rows, patches, parts.neighbors)
    progress(MEASURING, 3, 3)
    memory = _memory(sizes, bank_rows, settings.memory.budget)
    available = available_bytes()
    return Plan(
        sizes=sizes,
        bank_rows=bank_rows,
        sampler=settings.sampler.name,
        memory=memory,
        available=available,
        store=store,
        disk_free=free_bytes(store or model),
        seconds={
            EMBEDDING: per_image * (sizes.images + sizes.held_out / sizes.pictures),  # these are not mirrored
            CHOOSING: choosing,
            CALIBRATING: searching * sizes.held_out,
        },
        sample_images=len(sample) // (patches * sizes.pictures),
        sample_rows=len(sample),
        warnings=tuple(_warnings(detector, sizes, bank_rows, memory, available, model, store)),
    )


def _embedded_sample(items: list[Any], detector: PatchCore, sizes: FitSizes) -> tuple[Embeddings, float]:
    """Embed images spread over the whole source, with their mirrored pictures.

    Returns their rows, and the seconds that one image with these takes, reading included.
    """
    settings = detector.settings
    count = max(_LEAST_IMAGES, math.ceil(SAMPLE_ROWS / (sizes.pictures * sizes.grid[0] * sizes.grid[1])))
    few = [items[i] for i in sorted(set(np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)))]
    started = time.perf_counter()
    batches = iterate(few, settings.images, batch_size=images_a_step(settings))
    pictures = (pictures_of(batch.pixels, batch.indexes, settings.images.flips)[0] for batch in batches)
    patches = np.concatenate([detector.parts.embed(pixels) for pixels in pictures])
    return patches.reshape(-1, sizes.width), (time.perf_counter() - started) / len(few)


def _chosen_sample(sample: Embeddings, detector: PatchCore, sizes: FitSizes) -> tuple[Any, float]:
    """Choose from the sample and from a quarter of it; return the rows, and the seconds that all rows will take.

    The time is taken to grow as a power of the rows, the one that the two runs show, but at least 1.5: small runs hide
    growth behind what every run costs. Seen on real features from 20,000 to 7,000,000 rows: 1.5 to 1.9.
    """
    quarter = sample[: max(1, len(sample) // 4)]
    _, short = _timed(lambda: _choose(quarter, detector, sizes))
    chosen, long = _timed(lambda: _choose(sample, detector, sizes))
    power = math.log(long / short) / math.log(max(2.0, len(sample) / len(quarter)))
    return chosen, long * (sizes.rows / len(sample)) ** min(_STEEPEST, max(_FLATTEST, power))


def _choose(rows: Embeddings, detector: PatchCore, sizes: FitSizes) -> Any:
    """Choose as many of a few rows, in proportion, as will be chosen of all."""
    sampler: Any = detector.parts.sampler
    if sizes.bank_rows and hasattr(sampler, "__dataclass_fields__") and hasattr(sampler, "count"):
        targets = {name: None for name in ("count", "megabytes") if hasattr(sampler, name)}
        sampler = replace(sampler, **{**targets, "count": max(1, sizes.bank_rows * len(rows) // sizes.rows)})
    return replace(detector.parts, sampler=sampler).select(rows, lambda *_: None)[0]


def _searching(sample: Embeddings, bank_rows: int, patches: int, neighbors: NeighborSearch) -> float:
    """Seconds to search for one image's patches: in a bank as large as the sample allows, scaled up from there."""
    rows = np.random.default_rng(0).permutation(len(sample))[:bank_rows]  # a few chosen rows would be timed by overhead
    index = neighbors.build(sample[np.sort(rows)])
    _, seconds = _timed(lambda: index.query(sample[:patches], k=1))
    return seconds * bank_rows / len(rows)


def _timed(work: Callable[[], _T]) -> tuple[_T, float]:
    """Do some work and say how long it took: short work twice, since whatever else runs then weighs more."""
    times: list[float] = []
    while not times or (len(times) < 2 and times[0] < _SHORT):
        started = time.perf_counter()
        result = work()
        times.append(max(1e-6, time.perf_counter() - started))
    return result, min(times)


def _memory(sizes: FitSizes, bank_rows: int, budget: int | None) -> int:
    """Bytes the process will hold at most: the budget, or all embeddings with the bank and the search's copy of it."""
    if budget is not None:
        return budget
    return resident_bytes() + sizes.embedding_bytes + 2 * bank_rows * sizes.width * 4


def _warnings(
    detector: PatchCore,
    sizes: FitSizes,
    bank_rows: int,
    memory: int,
    available: int | None,
    model: Path,
    store: Path | None,
) -> list[str]:
    found = []
    settings = detector.settings
    if available is not None and memory - resident_bytes() > available:
        found.append(
            f"this will not fit in memory: {in_words(memory)} against {in_words(available)} available. "
            f'Set memory.budget, for example --set memory.budget="{in_words(max(available // 2, 2**30))}".'
        )
    try:
        Budget(settings.memory.budget).require_fit(detector.parts.sampler, settings.sampler.name, sizes)
    except ConfigError as problem:
        found.append(str(problem))
    disk = MARGIN + sizes.bank_bytes(bank_rows) + (sizes.disk_bytes if store else 0)
    if disk > free_bytes(store or model):
        found.append(f"the disk is too small: {in_words(disk)} are needed with a margin. Free some space.")
    return found
