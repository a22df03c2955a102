"""The most memory that the process held during a stretch of work."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from patchcore_plugin.memory_budget import resident_bytes

if TYPE_CHECKING:
    from types import TracebackType

_EVERY = 0.02  # seconds between two looks: a step that takes memory in earnest lasts longer


class PeakMemory:
    """Looks 50 times a second how much the process holds; ``bytes`` is the most that was seen.

    Where the system tells no momentary value, it is the most since the process began.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="patchcore-memory")

    def __enter__(self) -> PeakMemory:
        self._look()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._stop.wait(_EVERY):
            self._look()

    def _look(self) -> None:
        self.bytes = max(self.bytes, resident_bytes())
