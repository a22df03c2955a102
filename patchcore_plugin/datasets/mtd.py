"""Magnetic Tile Defects, the second benchmark of the PatchCore paper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from patchcore_plugin.datasets.folder_tree import require_category, require_folder, shortened, subfolders, what_is_in
from patchcore_plugin.datasets.mask_files import require_mask
from patchcore_plugin.datasets.random_split import random_split
from patchcore_plugin.datasets.split import Split, TestImage
from patchcore_plugin.errors import NoImagesError
from patchcore_plugin.image_files import find_images

if TYPE_CHECKING:
    from pathlib import Path

_CATEGORY = "magnetic-tile"
_PREFIX = "mt_"
_FREE = "mt_free"


@dataclass(frozen=True)
class MagneticTiles:
    """``MT_Free`` and ``MT_KIND``; each ``NAME.jpg`` has its mask ``NAME.png`` beside it, perhaps in a folder ``Imgs``.

    A random 80 % of the good images are learned from, by the seed; the others and all defective ones are tested, as in
    the PatchCore paper. Kinds are the folders' names without ``MT_``, in small letters. Other folders are left alone as
    long as they hold no ``.jpg``, which ``notes`` says.

    Source: Huang et al., The Visual Computer 36, 2020, 10.1007/s00371-018-1588-5.
    """

    layout: ClassVar[str] = "mtd"
    categories: ClassVar[tuple[str, ...]] = (_CATEGORY,)
    has_masks: ClassVar[bool] = True

    root: Path
    notes: tuple[str, ...]

    @classmethod
    def open(cls, root: Path) -> MagneticTiles:
        """Look for good and defective tiles."""
        require_folder(root)
        names = [name.lower() for name in subfolders(root) if _is_kind(name)]
        if _FREE not in names or len(names) < 2:
            raise NoImagesError(
                "MT_Free and at least one of MT_Blowhole, MT_Break, MT_Crack, MT_Fray, MT_Uneven are expected in "
                f"{root}, but {what_is_in(root)}. Check the path, and that the copy is complete."
            )
        others = [name for name in subfolders(root) if not _is_kind(name)]
        _refuse_photographs(root, others)
        return cls(root, (f"not looked at, being no folders MT_...: {shortened(others)}.",) if others else ())

    def split(self, category: str, seed: int) -> Split:
        """Divide the good images at random."""
        require_category(category, self)
        kinds = sorted((name for name in subfolders(self.root) if _is_kind(name)), key=str.lower)
        found = {name.lower(): _photographs(self.root / name) for name in kinds}
        good = found.pop(_FREE)
        defective = [
            TestImage(image, kind.removeprefix(_PREFIX), require_mask(image, image.with_suffix(".png")))
            for kind, images in found.items()
            for image in images
        ]
        return random_split(category, good, defective, seed)


def _is_kind(name: str) -> bool:
    return name.lower().startswith(_PREFIX)


def _photographs(folder: Path) -> list[Path]:
    """List the tiles of a folder without their masks.

    Raises: NoImagesError when there is none.
    """
    found = [path for path in find_images(folder) if path.suffix.lower() == ".jpg"]
    if not found:
        raise NoImagesError(f"no .jpg is in {folder}, masks at most. Check that the copy is complete.")
    return found


def _refuse_photographs(root: Path, others: list[str]) -> None:
    """Refuse a folder of unknown meaning that holds photographs: leaving it out could hide a kind of defect."""
    for name in others:
        count = sum(path.suffix.lower() == ".jpg" for path in (root / name).rglob("*"))
        if count:
            raise NoImagesError(
                f"{root / name} holds {count} .jpg file(s), but is none of the folders MT_Free, MT_Blowhole ... "
                "Rename it to MT_KIND, or move it away."
            )
