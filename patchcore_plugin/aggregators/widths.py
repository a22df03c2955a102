"""The settings that both adaptive-mean aggregators share."""

from __future__ import annotations

from dataclasses import dataclass

from patchcore_plugin.errors import ConfigError, ShapeError
from patchcore_reference.checks import require_whole
from patchcore_reference.local_mean import require_patch


@dataclass(frozen=True, kw_only=True)
class Widths:
    """Size of a patch, and how many averages stand for it: ``layer_width`` of each layer, ``width`` of all together."""

    patch_size: int = 3
    layer_width: int = 1024
    width: int = 1024

    def __post_init__(self) -> None:
        try:
            require_patch(self.patch_size, "zero")
            require_whole(self.layer_width, "layer_width")
            require_whole(self.width, "width")
        except ShapeError as problem:
            raise ConfigError(f"aggregator: {problem}") from None
