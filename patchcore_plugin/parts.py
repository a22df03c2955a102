"""The four parts that a configuration names, created and checked together before any work begins."""

from __future__ import annotations

import inspect
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from patchcore_plugin import components
from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.config import Settings
from patchcore_plugin.errors import TooFewRowsError
from patchcore_plugin.inner_parts import written_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from patchcore_plugin.arrays import Embeddings, PatchGrid, Pixels, Rows
    from patchcore_plugin.contracts import Aggregator, CoresetSampler, FeatureExtractor, NeighborSearch
    from patchcore_plugin.embedding_store import EmbeddingStore


@dataclass(frozen=True)
class Parts:
    """One of each."""

    extractor: FeatureExtractor
    aggregator: Aggregator
    sampler: CoresetSampler
    neighbors: NeighborSearch

    def embed(self, pixels: Pixels) -> PatchGrid:
        """Turn images into patch embeddings: pixels (B, 3, H, W) -> (B, h, w, D)."""
        return self.aggregator.aggregate(self.extractor.extract(pixels))

    def select(
        self, embeddings: Embeddings | EmbeddingStore, progress: Callable[[int, int], None], memory: int | None = None
    ) -> tuple[Rows, dict[str, Any]]:
        """Choose the rows to remember, and hand on what the sampler tells about its work.

        A sampler that can say how far it is, says so; one that can work on parts of the rows within ``memory`` bytes
        gets them as they are, any other gets them all in memory.
        """
        sampler = cast("Any", self.sampler)
        select = getattr(sampler, "select_with_report", sampler.select)
        taken = inspect.signature(select).parameters
        offered = {"progress": progress, "memory": memory}
        rows = embeddings if "memory" in taken or hasattr(embeddings, "__dlpack__") else embeddings[:]
        chosen = select(rows, **{name: value for name, value in offered.items() if name in taken})
        rows, facts = (chosen.rows, dict(chosen.facts)) if hasattr(chosen, "facts") else (chosen, {})
        return as_numpy(rows, "chosen rows"), facts

    def warm_up_choosing(self, embeddings: Embeddings) -> None:
        """Let the sampler compile what it needs for rows like these (N, D), and for many more of them."""
        warm_up = getattr(self.sampler, "warm_up", None)
        if warm_up is not None:
            warm_up(embeddings)
            return
        with suppress(TooFewRowsError):  # asked for more rows than one image has: it compiles when it is used
            self.select(embeddings, lambda *_: None)

    def resolved(self, settings: Settings) -> dict[str, Any]:
        """Return the settings with every option of the parts written out, so that later defaults change nothing.

        The memory a fit may take is left out: it decides nothing about what comes out.
        """
        written = settings.to_dict()
        del written["memory"]
        for kind in settings.parts():
            written[kind] = written_out(written[kind], getattr(self, kind))
        return Settings.from_dict(written).to_dict()


def takes_memory(sampler: CoresetSampler) -> bool:
    """Say whether a sampler can work on parts of the rows, within a given amount of memory."""
    select = getattr(sampler, "select_with_report", sampler.select)
    return "memory" in inspect.signature(select).parameters


def create_parts(settings: Settings) -> Parts:
    """Create the parts that the settings name.

    Raises: UnknownComponentError, UnknownOptionError, ConfigError, MissingLibraryError, PluginError: each before
            anything is read or computed.
    """
    made = {kind: components.create(kind, part.name, **part.options) for kind, part in settings.parts().items()}
    return Parts(**made)
