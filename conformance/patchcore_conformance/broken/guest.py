"""A right part of any kind that something stands before: what goes in and comes out passes one method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


class Guest:
    """A right part; what goes in and comes out passes ``called``."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        if name in ("inner", "select_with_report") or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.inner, name)

    def called(self, ask: Any, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        """Ask the right part; a mistake does something before, after or instead."""
        answer: tuple[Any, ...] = ask(arrays)
        return answer

    def select(self, embeddings: Any) -> Any:
        return self.called(lambda arrays: (self.inner.select(*arrays),), (embeddings,))[0]

    def extract(self, pixels: Any) -> Any:
        return self.called(lambda arrays: tuple(self.inner.extract(*arrays)), (pixels,))

    def aggregate(self, maps: Any) -> Any:
        return self.called(lambda arrays: (self.inner.aggregate(arrays),), tuple(maps))[0]

    def image_scores(self, embeddings: Any, bank: Any, neighbors: int = 1) -> Any:
        arrays = (embeddings, bank)
        return self.called(lambda given: (self.inner.image_scores(*given, neighbors=neighbors),), arrays)[0]

    def anomaly_map(self, patch_scores: Any, size: Any, sigma: float) -> Any:
        return self.called(lambda arrays: (self.inner.anomaly_map(*arrays, size, sigma),), (patch_scores,))[0]

    def build(self, bank: Any) -> Any:
        return _GuestIndex(self, self.inner.build(bank))


class _GuestIndex:
    def __init__(self, guest: Guest, index: Any) -> None:
        self._guest, self._index = guest, index

    def query(self, queries: Any, k: int = 1) -> Any:
        return self._guest.called(lambda arrays: self._index.query(*arrays, k=k), (queries,))


def changed(array: Any, rng: np.random.Generator) -> Any:
    """Scale floats a little; exchange row numbers."""
    if array.dtype.kind == "f":
        return (array * rng.uniform(1.1, 2)).astype(array.dtype)
    return rng.permutation(array.reshape(-1)).reshape(array.shape)
