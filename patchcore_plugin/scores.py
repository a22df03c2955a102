"""What scoring answers: raw scores of images and patches, heat maps, and what each patch was compared with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from patchcore_plugin.images import crop_box, put_back
from patchcore_reference.anomaly_maps import anomaly_map

if TYPE_CHECKING:
    from collections.abc import Sequence

    from patchcore_plugin.calibration import Calibration
    from patchcore_plugin.config import Settings


@dataclass(frozen=True)
class Scores:
    """Scores of B images; all of them raw, made of distances; higher is more anomalous.

    Shapes: image (B,); patch (B, h, w); nearest int64 (B, h, w), the bank row each patch was compared with;
            sizes (B, 2), each image's own (H, W); p_value and label (B,), or None where nothing was held out to
            calibrate with. Label True means defective.
    Units:  Euclidean distance in the unit of the embeddings; its square where ``scoring.distance`` is "squared".
    """

    names: tuple[str, ...]
    image: npt.NDArray[np.float64]
    patch: npt.NDArray[np.float32]
    nearest: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    settings: Settings = field(repr=False)
    calibration: Calibration | None = None

    def __len__(self) -> int:
        return len(self.image)

    @property
    def p_value(self) -> npt.NDArray[np.float64] | None:
        """How unusual each image would be among good ones; small is unusual."""
        return None if self.calibration is None else self.calibration.p_values(self.image)

    @property
    def label(self) -> npt.NDArray[np.bool_] | None:
        """True where the score lies above the calibrated threshold."""
        return None if self.calibration is None else self.image > self.calibration.threshold

    @property
    def maps(self) -> tuple[npt.NDArray[np.float32], ...]:
        """One heat map per image, float32 (H, W) in the geometry of the image that came in."""
        return tuple(self.map(i) for i in range(len(self)))

    def map(self, i: int) -> npt.NDArray[np.float32]:
        """Draw image i's scores at its own size.

        Shapes: -> float32 (H, W). Pixels that a center crop kept from the network are NaN: they were not inspected.
        Source: Roth et al., Section 3.3: resized to the network's input size, then a Gaussian.
        """
        images = self.settings.images
        scoring = self.settings.scoring
        seen = anomaly_map(
            self.patch[i],
            images.crop or images.size,
            scoring.sigma,
            resize=scoring.map_resize,
            border=scoring.map_border,
        )
        return put_back(seen, self._size(i), images)

    def pixel_of(self, i: int, y: int, x: int) -> tuple[int, int]:
        """Give the pixel of image i, (y, x), at the middle of a patch of the grid."""
        top, left, bottom, right = crop_box(self._size(i), self.settings.images)
        height, width = self.patch[i].shape
        return int(top + (y + 0.5) * (bottom - top) / height), int(left + (x + 0.5) * (right - left) / width)

    def _size(self, i: int) -> tuple[int, int]:
        return int(self.sizes[i, 0]), int(self.sizes[i, 1])

    @staticmethod
    def join(batches: Sequence[Scores]) -> Scores:
        """Put the scores of several batches of one detector into one."""
        first = batches[0]
        return Scores(
            names=tuple(name for batch in batches for name in batch.names),
            image=np.concatenate([batch.image for batch in batches]),
            patch=np.concatenate([batch.patch for batch in batches]),
            nearest=np.concatenate([batch.nearest for batch in batches]),
            sizes=np.concatenate([batch.sizes for batch in batches]),
            settings=first.settings,
            calibration=first.calibration,
        )
