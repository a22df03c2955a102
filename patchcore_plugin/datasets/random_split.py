"""A seeded share of the good images to learn from, where nobody published a split."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from patchcore_plugin.datasets.content_hash import equal_files
from patchcore_plugin.datasets.overlap import require_one_meaning
from patchcore_plugin.datasets.split import GOOD, Split, TestImage
from patchcore_plugin.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FIT_SHARE = 0.8


def random_split(category: str, good: Sequence[Path], defective: Sequence[TestImage], seed: int) -> Split:
    """Learn from a random 80 % of the good images; test on the others and on all defective ones.

    Files with the same bytes go to the same side together, so that the share may be passed by a few.

    Order:  ``good`` in an order that does not depend on the machine; the answer keeps it, and so depends on the seed
            and the files alone.
    Raises: InputError when an image is both good and defective, or there are fewer than two different good ones.
    Cost:   as ``equal_files``.
    """
    require_one_meaning(category, [*((path, GOOD) for path in good), *((one.path, "defective") for one in defective)])
    groups = _alike(good)
    if len(groups) < 2:
        raise InputError(
            f"{category} has {len(good)} good image(s), {len(groups)} of them different, but one to learn from and one "
            "to test are the least. Add good images."
        )
    chosen = _chosen(groups, round(FIT_SHARE * len(good)), seed)
    tested = [TestImage(path, GOOD) for i, path in enumerate(good) if i not in chosen]
    return Split(category, tuple(good[i] for i in sorted(chosen)), (), (*tested, *defective))


def _alike(good: Sequence[Path]) -> list[tuple[int, ...]]:
    """Give the positions of each content, most of them alone, by first position."""
    shared = equal_files(good)
    taken = set(chain.from_iterable(shared))
    return sorted([*shared, *((i,) for i in range(len(good)) if i not in taken)])


def _chosen(groups: list[tuple[int, ...]], count: int, seed: int) -> set[int]:
    """Take groups at random until ``count`` images are there; at least one group is taken and one left."""
    chosen: set[int] = set()
    for i in np.random.default_rng(seed).permutation(len(groups))[:-1]:
        if chosen and len(chosen) >= count:
            break
        chosen.update(groups[i])
    return chosen
