"""The four parts that a configuration names, created and checked together before any work begins."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, cast

from patchcore_plugin import components
from patchcore_plugin.config import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from patchcore_plugin.arrays import Embeddings, PatchGrid, Pixels, Rows
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

    def resolved(self, settings: Settings) -> dict[str, Any]:
        """Return the settings with every option of the parts written out, so that later defaults change nothing."""
        written = settings.to_dict()
        for field in fields(self):
            part = getattr(self, field.name)
            if is_dataclass(part):
                options = {option.name: getattr(part, option.name) for option in fields(part) if option.init}
                written[field.name] = {"name": written[field.name]["name"], **options}
        return Settings.from_dict(written).to_dict()


def create_parts(settings: Settings) -> Parts:
    """Create the parts that the settings name.

    Raises: UnknownComponentError, UnknownOptionError, ConfigError, MissingLibraryError, PluginError: each before
            anything is read or computed.
    """
    made = {kind: components.create(kind, part.name, **part.options) for kind, part in settings.parts().items()}
    return Parts(**made)
