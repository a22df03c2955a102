"""The layouts by name: one table, and the way from a name and a folder to a data set."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from patchcore_plugin.errors import UnknownOptionError
from patchcore_plugin.spelling import did_you_mean, listed

if TYPE_CHECKING:
    from patchcore_plugin.datasets.split import Split

# Sorted by name: a layout, and the class that reads it.
_TABLE = {
    "btad": "btad:BTAD",
    "csv": "csv_manifest:CsvManifest",
    "elpv": "elpv:SolarCells",
    "folder": "folder:Folder",
    "mtd": "mtd:MagneticTiles",
    "mvtec": "mvtec_ad:MVTecAD",
    "mvtec-ad2": "mvtec_ad2:MVTecAD2",
    "mvtec-loco": "mvtec_loco:MVTecLOCO",
    "real-iad": "real_iad:RealIAD",
    "visa": "visa:VisA",
}

LAYOUT_NAMES: tuple[str, ...] = tuple(_TABLE)


class Dataset(Protocol):
    """Labelled images in one of the layouts.

    ``categories`` are sorted. ``has_masks`` says whether every defective test image has one, so that pixels can be
    judged. ``notes`` are sentences about what lies at ``root`` and takes no part.
    """

    @property
    def layout(self) -> str: ...  # noqa: D102 (said above)
    @property
    def root(self) -> Path: ...  # noqa: D102
    @property
    def categories(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def has_masks(self) -> bool: ...  # noqa: D102
    @property
    def notes(self) -> tuple[str, ...]: ...  # noqa: D102

    def split(self, category: str, seed: int) -> Split:
        """List one category's images. Layouts with a published split ignore the seed, others draw by it.

        Order:  the same on every machine, for the same files and seed.
        Raises: UnknownOptionError for a category that is not there; NoImagesError and ImageError that name the folder,
                image or mask which is missing; InputError when an image stands on two sides, by its bytes.
        Cost:   a look at each file's size; only files of equal size are read.
        """


def open_dataset(layout: str, root: Path | str) -> Dataset:
    """Find the categories of the data set at ``root``: a folder, or for ``csv`` the file. Nothing is downloaded.

    Raises: UnknownOptionError for a layout that does not exist; NoImagesError when ``root`` does not hold that layout,
            with what was expected and what was found; InputError for a table or list that cannot be read.
    """
    if layout not in _TABLE:
        raise UnknownOptionError(
            f"there is no layout {layout!r}.{did_you_mean(layout, LAYOUT_NAMES)} Layouts: {listed(LAYOUT_NAMES)}."
        )
    module, _, name = _TABLE[layout].partition(":")
    reader = getattr(import_module(f"patchcore_plugin.datasets.{module}"), name)
    return cast("Dataset", reader.open(Path(root)))
