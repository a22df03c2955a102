"""Images in, batches of pixels out: one way for folders, paths and arrays alike."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from patchcore_plugin.arrays import Pixels, as_numpy
from patchcore_plugin.errors import ConfigError, EmptyInputError, ImageError, InputError, NoImagesError, ShapeError
from patchcore_plugin.image_files import SUFFIXES, find_images
from patchcore_plugin.image_preparing import CropBox, ImageSettings, crop_box, prepare, put_back
from patchcore_plugin.image_reading import Picture, pillow_to_array, read_image

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from concurrent.futures import Future

__all__ = [
    "SUFFIXES",
    "Batch",
    "Batches",
    "CropBox",
    "ImageSettings",
    "Skipped",
    "crop_box",
    "find_images",
    "iterate",
    "load",
    "prepare",
    "put_back",
    "read_image",
]

_log = logging.getLogger(__name__)
_PATH = (str, os.PathLike)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Some consecutive images, ready for the network.

    Shapes: pixels float32 (B, 3, H, W); names B; sizes B times (H, W) as the image came; indexes int64 (B,), each
            image's place in the source.
    """

    pixels: Pixels
    names: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    indexes: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Skipped:
    """An image that could not be read and was left out, because that was asked for."""

    index: int
    name: str
    reason: str


def iterate(
    source: Any, settings: ImageSettings, *, batch_size: int, skip_unreadable: bool = False, threads: int = 2
) -> Batches:
    """Find the images of a source; read and prepare them, batch by batch, when the answer is iterated.

    A source is a folder, a path, an array, or an iterable of paths, arrays and Pillow images. An array of three axes is
    one colour image when its last axis has 3 values, and otherwise a stack (B, H, W) of gray images; four axes are a
    stack (B, H, W, 1 or 3). In an iterable every element is one image, or a folder of them.

    Order:  the source's; a folder's by natural path order.
    Raises: NoImagesError at once for nothing found; while iterating, ImageError or another InputError that names the
            image. With ``skip_unreadable`` such images are collected in ``skipped`` instead; NoImagesError when none is
            left.
    Cost:   at most ``batch_size`` + 2 * ``threads`` + 1 prepared images in memory.
    """
    if batch_size < 1 or threads < 1:
        raise ConfigError(
            f"batch_size is {batch_size} and threads is {threads}, but both have to be at least 1. Raise them."
        )
    return Batches(_items(source), settings, batch_size, skip_unreadable, threads)


def load(item: Any, name: str = "image") -> Picture:
    """Give one element of a source as an array: a path is read, a Pillow image converted, an array taken as it is."""
    if isinstance(item, _PATH):
        return read_image(item)
    return pillow_to_array(item, name) if isinstance(item, Image.Image) else as_numpy(item, name)


class Batches:
    """Batches of a source, read ahead by a few threads; may be iterated again, which reads again.

    ``items`` are the paths or arrays found, ``names`` what to call them; ``skipped`` fills while iterating.
    """

    def __init__(
        self, items: list[Any], settings: ImageSettings, batch_size: int, skip_unreadable: bool, threads: int
    ) -> None:
        self.items = items
        self.names = tuple(str(item) if isinstance(item, _PATH) else f"image {i}" for i, item in enumerate(items))
        self.skipped: list[Skipped] = []
        self._settings = settings
        self._batch_size = batch_size
        self._skip_unreadable = skip_unreadable
        self._threads = threads
        self._first = 0

    def beginning_at(self, first: int) -> Batches:
        """Return the same source without its first images; names, indexes and ``image_count`` stay as they are."""
        rest = Batches(self.items, self._settings, self._batch_size, self._skip_unreadable, self._threads)
        rest._first = first
        return rest

    @property
    def image_count(self) -> int:
        """Images found, those included that will turn out to be unreadable."""
        return len(self.items)

    def __iter__(self) -> Iterator[Batch]:
        self.skipped.clear()
        prepared = self._prepared()
        try:
            while group := list(islice(prepared, self._batch_size)):
                yield _batch(group, self.names)
        finally:
            prepared.close()  # stops the threads now, also when the caller breaks off
        if len(self.skipped) == len(self.items):
            first = self.skipped[0]
            raise NoImagesError(f"none of the {len(self.items)} image(s) could be read; the first: {first.reason}")

    def _prepared(self) -> Generator[_Prepared, None, None]:
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="patchcore-images")
        waiting: deque[tuple[int, Future[_Prepared]]] = deque()
        numbers = iter(range(self._first, len(self.items)))
        try:
            while True:
                for number in islice(numbers, 2 * self._threads - len(waiting)):
                    waiting.append((number, pool.submit(self._prepare, number)))
                if not waiting:
                    return
                index, future = waiting.popleft()
                if (prepared := self._result(index, future)) is not None:
                    yield prepared
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _prepare(self, index: int) -> _Prepared:
        name = self.names[index]
        image = load(self.items[index], name)
        pixels = prepare(image, self._settings, name)
        return _Prepared(index, pixels, (int(image.shape[0]), int(image.shape[1])))

    def _result(self, index: int, future: Future[_Prepared]) -> _Prepared | None:
        try:
            return future.result()
        except ConfigError:  # a setting is wrong for all images, not this image for the settings
            raise
        except InputError as problem:
            if not self._skip_unreadable:
                raise
            self.skipped.append(Skipped(index, self.names[index], str(problem)))
            _log.warning("skipped: %s", problem)
            return None


@dataclass(frozen=True)
class _Prepared:
    index: int
    pixels: Pixels
    size: tuple[int, int]


def _batch(group: list[_Prepared], names: tuple[str, ...]) -> Batch:
    return Batch(
        pixels=np.stack([one.pixels for one in group]),
        names=tuple(names[one.index] for one in group),
        sizes=tuple(one.size for one in group),
        indexes=np.array([one.index for one in group], dtype=np.int64),
    )


def _items(source: Any) -> list[Any]:
    """Split a source into single images, none of them read yet."""
    if isinstance(source, _PATH):
        return list(find_images(source))
    if isinstance(source, Image.Image):
        return [source]
    if hasattr(source, "__dlpack__") or isinstance(source, np.ndarray):
        return _split_array(as_numpy(source, "images"))
    if not isinstance(source, Iterable):
        raise ImageError(f"a source of type {type(source).__name__} holds no images. Give a folder, paths or arrays.")
    items = list(source)
    if not items:
        raise NoImagesError("the list of images is empty. Give at least one path or array.")
    return [one for item in items for one in (find_images(item) if isinstance(item, _PATH) else [item])]


def _split_array(array: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    if array.ndim == 2 or (array.ndim == 3 and array.shape[-1] == 3):
        return [array]
    if array.ndim == 3 or (array.ndim == 4 and array.shape[-1] in (1, 3)):
        if not len(array):
            raise EmptyInputError(f"the array of images is empty: its shape is {array.shape}. Give at least one image.")
        return list(array)
    raise ShapeError(
        f"an array of shape {array.shape} is no stack of images. (H, W), (H, W, 3), (B, H, W) or (B, H, W, 1 or 3) "
        "is needed. Move the channels to the end, and drop an alpha channel."
    )
