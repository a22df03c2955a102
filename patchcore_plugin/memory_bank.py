"""What a fit remembers: the kept rows, where each came from, and the settings that made them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from patchcore_plugin.errors import ShapeError
from patchcore_reference.checks import require_rows

if TYPE_CHECKING:
    from patchcore_plugin.arrays import Embeddings


@dataclass(frozen=True)
class MemoryBank:
    """M patch embeddings of good images.

    Shapes: embeddings float32 or float16 (M, D); origins int32 (M, 3), one (image, y, x) a row: the image's number in
            ``image_names`` and the patch's place in the ``grid`` (h, w).

    ``search_facts`` are what the search index told of itself when the bank was fitted, such as its measured recall;
    nothing where it tells nothing, as exact searches do.
    """

    embeddings: Embeddings
    origins: npt.NDArray[np.int32]
    image_names: tuple[str, ...]
    grid: tuple[int, int]
    settings: dict[str, Any]
    weights_sha256: str | None = None
    held_out_scores: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    search_facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_rows(self.embeddings, "memory bank")
        if self.origins.shape != (len(self.embeddings), 3):
            raise ShapeError(
                f"the bank has {len(self.embeddings)} rows but origins of shape {self.origins.shape}; "
                "one (image, y, x) a row is needed."
            )
        for array in (self.embeddings, self.origins, self.held_out_scores):
            array.setflags(write=False)

    def __len__(self) -> int:
        return len(self.embeddings)

    @property
    def width(self) -> int:
        """Values a row, D."""
        return int(self.embeddings.shape[1])

    def origin(self, row: int) -> tuple[str, int, int]:
        """Say where a row came from: the image's name and the patch's (y, x) in the grid."""
        image, y, x = (int(value) for value in self.origins[row])
        return self.image_names[image], y, x


def origins_of(rows: npt.NDArray[np.int64], images: int, grid: tuple[int, int]) -> npt.NDArray[np.int32]:
    """Turn row numbers of the fitted embeddings into (image, y, x).

    Shapes: rows (M,) into the images * h * w patches -> int32 (M, 3).
    """
    return np.stack(np.unravel_index(rows, (images, *grid)), axis=1).astype(np.int32)
