"""A CSV file that names every image, its kind and its side: for data in any other arrangement."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from patchcore_plugin.datasets.folder_tree import require_category
from patchcore_plugin.datasets.overlap import without_overlap
from patchcore_plugin.datasets.split import GOOD, Split, TestImage, complete
from patchcore_plugin.datasets.table_rows import Row, table_rows
from patchcore_plugin.errors import ImageError, InputError

if TYPE_CHECKING:
    from pathlib import Path

_NEEDED = ("path", "kind", "split")
_OPTIONAL = ("category", "mask")
_SIDES = ("fit", "calibrate", "test")


@dataclass(frozen=True)
class CsvManifest:
    """Columns ``path,kind,split``, and if need be ``category`` and ``mask``; ``root`` is the file.

    Paths begin at the file's folder. ``kind`` is ``good`` or the defect's name; ``split`` is ``fit``, ``calibrate`` or
    ``test``, the first two for good images only. Without a column ``category`` there is one, called as the file is.
    Several masks of an image are separated by ``;``. Where one defective image has a mask, all need one.

    Order:  as the rows stand.
    """

    layout: ClassVar[str] = "csv"
    notes: ClassVar[tuple[str, ...]] = ()

    root: Path
    categories: tuple[str, ...]
    has_masks: bool
    rows: tuple[Row, ...] = field(repr=False)

    @classmethod
    def open(cls, root: Path) -> CsvManifest:
        """Read the file and check what can be checked without looking at the images."""
        rows = table_rows(root, _NEEDED, _OPTIONAL)
        if not rows:
            raise InputError(f"{root} has no rows. Name one image on each line: {','.join(_NEEDED)}.")
        defective = [row for row in rows if row.values["kind"] != GOOD]
        has_masks = any(row.values["mask"] for row in defective)
        for row in rows:
            problem = _problem(row, has_masks)
            if problem:
                raise InputError(f"{root}, line {row.line}: {problem}")
        _refuse_repeated(root, rows)
        return cls(root, tuple(sorted({_category(root, row) for row in rows})), has_masks, tuple(rows))

    def split(self, category: str, seed: int) -> Split:  # noqa: ARG002 - the file is the split
        """List one category's images as the rows have them."""
        require_category(category, self)
        rows = [row for row in self.rows if _category(self.root, row) == category]
        side = {name: [row for row in rows if row.values["split"] == name] for name in _SIDES}
        fit, calibrate = (tuple(self._file(row, row.values["path"]) for row in side[name]) for name in _SIDES[:2])
        test = tuple(self._tested(row) for row in side["test"])
        return without_overlap(complete(Split(category, fit, calibrate, test), self.root))

    def _tested(self, row: Row) -> TestImage:
        masks = tuple(self._file(row, name) for name in _masks(row))
        return TestImage(self._file(row, row.values["path"]), row.values["kind"], masks)

    def _file(self, row: Row, name: str) -> Path:
        file = self.root.parent / name
        if not file.is_file():
            raise ImageError(
                f"{self.root}, line {row.line}: {file} is not there. Paths begin at the folder of the CSV file."
            )
        return file


def _problem(row: Row, has_masks: bool) -> str | None:
    """Say what is wrong with a row by itself."""
    path, kind, side, _, mask = (row.values[name] for name in (*_NEEDED, *_OPTIONAL))
    if not path or not kind:
        return "the path or the kind is empty. Fill both."
    if kind != GOOD and kind.lower() == GOOD:
        return f"kind is {kind!r}. Write {GOOD!r} in small letters, or name the defect."
    if side not in _SIDES:
        return f"split is {side!r}, but one of {', '.join(_SIDES)} is needed."
    if side != "test" and kind != GOOD:
        return (
            f"an image of kind {kind!r} in {side}, where only good images belong. Write {GOOD!r}, or move it to test."
        )
    if kind == GOOD and mask:
        return "a good image with a mask. Leave the mask empty, or name the defect."
    if kind != GOOD and has_masks and not _masks(row):
        return "a defective image without a mask, while others have one. Add it, or leave the column out."
    return None


def _masks(row: Row) -> list[str]:
    return [name.strip() for name in row.values["mask"].split(";") if name.strip()]


def _category(root: Path, row: Row) -> str:
    return row.values["category"] or root.stem


def _refuse_repeated(root: Path, rows: list[Row]) -> None:
    """Refuse an image that is named twice in one category: it would count twice."""
    first: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (_category(root, row), row.values["path"])
        if key in first:
            raise InputError(
                f"{root}, lines {first[key]} and {row.line}: the same path {key[1]!r} twice. Remove one of them."
            )
        first[key] = row.line
