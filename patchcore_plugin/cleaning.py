"""Good photographs that are least like the others: found, left out of the fit, and named, so that somebody looks.

A few defective parts among the good ones are remembered as good, and the greedy sampler seeks out their patches first
of all. So the photographs are halved, each half is scored against the bank of the other, and the highest scores go.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.bank_scorer import BankScorer
from patchcore_plugin.errors import ConfigError, NoImagesError
from patchcore_plugin.fitting import BATCH
from patchcore_plugin.memory_bank import MemoryBank, origins_of
from patchcore_plugin.scores import Scores

if TYPE_CHECKING:
    import numpy.typing as npt

    from patchcore_plugin.config import Settings
    from patchcore_plugin.good_images import GoodImages
    from patchcore_plugin.parts import Parts
    from patchcore_plugin.progress import Progress

FEWEST = 4  # two a half: with one, a bank would know a single photograph
LOOKING = "looking for photographs unlike the others"


class Cleaned(NamedTuple):
    """What is left to fit with, and the names of what is not, least like the others first."""

    good: GoodImages
    left_out: tuple[str, ...]


def require_cleanable(settings: Settings, images: int, *, on_disk: bool) -> None:
    """Refuse what cannot be cleaned before any image is read.

    Raises: ConfigError where embeddings wait on disk; NoImagesError for too few images.
    """
    if not settings.cleaning.drop:
        return
    if on_disk:
        raise ConfigError(
            f"cleaning.drop is {settings.cleaning.drop}, which compares photographs in memory, but memory.budget or "
            "a store keeps them on disk. Do without one of the two, or find the odd ones in a fit of fewer photographs."
        )
    if images < FEWEST:
        raise NoImagesError(
            f"cleaning.drop is {settings.cleaning.drop}, but {images} photograph(s) came and {FEWEST} are needed to "
            "compare them with each other. Give more, or set cleaning.drop=0."
        )


def cleaned(good: GoodImages, parts: Parts, settings: Settings, progress: Progress) -> Cleaned:
    """Leave out the share ``cleaning.drop`` of all images, put aside or not, that are least like the others.

    Order:  by image score, as new images are scored; equal scores by the order of the images.
    Raises: what the sampler and the search raise for half of the images.
    Cost:   half of the embeddings again in memory, two coresets of half the images, and a score for every image. What
            is left stands where it stood: the embeddings are moved together, not copied.
    """
    total = len(good.names) + len(good.held_out_names)
    count = min(round(settings.cleaning.drop * total), len(good.names) - 1)  # one to choose from stays in any case
    if not count:
        return Cleaned(good, ())
    scores = _cross_scores(good, parts, settings, progress)
    worst = np.argsort(-scores, kind="stable")[:count]
    named = (*good.names, *good.held_out_names)
    stay = np.ones(total, dtype=bool)
    stay[worst] = False
    inside, aside = np.split(stay, [len(good.names)])
    kept = replace(
        good,
        embeddings=_moved_together(good.embeddings, inside),
        held_out=_moved_together(good.held_out, aside),
        names=_those(good.names, inside),
        held_out_names=_those(good.held_out_names, aside),
    )
    return Cleaned(kept, tuple(named[number] for number in worst))


def _cross_scores(good: GoodImages, parts: Parts, settings: Settings, progress: Progress) -> npt.NDArray[np.float64]:
    """Score each image, as it came, against a bank that never saw it, mirrored or not: (images + put aside,)."""
    grids = _grids(good.embeddings, good, 1 + len(good.flips))
    aside = _grids(good.held_out, good, 1)
    halves = np.array_split(np.random.default_rng(settings.cleaning.seed).permutation(len(grids)), 2)
    scores = np.empty(len(grids) + len(aside))
    for number, (known, asked) in enumerate((halves, halves[::-1])):
        progress(LOOKING, number, 2)
        scorer = _scorer(grids[np.sort(known)], good.flips, parts, settings)
        asked = np.sort(asked)
        scores[asked] = _image_scores(scorer, grids, asked)
        if number == 0 and len(aside):
            scores[len(grids) :] = _image_scores(scorer, aside, np.arange(len(aside)))
    progress(LOOKING, 2, 2)
    return scores


def _grids(embeddings: Any, good: GoodImages, pictures: int) -> Any:
    return embeddings.reshape(-1, pictures, *good.grid, good.embeddings.shape[1])


def _scorer(grids: Any, flips: tuple[str, ...], parts: Parts, settings: Settings) -> BankScorer:
    rows_of_all = grids.reshape(-1, grids.shape[-1])
    rows, _ = parts.select(rows_of_all, lambda *_: None)
    bank = as_numpy(rows_of_all[rows]).astype(settings.scoring.bank_dtype, copy=False)
    names, grid = tuple(map(str, range(len(grids)))), (int(grids.shape[2]), int(grids.shape[3]))
    origins = origins_of(rows, len(grids), grid, flips)
    return BankScorer.build(MemoryBank(bank, origins, names, grid, {}), parts.neighbors, settings)


def _image_scores(scorer: BankScorer, grids: Any, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    found = []
    for start in range(0, len(numbers), BATCH):
        few = numbers[start : start + BATCH]
        found.append(scorer.score(grids[few, 0], [""] * len(few), [scorer.settings.images.size] * len(few)))
    return Scores.join(found).image


def _moved_together(embeddings: Any, stay: npt.NDArray[np.bool_]) -> Any:
    """Move the images that stay to the front of their array, in order, and give a view of them."""
    if not len(stay) or stay.all():
        return embeddings
    cells = len(embeddings) // len(stay)
    kept = np.flatnonzero(stay)
    for place, number in enumerate(kept.tolist()):
        if place != number:
            embeddings[place * cells : (place + 1) * cells] = embeddings[number * cells : (number + 1) * cells]
    return embeddings[: len(kept) * cells]


def _those(names: tuple[str, ...], stay: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(name for name, one in zip(names, stay, strict=True) if one)
