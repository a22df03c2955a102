"""MVTec AD 2: the part of it whose labels are public."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from patchcore_plugin.datasets.folder_tree import categories_of, images_in, require_category
from patchcore_plugin.datasets.mask_files import MaskFolder
from patchcore_plugin.datasets.overlap import without_overlap
from patchcore_plugin.datasets.split import GOOD, Split, TestImage

if TYPE_CHECKING:
    from pathlib import Path

_PRIVATE = ("test_private", "test_private_mixed")


@dataclass(frozen=True)
class MVTecAD2:
    """``CATEGORY/train/good``, ``validation/good``, ``test_public/good``, ``test_public/bad`` and its masks.

    Masks stand at ``test_public/ground_truth/bad/NAME_mask.png``. The private test sets have no public labels and are
    left out, which ``notes`` says.

    Source: Heckler-Kram et al., arXiv:2503.21622.
    """

    layout: ClassVar[str] = "mvtec-ad2"
    has_masks: ClassVar[bool] = True

    root: Path
    categories: tuple[str, ...]
    notes: tuple[str, ...]

    @classmethod
    def open(cls, root: Path) -> MVTecAD2:
        """Find the categories, and the test sets that cannot be used."""
        categories = categories_of(root, "test_public")
        private = [name for name in _PRIVATE if any((root / one / name).is_dir() for one in categories)]
        said = f"{' and '.join(private)}: left out, since their labels are not public; test_public is what is tested."
        return cls(root, categories, (said,) if private else ())

    def split(self, category: str, seed: int) -> Split:  # noqa: ARG002 - the split is published
        """List one category's images."""
        require_category(category, self)
        folder = self.root / category
        public = folder / "test_public"
        masks = MaskFolder(public / "ground_truth" / "bad")
        test = [TestImage(image, "bad", masks.of(image)) for image in images_in(public / "bad")]
        test += [TestImage(image, GOOD) for image in images_in(public / "good")]
        fit, calibrate = images_in(folder / "train" / "good"), images_in(folder / "validation" / "good")
        return without_overlap(Split(category, fit, calibrate, tuple(test)))
