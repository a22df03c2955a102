"""MVTec LOCO AD: besides damage, parts that are whole but wrong: missing, doubled, swapped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from patchcore_plugin.datasets.folder_tree import categories_of, images_in, kinds_in, require_category
from patchcore_plugin.datasets.overlap import without_overlap
from patchcore_plugin.datasets.split import GOOD, Split, TestImage

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class MVTecLOCO:
    """``CATEGORY/train/good``, ``validation/good``, ``test/KIND``, and ``ground_truth/KIND/NAME/000.png``, ``001.png``.

    Kinds are ``good``, ``logical_anomalies`` and ``structural_anomalies``. An image has a mask for each of its defects;
    they are joined. A mask's values name the defect, so that everything above zero counts. The saturation of large
    areas, which the authors' sPRO figure wants, is not read.

    Source: Bergmann et al., IJCV 2022, 10.1007/s11263-022-01578-9.
    """

    layout: ClassVar[str] = "mvtec-loco"
    has_masks: ClassVar[bool] = True
    notes: ClassVar[tuple[str, ...]] = ()

    root: Path
    categories: tuple[str, ...]

    @classmethod
    def open(cls, root: Path) -> MVTecLOCO:
        """Find the categories: folders with validation images, which tell this layout from MVTec AD."""
        return cls(root, categories_of(root, "validation/good"))

    def split(self, category: str, seed: int) -> Split:  # noqa: ARG002 - the split is published
        """List one category's images."""
        require_category(category, self)
        folder = self.root / category
        test = tuple(
            TestImage(image, kind, () if kind == GOOD else images_in(folder / "ground_truth" / kind / image.stem))
            for kind in kinds_in(folder / "test")
            for image in images_in(folder / "test" / kind)
        )
        fit, calibrate = images_in(folder / "train" / "good"), images_in(folder / "validation" / "good")
        return without_overlap(Split(category, fit, calibrate, test))
