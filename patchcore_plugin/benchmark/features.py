"""Patch embeddings kept on disk from one run to the next: the network looks at each image once, not once a seed."""

from __future__ import annotations

import hashlib
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_plugin.errors import OutputError
from patchcore_plugin.parts import Parts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    import numpy.typing as npt

    from patchcore_plugin.arrays import PatchGrid, Pixels


@dataclass
class Lap:
    """How long something took; None where kept features made it shorter than it is."""

    seconds: float | None = None


class Features:
    """The embeddings of one configuration, by what the pixels were; as many as ``limit`` bytes of disk hold.

    Only NumPy arrays are kept: what lives on a GPU stays there and is computed each time. The file goes with the block.

    Raises: OutputError when the disk is full.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder, self._limit = folder, limit
        self._places: dict[bytes, int] = {}
        self._shape: tuple[int, ...] = ()
        self.reused = 0
        self._overhead = 0.0

    def __enter__(self) -> Features:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=self._folder, prefix=".features-")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def remembering(self, parts: Parts) -> Parts:
        """Give parts that compute each embedding once."""
        if not self._limit:
            return parts
        return _RememberingParts(**{one.name: getattr(parts, one.name) for one in fields(parts)}, store=self)

    @contextmanager
    def timing(self) -> Iterator[Lap]:
        """Take the time of a block, without what keeping features costs; none where features were reused in it."""
        lap, reused, overhead, started = Lap(), self.reused, self._overhead, time.perf_counter()
        yield lap
        if self.reused == reused:
            lap.seconds = time.perf_counter() - started - (self._overhead - overhead)

    def embed(self, parts: Parts, pixels: Pixels) -> PatchGrid:
        """Look up what is known, compute the others together, and keep them.

        Shapes: pixels (B, 3, H, W) -> (B, h, w, D).
        """
        began = time.perf_counter()
        keys = [hashlib.blake2b(np.ascontiguousarray(one).data, digest_size=16).digest() for one in pixels]
        new = [i for i, key in enumerate(keys) if key not in self._places]
        self._overhead += time.perf_counter() - began
        if not new:
            return self._filled(keys, np.empty((len(keys), *self._shape), np.float32))
        computed = Parts.embed(parts, pixels if len(new) == len(keys) else pixels[new])
        if not isinstance(computed, np.ndarray):
            return computed  # nothing is ever kept of these, so all were new
        began = time.perf_counter()
        for i, one in zip(new, computed, strict=True):
            self._keep(keys[i], one)
        self._overhead += time.perf_counter() - began
        if len(new) == len(keys):
            return computed
        answer = np.empty((len(keys), *computed.shape[1:]), computed.dtype)
        answer[new] = computed
        return self._filled(keys, answer, except_for=frozenset(new))

    def _filled(
        self, keys: list[bytes], answer: npt.NDArray[Any], except_for: frozenset[int] = frozenset()
    ) -> npt.NDArray[Any]:
        for i, key in enumerate(keys):
            if i not in except_for:
                self._file.seek(self._places[key])
                self._file.readinto(memoryview(answer[i]).cast("B"))
                self.reused += 1
        return answer

    def _keep(self, key: bytes, patches: npt.NDArray[Any]) -> None:
        place = len(self._places) * patches.nbytes
        if place + patches.nbytes > self._limit or patches.dtype != np.float32 or key in self._places:
            return
        try:
            self._file.seek(place)
            self._file.write(np.ascontiguousarray(patches).data)
            self._file.flush()
        except OSError as problem:
            raise OutputError(
                f"features could not be kept in {self._folder}: {problem.strerror or problem}. "
                "Free some space, or keep none: --keep-features 0."
            ) from problem
        self._shape = patches.shape
        self._places[key] = place


@dataclass(frozen=True)
class _RememberingParts(Parts):
    store: Features = field(repr=False, compare=False, kw_only=True)

    def embed(self, pixels: Pixels) -> PatchGrid:
        return self.store.embed(self, pixels)
