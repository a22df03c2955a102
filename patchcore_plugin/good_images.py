"""Embedded good images on their way to the sampler, and the plain place to keep them: memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from patchcore_plugin.arrays import room_like
from patchcore_plugin.errors import NoImagesError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from patchcore_plugin.arrays import Embeddings, PatchGrid, Rows
    from patchcore_plugin.embedding_store import EmbeddingStore


@dataclass(frozen=True)
class GoodImages:
    """Patch embeddings of the images to choose from, (N, D), and of those put aside, image after image.

    Both are arrays, or both are ``EmbeddingStore``; rows follow the order of the names, each image's grid row by row.
    Behind each image to choose from stand its mirrored pictures, one for each of ``flips``; N counts them too.
    """

    embeddings: Embeddings | EmbeddingStore
    held_out: Embeddings | EmbeddingStore
    names: tuple[str, ...]
    held_out_names: tuple[str, ...]
    grid: tuple[int, int]
    flips: tuple[str, ...] = ()

    def held_out_batches(self, size: int) -> Iterator[tuple[PatchGrid, tuple[str, ...]]]:
        """Yield the images put aside, ``size`` at a time: patches (B, h, w, D) and names."""
        h, w = self.grid
        for start in range(0, len(self.held_out_names), size):
            names = self.held_out_names[start : start + size]
            rows: Any = self.held_out[start * h * w : (start + len(names)) * h * w]
            yield rows.reshape(len(names), h, w, -1), names


class Shelf(Protocol):
    """Where embeddings wait until all images are read."""

    first: int  # the number of the image to go on with; those before it are there already
    aside: frozenset[int]  # numbers of the images that only calibrate
    flips: tuple[str, ...]  # how all others come once more, right behind themselves

    def add(self, numbers: Rows, patches: PatchGrid) -> None:
        """Take the embeddings (P, h, w, D) of all pictures of the images with these ascending numbers.

        A number stands there once for each picture of the image, as ``flips.pictures_of`` gives them.
        """

    def good_images(self) -> GoodImages:
        """Give what was taken, when no image follows."""


class InMemory:
    """One array for all pictures: those to choose from stand in front, those put aside behind.

    So no second copy of the embeddings is ever made, whichever images turn out to be unreadable. Tensors stay on their
    device.
    """

    def __init__(self, names: Sequence[str], aside: frozenset[int], flips: tuple[str, ...] = ()) -> None:
        self.first, self.aside, self.flips = 0, aside, flips
        self._names = names
        self._array: PatchGrid | None = None
        self._seen: list[int] = []  # the image that each picture shows
        self._put_aside: list[int] = []

    @property
    def _behind(self) -> int:
        """Where the images put aside begin."""
        return (len(self._names) - len(self.aside)) * (1 + len(self.flips))

    def add(self, numbers: Rows, patches: PatchGrid) -> None:
        """Copy a batch into the array."""
        if self._array is None:
            shape = (self._behind + len(self.aside), *patches.shape[1:])
            self._array = room_like(patches, shape, np.float32)
        for number, grid in zip(numbers.tolist(), patches, strict=True):
            start, taken = (self._behind, self._put_aside) if number in self.aside else (0, self._seen)
            self._array[start + len(taken)] = grid
            taken.append(number)

    def good_images(self) -> GoodImages:
        """Give both parts of the array, as views."""
        if self._array is None:
            raise NoImagesError("no image came in at all. Point to a folder of images of good parts.")
        _, h, w, width = self._array.shape
        return GoodImages(
            self._array[: len(self._seen)].reshape(-1, width),
            self._array[self._behind : self._behind + len(self._put_aside)].reshape(-1, width),
            tuple(self._names[number] for number in dict.fromkeys(self._seen)),
            tuple(self._names[number] for number in self._put_aside),
            (h, w),
            self.flips,
        )
