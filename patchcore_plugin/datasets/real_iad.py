"""Real-IAD: thirty objects, each seen from five sides, with the split that its authors published as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from patchcore_plugin.datasets.folder_tree import require_category, require_folder, shortened, subfolders, what_is_in
from patchcore_plugin.datasets.overlap import without_overlap
from patchcore_plugin.datasets.real_iad_list import RealIADList
from patchcore_plugin.datasets.split import Split, complete
from patchcore_plugin.errors import NoImagesError

if TYPE_CHECKING:
    from pathlib import Path

_LISTS = "realiad_jsons"
_PREFIX = "realiad_"


@dataclass(frozen=True)
class RealIAD:
    """``realiad_jsons/CATEGORY.json``, and images in ``realiad_256``, ``_512``, ``_1024`` or ``_raw``, ``/CATEGORY``.

    ``root`` is the folder above these. Where images of several sizes are there, give the folder of the one that is
    meant, such as ``Real-IAD/realiad_512``. For another protocol than all views, give the folder of its lists, such as
    ``Real-IAD/realiad_jsons_sv`` for single views; ``root`` becomes the folder above in both cases. A test image
    without a mask counts as good, as in the authors' code: its defect does not show from that side. Categories whose
    images are not there are left out, which ``notes`` says.

    Source: Wang et al., CVPR 2024, arXiv:2403.12580; the rule for missing masks from the authors' code.
    """

    layout: ClassVar[str] = "real-iad"
    has_masks: ClassVar[bool] = True

    root: Path
    lists: Path
    images: Path
    categories: tuple[str, ...]
    notes: tuple[str, ...]

    @classmethod
    def open(cls, root: Path) -> RealIAD:
        """Find lists and images, and keep the categories that have both."""
        require_folder(root)
        home, lists, images = _places(root)
        names = sorted(file.stem for file in lists.glob("*.json"))
        there = tuple(name for name in names if (images / name).is_dir())
        if not there:
            raise NoImagesError(
                f"CATEGORY.json in {lists} and a folder CATEGORY in {images} are expected, but {what_is_in(lists)}; "
                f"{what_is_in(images)}. Unpack the lists and at least one category."
            )
        absent = [name for name in names if name not in there]
        notes = (f"in {lists.name} but without images in {images.name}: {shortened(absent)}.",) if absent else ()
        return cls(home, lists, images, there, notes)

    def split(self, category: str, seed: int) -> Split:  # noqa: ARG002 - the split is published
        """List one category's images as the list has them."""
        require_category(category, self)
        entries = RealIADList.read(self.lists / f"{category}.json", self.images, category)
        return without_overlap(complete(Split(category, entries.fit(), (), entries.test()), entries.file))


def _places(root: Path) -> tuple[Path, Path, Path]:
    """Find the folder of everything, that of the lists, and that of the images; ``root`` may be any of the three."""
    root = root.absolute()  # the folder one stands in has no name otherwise
    if root.name.startswith(_LISTS):
        above = root.parent.parent if root.parent.name.startswith(_LISTS) else root.parent
        return above, root, _only_images(above)
    if root.name.startswith(_PREFIX):
        return root.parent, _lists_in(root.parent), root
    return root, _lists_in(root), _only_images(root)


def _lists_in(home: Path) -> Path:
    """Find the lists of all views; the archive, unpacked into a folder of its name, puts them one level lower."""
    require_folder(home / _LISTS)
    nested = home / _LISTS / _LISTS
    return nested if nested.is_dir() else home / _LISTS


def _only_images(home: Path) -> Path:
    """Find the one folder of images.

    Raises: NoImagesError when there is none, or more than one.
    """
    found = [name for name in subfolders(home) if name.startswith(_PREFIX) and not name.startswith(_LISTS)]
    if len(found) == 1:
        return home / found[0]
    if found:
        raise NoImagesError(
            f"{home} holds images of several sizes: {', '.join(found)}. "
            f"Give the folder that is meant, such as {home / found[0]}."
        )
    raise NoImagesError(
        f"a folder realiad_256, realiad_512, realiad_1024 or realiad_raw is expected in {home}, but {what_is_in(home)}."
    )
