"""Photographs of one's own: good parts in one folder, each kind of defect in one beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from patchcore_plugin.datasets.folder_tree import images_in, kinds_in, require_category
from patchcore_plugin.datasets.mask_files import MaskFolder
from patchcore_plugin.datasets.random_split import random_split
from patchcore_plugin.datasets.split import GOOD, Split, TestImage

if TYPE_CHECKING:
    from pathlib import Path

_MASKS = "ground_truth"


@dataclass(frozen=True)
class Folder:
    """``good``, ``DEFECT`` for each kind, and ``ground_truth/DEFECT/NAME.png`` or ``NAME_mask.png`` if there are masks.

    The one category is called as the folder is. A random 80 % of the good images are learned from, by the seed. Where
    there is a folder of masks, every defective image needs one.
    """

    layout: ClassVar[str] = "folder"
    notes: ClassVar[tuple[str, ...]] = ()

    root: Path
    categories: tuple[str, ...]
    has_masks: bool

    @classmethod
    def open(cls, root: Path) -> Folder:
        """Look for good and defective images."""
        _kinds(root)
        return cls(root, (root.resolve().name or "parts",), (root / _MASKS).is_dir())

    def split(self, category: str, seed: int) -> Split:
        """Divide the good images at random."""
        require_category(category, self)
        defective = [image for kind in _kinds(self.root) if kind != GOOD for image in self._defective(kind)]
        return random_split(category, images_in(self.root / GOOD), defective, seed)

    def _defective(self, kind: str) -> list[TestImage]:
        images = images_in(self.root / kind)
        if not self.has_masks:
            return [TestImage(image, kind) for image in images]
        masks = MaskFolder(self.root / _MASKS / kind)
        return [TestImage(image, kind, masks.of(image)) for image in images]


def _kinds(root: Path) -> tuple[str, ...]:
    return kinds_in(root, besides=(_MASKS,))
