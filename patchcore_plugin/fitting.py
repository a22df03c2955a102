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
    from patchcore_plugin.images import ImageSource
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


def embed_good_images(
    source: ImageSource, parts: Parts, settings: CalibrationSettings, progress: Progress
) -> GoodImages:
    """Embed every image once.

    Remembered images fill one array from the front and held-out ones from the back, so that no second copy of all
    embeddings is ever made.
    """
    aside = set(numbers_held_out(len(source), settings).tolist())
    names: tuple[list[str], list[str]] = ([], [])
    store, front, back = np.empty((0, 1, 1, 1), np.float32), 0, len(source)
    for batch in source:
        patches = parts.embed(batch.pixels)
        if not store.size:
            store = np.empty((len(source), *patches.shape[1:]), np.float32)
        for number, name, grid in zip(batch.indexes, batch.names, patches, strict=True):
            if number in aside:
                back -= 1
                store[back] = grid
                names[1].append(name)
            else:
                store[front] = grid
                names[0].append(name)
                front += 1
        progress("reading good images", batch.indexes[-1] + 1, len(source))
    if not front:
        raise NoImagesError(
            f"none of the {len(source)} images could be used to fit: {len(source.skipped)} were skipped as unreadable. "
            "Point to a folder of images of good parts."
        )
    return GoodImages(store[:front], store[back:], tuple(names[0]), tuple(names[1]))
