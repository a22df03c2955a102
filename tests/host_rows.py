"""Rows and images for tests of hosts, both of real solar cells, and the parts that are put together."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from PIL import Image
from solar_cells import cells

from patchcore_plugin import PatchCore
from patchcore_plugin.images import iterate

EXACT = ("faiss-flat", "numba-exact", "numpy-exact", "pruned-exact", "torch-exact")
SAMPLERS = (
    "pruned-greedy", "amazon-greedy", "keep-all", "numba-greedy", "numpy-greedy", "projected-greedy", "random",
    "torch-greedy",
)  # fmt: skip
SIZE = 64


class Patches(NamedTuple):
    """Patch embeddings (N, D) of good cells and of defective ones."""

    good: np.ndarray
    defective: np.ndarray

    @property
    def all(self):
        return np.concatenate(self)


def pixels(path, mode="L"):
    """One photograph as an array."""
    with Image.open(path) as photograph:
        return np.asarray(photograph.convert(mode))


@cache
def cell_patches() -> Patches:
    """Every fourth patch of some cells at 64 px, read-only."""
    detector = PatchCore.from_config({"images": {"size": SIZE}})

    def patches(paths):
        (batch,) = iterate(paths, detector.settings.images, batch_size=len(paths))
        grid = np.asarray(detector.parts.embed(batch.pixels))
        rows = grid.reshape(-1, grid.shape[-1])[::4].copy()
        rows.flags.writeable = False
        return rows

    return Patches(patches(cells(0.0, 15)), patches(cells(1.0, 4)))
