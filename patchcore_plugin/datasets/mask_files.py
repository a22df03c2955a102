"""Which mask belongs to which image, where masks stand in a folder of their own."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from patchcore_plugin.datasets.folder_tree import images_in
from patchcore_plugin.errors import ImageError

if TYPE_CHECKING:
    from pathlib import Path


class MaskFolder:
    """The masks in a folder: ``NAME_mask`` or ``NAME`` with any suffix of images belongs to the image ``NAME``.

    Raises: NoImagesError when there is no such folder, or no mask in it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._by_stem: dict[str, list[Path]] = defaultdict(list)
        for file in images_in(folder):
            self._by_stem[file.stem].append(file)

    def of(self, image: Path) -> tuple[Path]:
        """Give an image's mask.

        Raises: ImageError when there is none, or more than one.
        """
        found = self._by_stem.get(f"{image.stem}_mask") or self._by_stem.get(image.stem, [])
        if not found:
            raise ImageError(
                f"{image} has no mask: neither {image.stem}_mask.png nor {image.stem}.png is in {self._folder}. "
                "Add it, or check that the copy is complete."
            )
        if len(found) > 1:
            raise ImageError(f"{image} has {len(found)} masks: {', '.join(map(str, found))}. Keep the right one.")
        return (found[0],)


def require_mask(image: Path, mask: Path) -> tuple[Path]:
    """Give the mask if it is there.

    Raises: ImageError that names both files.
    """
    if not mask.is_file():
        raise ImageError(f"{image} has no mask: {mask} is not there. Add it, or check that the copy is complete.")
    return (mask,)
