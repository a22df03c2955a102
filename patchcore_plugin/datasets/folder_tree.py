"""Reading folders that others arranged, and saying what is missing from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from patchcore_plugin.datasets.split import GOOD
from patchcore_plugin.errors import NoImagesError, UnknownOptionError
from patchcore_plugin.image_files import find_images
from patchcore_plugin.spelling import did_you_mean, listed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from patchcore_plugin.datasets.layouts import Dataset

_SHOWN = 8  # names of a folder that an error lists


def images_in(folder: Path) -> tuple[Path, ...]:
    """List a folder's images in natural order.

    Raises: NoImagesError when there is no such folder, with what is there instead, or no image in it.
    """
    require_folder(folder)
    return tuple(find_images(folder))


def subfolders(folder: Path) -> tuple[str, ...]:
    """Names of the folders in a folder, sorted; hidden ones are left out."""
    return tuple(sorted(one.name for one in folder.iterdir() if one.is_dir() and not one.name.startswith(".")))


def kinds_in(folder: Path, besides: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Names of a folder's kinds, sorted: ``good`` and at least one defect; those in ``besides`` are no kinds.

    Raises: NoImagesError when one of the two is missing.
    """
    require_folder(folder)
    kinds = tuple(name for name in subfolders(folder) if name not in besides)
    if GOOD not in kinds or len(kinds) < 2:
        raise NoImagesError(
            f"a folder '{GOOD}' and one for each kind of defect are expected in {folder}, but {what_is_in(folder)}. "
            "Check that the copy is complete."
        )
    return kinds


def require_folder(folder: Path) -> None:
    """Refuse to go on without a folder.

    Raises: NoImagesError that names the folder and what the nearest folder above it holds.
    """
    if not folder.is_dir():
        raise _expected("folder", folder)


def require_file(path: Path) -> None:
    """Refuse to go on without a file.

    Raises: NoImagesError that names the file and what the nearest folder above it holds.
    """
    if path.is_dir():
        raise NoImagesError(f"{path} is expected to be a file, but {what_is_in(path)}. Give the file itself.")
    if not path.is_file():
        raise _expected("file", path)


def categories_of(root: Path, marker: str) -> tuple[str, ...]:
    """Names of the folders in ``root`` that hold the subfolder ``marker``, such as ``train/good``; sorted.

    Raises: NoImagesError when there is none.
    """
    require_folder(root)
    found = tuple(name for name in subfolders(root) if (root / name / marker).is_dir())
    if found:
        return found
    if (root / marker).is_dir():
        raise NoImagesError(f"{root} is one category by itself. Give the folder above it: {root.resolve().parent}.")
    raise NoImagesError(
        f"no folder in {root} holds {marker}: {root}/CATEGORY/{marker} is expected, but {what_is_in(root)}. "
        "Check the path and the layout."
    )


def require_category(category: str, dataset: Dataset) -> None:
    """Refuse a category that the data set does not have.

    Raises: UnknownOptionError that lists those it has.
    """
    if category not in dataset.categories:
        raise UnknownOptionError(
            f"{dataset.root} has no category {category!r}.{did_you_mean(category, dataset.categories)} "
            f"Categories: {listed(dataset.categories)}."
        )


def _expected(what: str, path: Path) -> NoImagesError:
    there = next((one for one in path.parents if one.is_dir()), path)
    return NoImagesError(
        f"the {what} {path} is expected, but {what_is_in(there)}. "
        "Check the path, the layout, and that the copy is complete."
    )


def what_is_in(folder: Path) -> str:
    """Say in a few words what a folder holds: ``"DIR holds bottle/, cable/, license.txt"``."""
    if not folder.is_dir():
        return f"{folder} is {'a file' if folder.exists() else 'not there'}"
    entries = sorted(one.name + "/" * one.is_dir() for one in folder.iterdir() if not one.name.startswith("."))
    return f"{folder} holds {shortened(entries) or 'nothing'}"


def shortened(names: Iterable[str]) -> str:
    """List the first few names, and how many more there are."""
    known = list(names)
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return ", ".join(known[:_SHOWN]) + more
