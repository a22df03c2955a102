"""What a layer of a network gives for images of one size: told by extractors, shown by ``patchcore layers``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LayerShape:
    """One layer whose output is a map: its name, how many channels on which grid, for images of ``size``."""

    name: str
    channels: int
    grid: tuple[int, int]  # h, w
    size: tuple[int, int]  # H, W of the images
    inner: bool = False  # inside of a repeated block: there, but seldom asked for

    @property
    def stride(self) -> int:
        """Input pixels between two values of the map, rounded where the grid is not an even part of the image."""
        return max(1, round(self.size[0] / self.grid[0]))
