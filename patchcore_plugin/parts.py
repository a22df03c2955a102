"""The four parts that a configuration names, created and checked together before any work begins."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from patchcore_plugin import components

if TYPE_CHECKING:
    from collections.abc import Callable

    from patchcore_plugin.arrays import Embeddings, PatchGrid, Pixels, Rows
    from patchcore_plugin.config import Settings
    from patchcore_plugin.contracts import Aggregator, CoresetSampler, FeatureExtractor, NeighborSearch


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

    def select(self, embeddings: Embeddings, progress: Callable[[int, int], None]) -> Rows:
        """Choose the rows to remember; a sampler that can say how far it is, says so."""
        if "progress" in inspect.signature(self.sampler.select).parameters:
            return cast("Rows", cast("Any", self.sampler).select(embeddings, progress=progress))
        return self.sampler.select(embeddings)


def create_parts(settings: Settings) -> Parts:
    """Create the parts that the settings name.

    Raises: UnknownComponentError, UnknownOptionError, ConfigError, MissingLibraryError, PluginError: each before
            anything is read or computed.
    """
    made = {kind: components.create(kind, part.name, **part.options) for kind, part in settings.parts().items()}
    return Parts(**made)
