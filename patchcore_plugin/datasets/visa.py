"""VisA: twelve objects, with the split that its authors published as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from patchcore_plugin.datasets.folder_tree import require_category, require_folder, shortened, what_is_in
from patchcore_plugin.datasets.overlap import without_overlap
from patchcore_plugin.datasets.split import GOOD, Split, TestImage, complete
from patchcore_plugin.datasets.table_rows import Row, table_rows
from patchcore_plugin.errors import ImageError, InputError, NoImagesError

if TYPE_CHECKING:
    from pathlib import Path

_COLUMNS = ("object", "split", "label", "image", "mask")
_MEANINGS = {("train", "normal"), ("test", "normal"), ("test", "anomaly")}  # of the columns split and label


@dataclass(frozen=True)
class VisA:
    """``CATEGORY/Data/Images/Normal`` and ``Anomaly``, ``CATEGORY/Data/Masks/Anomaly``, and ``split_csv/1cls.csv``.

    The table gives each image's side; its paths begin at the root. A mask's values number the defects, so that
    everything above zero counts. The only kind of defect is called ``anomaly``. Objects of the table whose folder is
    not there are left out, which ``notes`` says.

    Source: Zou et al., ECCV 2022, arXiv:2207.14315.
    """

    layout: ClassVar[str] = "visa"
    has_masks: ClassVar[bool] = True

    root: Path
    categories: tuple[str, ...]
    notes: tuple[str, ...]

    @classmethod
    def open(cls, root: Path) -> VisA:
        """Read which objects the table has, and keep those that are there."""
        require_folder(root)
        objects = sorted({row.values["object"] for row in table_rows(_table(root), _COLUMNS)})
        there = tuple(name for name in objects if (root / name).is_dir())
        if not there:
            raise NoImagesError(
                f"the folders {shortened(objects) or 'of at least one object'} are expected in {root}, as "
                f"{_table(root)} names them, but {what_is_in(root)}. Check that the copy is complete."
            )
        absent = [name for name in objects if name not in there]
        return cls(root, there, (f"in the table but not on disk: {shortened(absent)}.",) if absent else ())

    def split(self, category: str, seed: int) -> Split:  # noqa: ARG002 - the split is published
        """List one object's images as the table has them."""
        require_category(category, self)
        rows = [row for row in table_rows(_table(self.root), _COLUMNS) if row.values["object"] == category]
        for row in rows:
            self._check(row)
        fit = tuple(self._file(row, "image") for row in rows if row.values["split"] == "train")
        test = [self._tested(row) for row in rows if row.values["split"] == "test"]
        split = Split(category, tuple(sorted(fit)), (), tuple(sorted(test, key=_by_kind)))
        return without_overlap(complete(split, _table(self.root)))

    def _check(self, row: Row) -> None:
        if (row.values["split"], row.values["label"]) not in _MEANINGS:
            raise InputError(
                f"{_table(self.root)}, line {row.line}: split {row.values['split']!r} with label "
                f"{row.values['label']!r}, but images to train are normal, and those to test normal or anomaly. "
                "Take the table 1cls.csv as published."
            )

    def _tested(self, row: Row) -> TestImage:
        if row.values["label"] == "normal":
            return TestImage(self._file(row, "image"), GOOD)
        return TestImage(self._file(row, "image"), "anomaly", (self._file(row, "mask"),))

    def _file(self, row: Row, column: str) -> Path:
        file = self.root / row.values[column]
        if not file.is_file():
            raise ImageError(
                f"{_table(self.root)}, line {row.line}: the {column} {file} is not there. "
                "Check that the copy is complete."
            )
        return file


def _table(root: Path) -> Path:
    return root / "split_csv" / "1cls.csv"


def _by_kind(image: TestImage) -> tuple[str, Path]:
    return image.kind, image.path
