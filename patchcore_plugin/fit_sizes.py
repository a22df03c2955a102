"""How large a fit will be, known from the number of images and one look at the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_plugin.disk_space import require_space
from patchcore_plugin.memory_budget import SLACK, Budget

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from patchcore_plugin.config import CalibrationSettings, Settings
    from patchcore_plugin.parts import Parts


def numbers_held_out(total: int, settings: CalibrationSettings) -> npt.NDArray[np.int64]:
    """Choose which of ``total`` images only calibrate: a seeded random share, never all of them."""
    count = min(round(settings.holdout * total), total - 1)
    return np.sort(np.random.default_rng(settings.seed).permutation(total)[: max(0, count)])


def patch_shape(parts: Parts, settings: Settings) -> tuple[int, int, int]:
    """Return the patch grid and the width of an embedding, (h, w, D), which are the same for every image.

    Cost: one image through the network.
    """
    size = settings.images.crop or settings.images.size
    _, h, w, width = parts.embed(np.zeros((1, 3, *size), np.float32)).shape
    return h, w, width


def _rows_kept(sampler: Any, rows: int, width: int) -> int | None:
    """Ask the sampler how many rows it will keep; None where it cannot know, as with a radius to reach."""
    if getattr(sampler, "radius", None) is not None:
        return None
    if hasattr(sampler, "at_most"):
        return int(sampler.at_most(rows, width))
    return int(sampler.how_many(rows)) if hasattr(sampler, "how_many") else None


def _scratch_bytes(sampler: Any, rows: int, width: int, budget: Budget) -> int:
    """Ask the sampler what it will put on the disk; by then the program holds more than now, so rather too much."""
    left = budget.left()
    if left is None or not hasattr(sampler, "disk_bytes"):
        return 0
    return int(sampler.disk_bytes(rows, width, max(1, left - SLACK)))


@dataclass(frozen=True)
class FitSizes:
    """Images to choose from and put aside, the patch grid (h, w), the width D; bank rows where the sampler knows.

    ``scratch_bytes`` is what the sampler may put on the disk while it chooses, beside embeddings that wait there;
    ``pictures`` how many each image to choose from gives: itself, and one for each of ``images.flips``.
    """

    images: int
    held_out: int
    grid: tuple[int, int]
    width: int
    bank_rows: int | None
    bank_dtype: str = "float32"
    scratch_bytes: int = 0
    pictures: int = 1

    @classmethod
    def of(cls, image_count: int, parts: Parts, settings: Settings) -> FitSizes:
        """Find out; images that will turn out to be unreadable are counted too.

        Raises: TooFewRowsError when the sampler is asked for more rows than there will be.
        Cost:   one image through the network.
        """
        h, w, width = patch_shape(parts, settings)
        held_out = len(numbers_held_out(image_count, settings.calibration))
        images, pictures = image_count - held_out, 1 + len(settings.images.flips)
        rows = images * pictures * h * w
        kept = _rows_kept(parts.sampler, rows, width)
        scratch = _scratch_bytes(parts.sampler, rows, width, Budget(settings.memory.budget))
        return cls(images, held_out, (h, w), width, kept, settings.scoring.bank_dtype, scratch, pictures)

    @property
    def rows(self) -> int:
        """Patch embeddings to choose from, N."""
        return self.images * self.pictures * self.grid[0] * self.grid[1]

    @property
    def embedding_bytes(self) -> int:
        """Bytes of all patch embeddings, those put aside included."""
        return (self.rows + self.held_out * self.grid[0] * self.grid[1]) * self.width * 4

    @property
    def disk_bytes(self) -> int:
        """Bytes that a folder of embeddings takes at most, what the sampler puts beside them included."""
        return self.embedding_bytes + self.scratch_bytes

    def bank_bytes(self, rows: int) -> int:
        """Bytes of a bank of so many rows with their origins, in a saved model."""
        return rows * (self.width * np.dtype(self.bank_dtype).itemsize + 12)

    def require_space(self, model: Path, store: Path | None) -> None:
        """Refuse to begin when a disk has no room for the model, or for what has to be stored and is not there yet.

        Raises: OutputError that says how much is needed and how much there is.
        """
        from patchcore_plugin.fit_store import stored_bytes

        needed = {model: self.bank_bytes(self.bank_rows or 0)}
        if store is not None:
            needed[store] = max(0, self.disk_bytes - stored_bytes(store))
        require_space(needed)
