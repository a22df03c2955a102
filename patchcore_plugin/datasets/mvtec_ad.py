"""MVTec AD, and every data set that was brought into its shape (VisA's own script does that too)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from patchcore_plugin.datasets.folder_tree import categories_of, images_in, kinds_in, require_category
from patchcore_plugin.datasets.mask_files import MaskFolder
from patchcore_plugin.datasets.overlap import without_overlap
from patchcore_plugin.datasets.split import GOOD, Split, TestImage
from patchcore_plugin.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class MVTecAD:
    """``CATEGORY/train/good``, ``CATEGORY/test/KIND``, ``CATEGORY/ground_truth/KIND/NAME_mask.png``.

    Masks may be missing altogether, but not for some images only.

    Source: Bergmann et al., CVPR 2019 and IJCV 2021.
    """

    layout: ClassVar[str] = "mvtec"
    notes: ClassVar[tuple[str, ...]] = ()

    root: Path
    categories: tuple[str, ...]
    has_masks: bool

    @classmethod
    def open(cls, root: Path) -> MVTecAD:
        """Find the categories."""
        categories = categories_of(root, "train/good")
        for name in categories:
            if (root / name / "validation").is_dir():
                raise InputError(
                    f"{root / name} holds a folder validation, which MVTec AD has not. Use the layout mvtec-loco or "
                    "mvtec-ad2 if it is one of these, or name the images in a CSV manifest (layout csv)."
                )
        return cls(root, categories, any((root / name / "ground_truth").is_dir() for name in categories))

    def split(self, category: str, seed: int) -> Split:  # noqa: ARG002 - the split is published
        """List one category's images."""
        require_category(category, self)
        folder = self.root / category
        test = tuple(image for kind in kinds_in(folder / "test") for image in self._tested(folder, kind))
        return without_overlap(Split(category, images_in(folder / "train" / "good"), (), test))

    def _tested(self, folder: Path, kind: str) -> list[TestImage]:
        images = images_in(folder / "test" / kind)
        if kind == GOOD or not self.has_masks:
            return [TestImage(image, kind) for image in images]
        masks = MaskFolder(folder / "ground_truth" / kind)
        return [TestImage(image, kind, masks.of(image)) for image in images]
