"""The first half of a fit: good images to patch embeddings, with some images put aside to calibrate."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from patchcore_plugin.errors import NoImagesError
from patchcore_plugin.fit_sizes import FitSizes, numbers_held_out
from patchcore_plugin.flips import pictures_of
from patchcore_plugin.good_images import GoodImages, InMemory, Shelf
from patchcore_plugin.memory_budget import Budget

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from patchcore_plugin.config import Settings
    from patchcore_plugin.images import Batches
    from patchcore_plugin.parts import Parts
    from patchcore_plugin.progress import Progress

BATCH = 16  # images a step: enough to keep every core busy, few enough to stay in tens of megabytes
READING = "reading good images"


def images_a_step(settings: Settings) -> int:
    """Say how many good images are read at a time, so that with their mirrored pictures they make one batch."""
    return max(1, BATCH // (1 + len(settings.images.flips)))


@contextmanager
def open_shelf(
    source: Batches, parts: Parts, settings: Settings, folder: str | os.PathLike[str] | None, skip_unreadable: bool
) -> Iterator[Shelf]:
    """Open the place where embeddings wait for the sampler: memory, or a folder where that is named or needed.

    A folder that is named is kept, so that the fit can be resumed; without one, a budget makes a temporary folder.

    Raises: ConfigError, OutputError, StoreError: the sampler cannot work within the budget, the disk is too small, the
            folder belongs to another fit. No image has been read then.
    """
    aside = frozenset(numbers_held_out(source.image_count, settings.calibration).tolist())
    if settings.memory.budget is None and folder is None:
        yield InMemory(source.names, aside, settings.images.flips)
        return
    from patchcore_plugin.fit_store import FitStore
    from patchcore_plugin.store_manifest import Manifest, deciding_settings, image_stamps

    sizes = FitSizes.of(source.image_count, parts, settings)
    Budget(settings.memory.budget).require_fit(parts.sampler, settings.sampler.name, sizes)
    images = image_stamps(source.items, source.names)
    made_from = deciding_settings(settings, parts, images_a_step(settings))
    manifest = Manifest(made_from, images, sizes.grid, sizes.width)
    flips, scratch = settings.images.flips, sizes.scratch_bytes
    with (
        _folder(folder) as place,
        FitStore(place, manifest, aside, flips=flips, skip_unreadable=skip_unreadable, scratch_bytes=scratch) as store,
    ):
        yield store


@contextmanager
def _folder(named: str | os.PathLike[str] | None) -> Iterator[Path]:
    if named is not None:
        yield Path(named)
        return
    with TemporaryDirectory(prefix="patchcore-fit-") as temporary:
        yield Path(temporary)


def embed_good_images(source: Batches, parts: Parts, shelf: Shelf, progress: Progress) -> GoodImages:
    """Embed every image that is not on the shelf yet, with its mirrored pictures, and put all of them there.

    Raises: NoImagesError when no image is left to choose from.
    """
    total = source.image_count
    progress(READING, shelf.first, total)
    for batch in source.beginning_at(shelf.first):
        pixels, numbers = pictures_of(batch.pixels, batch.indexes, shelf.flips, shelf.aside)
        shelf.add(numbers, parts.embed(pixels))
        progress(READING, int(batch.indexes[-1]) + 1, total)
    good = shelf.good_images()
    if not good.names:
        raise NoImagesError(
            f"none of the {total} images could be used to fit: {len(source.skipped)} were skipped as unreadable. "
            "Point to a folder of images of good parts."
        )
    return good
