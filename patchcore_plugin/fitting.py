"""The first half of a fit: good images to patch embeddings, with some images put aside to calibrate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from patchcore_plugin.errors import NoImagesError

if TYPE_CHECKING:
    import numpy.typing as npt

    from patchcore_plugin.arrays import Embeddings, PatchGrid
    from patchcore_plugin.config import CalibrationSettings
    from patchcore_plugin.images import Batches
    from patchcore_plugin.parts import Parts
    from patchcore_plugin.progress import Progress


@dataclass(frozen=True)
class GoodImages:
    """Patch embeddings of the images to remember, (n, h, w, D), and of those put aside, (n', h, w, D)."""

    remembered: PatchGrid
    held_out: PatchGrid
    names: tuple[str, ...]
    held_out_names: tuple[str, ...]

    @property
    def grid(self) -> tuple[int, int]:
        """The patch grid (h, w)."""
        return self.remembered.shape[1], self.remembered.shape[2]

    @property
    def embeddings(self) -> Embeddings:
        """All patches to remember as rows, (N, D); a view."""
        return self.remembered.reshape(-1, self.remembered.shape[-1])


def numbers_held_out(total: int, settings: CalibrationSettings) -> npt.NDArray[np.int64]:
    """Choose which of ``total`` images only calibrate: a seeded random share, never all of them."""
    count = min(round(settings.holdout * total), total - 1)
    return np.sort(np.random.default_rng(settings.seed).permutation(total)[: max(0, count)])


def embed_good_images(source: Batches, parts: Parts, settings: CalibrationSettings, progress: Progress) -> GoodImages:
    """Embed every image once.

    Remembered images fill one array from the front and held-out ones from the back, so that no second copy of all
    embeddings is ever made.
    """
    total = source.image_count
    aside = set(numbers_held_out(total, settings).tolist())
    store: PatchGrid | None = None
    remembered: list[str] = []
    held_out: list[str] = []
    for batch in source:
        patches = parts.embed(batch.pixels)
        if store is None:
            store = np.empty((total, *patches.shape[1:]), np.float32)
        for number, name, grid in zip(batch.indexes.tolist(), batch.names, patches, strict=True):
            if number in aside:
                held_out.append(name)
                store[total - len(held_out)] = grid
            else:
                store[len(remembered)] = grid
                remembered.append(name)
        progress("reading good images", int(batch.indexes[-1]) + 1, total)
    if store is None or not remembered:
        raise NoImagesError(
            f"none of the {total} images could be used to fit: {len(source.skipped)} were skipped as unreadable. "
            "Point to a folder of images of good parts."
        )
    aside_from = total - len(held_out)
    return GoodImages(store[: len(remembered)], store[aside_from:], tuple(remembered), tuple(reversed(held_out)))
