"""What a fit remembers: the kept rows, where each came from, and the settings that made them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from patchcore_plugin.errors import ShapeError
from patchcore_plugin.flips import places_in_photograph
from patchcore_reference.checks import require_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from patchcore_plugin.arrays import Embeddings


@dataclass(frozen=True)
class MemoryBank:
    """M patch embeddings of good images.

    Shapes: embeddings float32 or float16 (M, D); origins int32 (M, 3), one (image, y, x) a row: the image's number in
            ``image_names`` and the patch's place in the ``grid`` (h, w). Of a patch that was seen mirrored
            (``images.flips``) it is the place in the image as it came, where the same spot of the part is.

    ``whitening`` (D, D) float32 was applied to the embeddings, and has to be to those that are compared with them; None
    where there is none. ``search_facts`` are what the search index told of itself when the bank was fitted, such as its
    measured recall; nothing where it tells nothing, as exact searches do.
    """

    embeddings: Embeddings
    origins: npt.NDArray[np.int32]
    image_names: tuple[str, ...]
    grid: tuple[int, int]
    settings: dict[str, Any]
    weights_sha256: str | None = None
    held_out_scores: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    search_facts: dict[str, Any] = field(default_factory=dict)
    whitening: npt.NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        require_rows(self.embeddings, "memory bank")
        if self.origins.shape != (len(self.embeddings), 3):
            raise ShapeError(
                f"the bank has {len(self.embeddings)} rows but origins of shape {self.origins.shape}; "
                "one (image, y, x) a row is needed."
            )
        if self.whitening is not None and self.whitening.shape != (self.width, self.width):
            raise ShapeError(
                f"the bank's rows have {self.width} values but its whitening matrix has shape {self.whitening.shape}; "
                f"({self.width}, {self.width}) is needed."
            )
        for array in (self.embeddings, self.origins, self.held_out_scores, self.whitening):
            if array is not None:
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


def origins_of(
    rows: npt.NDArray[np.int64], images: int, grid: tuple[int, int], flips: Sequence[str] = ()
) -> npt.NDArray[np.int32]:
    """Turn row numbers of the fitted embeddings into (image, y, x).

    Shapes: rows (M,) into the images * (1 + flips) * h * w patches, as ``GoodImages`` orders them -> int32 (M, 3);
            places in mirrored pictures are mirrored back.
    """
    image, picture, y, x = np.unravel_index(rows, (images, 1 + len(flips), *grid))
    y, x = places_in_photograph(picture, y, x, grid, flips)
    return np.stack((image, y, x), axis=1).astype(np.int32)
