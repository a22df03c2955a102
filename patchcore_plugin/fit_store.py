"""The folder in which a fit keeps its embeddings: survives a kill at any moment, and resumes where it stood.

    manifest.json    what the embeddings are made from                          store_manifest.py
    done.json        how many images are complete, which were left out
    remembered.f32   rows of the images to choose from, image after image, each
                     with its mirrored pictures behind it                       embedding_store.py
    held_out.f32     rows of the images that only calibrate
    *.scratch        what the sampler cannot keep in memory, while it chooses
    lock             held while a process uses the folder

Rows are written first, then flushed, then counted in ``done.json``: rows beyond the count are of no known worth, and
are dropped when the folder is opened again.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.atomic_file import replacing
from patchcore_plugin.disk_space import require_space
from patchcore_plugin.embedding_store import SCRATCH, EmbeddingStore
from patchcore_plugin.errors import ImageError, OutputError, StoreError
from patchcore_plugin.folder_lock import FolderLock
from patchcore_plugin.good_images import GoodImages
from patchcore_plugin.store_manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

    from patchcore_plugin.arrays import PatchGrid, Rows

MANIFEST, DONE, REMEMBERED, HELD_OUT, LOCK = "manifest.json", "done.json", "remembered.f32", "held_out.f32", "lock"
_OURS = (MANIFEST, DONE, REMEMBERED, HELD_OUT, LOCK)
SECONDS_BETWEEN_SYNCS = 2.0  # at most so much work is lost when a fit is killed
_NOTHING_DONE: tuple[int, tuple[int, ...]] = (0, ())


class FitStore:
    """Embeddings of a fit on their way to the sampler, in a folder; a shelf as ``good_images.Shelf`` describes it."""

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        aside: frozenset[int],
        *,
        flips: tuple[str, ...] = (),
        skip_unreadable: bool = False,
        scratch_bytes: int = 0,
    ) -> None:
        """Open a folder for exactly the fit that ``manifest`` describes, or begin one there.

        Args:   aside: numbers of the images that only calibrate; flips: how the others come once more;
                skip_unreadable: whether images may be missing; scratch_bytes: what the sampler will put there beside
                the embeddings.
        Raises: StoreError when another process uses it, or when it holds another fit's embeddings or is damaged;
                OutputError when it cannot be written, holds something else, or its disk is too small; ImageError when
                images were left out there, but none may be here. What the folder held is then as it was.
        """
        self.folder, self._manifest, self.aside, self.flips = folder, manifest, aside, flips
        with ExitStack() as opened:
            opened.callback(_locked(folder).release)
            self.first, left_out = self._resumed(skip_unreadable, scratch_bytes)
            self._left_out = list(left_out)
            self._remembered = EmbeddingStore(folder / REMEMBERED, manifest.width)
            opened.callback(self._remembered.close)
            self._held_out = EmbeddingStore(folder / HELD_OUT, manifest.width)
            opened.callback(self._held_out.close)
            self._cut_to_what_is_complete()
            manifest.write(folder / MANIFEST)
            self._opened = opened.pop_all()
        self._synced = time.monotonic()

    def _resumed(self, skip_unreadable: bool, scratch_bytes: int) -> tuple[int, tuple[int, ...]]:
        """Compare the folder with the manifest; return how many images are complete, and which were left out."""
        done, left_out = _NOTHING_DONE
        path = self.folder / MANIFEST
        if path.exists():
            stored = Manifest.read(path)
            done, left_out = _read_done(self.folder / DONE, len(stored.images))
            self._manifest.require_same(stored, done, self.folder)
            if left_out and not skip_unreadable:
                raise ImageError(
                    f"{self.folder} left out {self._manifest.images[left_out[0]].name}, which could not be read. "
                    "Pass skip_unreadable again, or delete the folder to begin anew."
                )
        else:
            _require_ours(self.folder)
        total = sum(self._rows(len(self._manifest.images), len(self.aside))) * self._manifest.width * 4
        require_space({self.folder: max(0, total + scratch_bytes - stored_bytes(self.folder))})
        for left_behind in _left_behind(self.folder):
            left_behind.unlink()
        return done, left_out

    def _rows(self, images: int, aside: int) -> tuple[int, int]:
        """Count the rows of so many images, of which some are put aside: to choose from, and put aside."""
        h, w = self._manifest.grid
        return (images - aside) * (1 + len(self.flips)) * h * w, aside * h * w

    def _cut_to_what_is_complete(self) -> None:
        seen = np.setdiff1d(np.arange(self.first), self._left_out).tolist()
        complete = self._rows(len(seen), sum(number in self.aside for number in seen))
        for store, rows in zip((self._remembered, self._held_out), complete, strict=True):
            if len(store) < rows:
                raise StoreError(
                    f"{store.path} is damaged: it holds {len(store)} rows of {rows} that were complete. "
                    "Delete the folder to begin anew."
                )
            store.cut(rows)

    def add(self, numbers: Rows, patches: PatchGrid) -> None:
        """Take the embeddings (P, h, w, D) of the pictures of these images; ``first`` moves behind them.

        Raises: OutputError when the disk is full; complete images are kept.
        """
        put_aside = np.array([number in self.aside for number in numbers.tolist()])
        for store, chosen in ((self._remembered, ~put_aside), (self._held_out, put_aside)):
            if chosen.any():
                store.append(as_numpy(patches, "patches")[chosen].reshape(-1, self._manifest.width))
        self._note_missing(numbers.tolist(), int(numbers[-1]) + 1)
        if time.monotonic() - self._synced >= SECONDS_BETWEEN_SYNCS:
            self._sync()

    def good_images(self) -> GoodImages:
        """Close the list of images and give what was taken, all of it complete on the disk."""
        self._note_missing([], len(self._manifest.images))
        self._sync()
        left_out = set(self._left_out)
        seen = [(number, image.name) for number, image in enumerate(self._manifest.images) if number not in left_out]
        return GoodImages(
            self._remembered,
            self._held_out,
            tuple(name for number, name in seen if number not in self.aside),
            tuple(name for number, name in seen if number in self.aside),
            self._manifest.grid,
            self.flips,
        )

    def _note_missing(self, present: list[int], up_to: int) -> None:
        self._left_out += sorted(set(range(self.first, up_to)) - set(present))
        self.first = up_to

    def _sync(self) -> None:
        self._remembered.sync()
        self._held_out.sync()
        left_out = [number for number in self._left_out if number < self.first]  # Ctrl-C may come between the two
        _write_json(self.folder / DONE, {"images": self.first, "left_out": left_out})
        self._synced = time.monotonic()

    def __enter__(self) -> FitStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._opened:
            if kind is not None:  # Ctrl-C or a broken image: what is complete is worth keeping
                with suppress(OutputError):
                    self._sync()


@contextmanager
def removed_when_done(folder: Path | None, say: Callable[[str], None]) -> Iterator[None]:
    """Delete the stored embeddings after the block, or say that they are kept when it fails; None: do nothing."""
    if folder is None:
        yield
        return
    say(f"Embeddings wait in {folder} until the model is written. Stopped before that, the same command goes on there.")
    try:
        yield
    except BaseException:
        if (folder / DONE).exists():
            say(f"Embeddings are kept in {folder}: the same command goes on from there.")
        raise
    remove_store(folder)


def stored_bytes(folder: Path) -> int:
    """Bytes of embeddings in a folder, and of what a killed fit left beside them: room that the next one has."""
    return sum(file.stat().st_size for file in (*folder.glob("*.f32"), *_left_behind(folder)))


def _left_behind(folder: Path) -> list[Path]:
    """Files of a process that was killed while writing or choosing."""
    return [*folder.glob(".*.part"), *folder.glob(f"*{SCRATCH}")]


def remove_store(folder: Path) -> None:
    """Delete a folder of embeddings: the files that ``FitStore`` makes, and the folder once nothing else is in it.

    Raises: StoreError when a process uses it; OutputError when the folder cannot be changed.
    """
    if not folder.is_dir():
        return
    _require_ours(folder)
    lock = _locked(folder)
    try:
        for file in (*_left_behind(folder), *(folder / name for name in _OURS)):
            file.unlink(missing_ok=True)
        lock.release()
        folder.rmdir()
    except OSError as problem:
        raise OutputError(f"{folder} could not be removed: {problem.strerror}. Delete it by hand.") from problem
    finally:
        lock.release()


def _locked(folder: Path) -> FolderLock:
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file, but a folder for embeddings is needed. Name another place.")
    if folder.is_dir() and not (folder / MANIFEST).exists():
        _require_ours(folder)
    return FolderLock(folder / LOCK)


def _require_ours(folder: Path) -> None:
    """Refuse a folder with files of other kinds: it would be filled, and some day emptied."""
    names = (entry.name for entry in folder.iterdir())
    strange = [name for name in names if name not in _OURS and not name.endswith((".part", SCRATCH))]
    if strange:
        raise OutputError(
            f"{folder} holds {sorted(strange)[0]!r}, which is no part of stored embeddings. Name a folder of their own."
        )


def _read_done(path: Path, images: int) -> tuple[int, tuple[int, ...]]:
    """Read how many images are complete; a fit that was killed before its first note has none."""
    if not path.exists():
        return _NOTHING_DONE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        done, left_out = int(data["images"]), tuple(int(number) for number in data["left_out"])
        if not 0 <= done <= images or any(not 0 <= number < done for number in left_out):
            raise ValueError(f"{done} of {images} images")
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise StoreError(f"{path} is damaged: {problem}. Delete the folder to begin anew.") from problem
    return done, left_out


def _write_json(path: Path, data: dict[str, Any]) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(data), encoding="utf-8")
