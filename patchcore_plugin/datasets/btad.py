"""BTAD (beanTech): three products, their images and masks in several formats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from patchcore_plugin.datasets.folder_tree import categories_of, images_in, require_category
from patchcore_plugin.datasets.mask_files import MaskFolder
from patchcore_plugin.datasets.overlap import without_overlap
from patchcore_plugin.datasets.split import GOOD, Split, TestImage

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class BTAD:
    """``CATEGORY/train/ok``, ``CATEGORY/test/ok``, ``CATEGORY/test/ko``, ``CATEGORY/ground_truth/ko/NAME.*``.

    Categories are ``01``, ``02``, ``03``; the only kind of defect is called ``ko``. A mask bears its image's name, but
    not always its suffix.

    Source: Mishra et al., ISIE 2021, arXiv:2104.10036.
    """

    layout: ClassVar[str] = "btad"
    has_masks: ClassVar[bool] = True
    notes: ClassVar[tuple[str, ...]] = ()

    root: Path
    categories: tuple[str, ...]

    @classmethod
    def open(cls, root: Path) -> BTAD:
        """Find the categories."""
        return cls(root, categories_of(root, "train/ok"))

    def split(self, category: str, seed: int) -> Split:  # noqa: ARG002 - the split is published
        """List one category's images."""
        require_category(category, self)
        folder = self.root / category
        masks = MaskFolder(folder / "ground_truth" / "ko")
        test = [TestImage(image, "ko", masks.of(image)) for image in images_in(folder / "test" / "ko")]
        test += [TestImage(image, GOOD) for image in images_in(folder / "test" / "ok")]
        return without_overlap(Split(category, images_in(folder / "train" / "ok"), (), tuple(test)))
