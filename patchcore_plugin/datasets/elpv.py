"""Electroluminescence images of solar cells, which come as a package: pip install elpv-dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from patchcore_plugin.datasets.folder_tree import require_category, require_file, require_folder
from patchcore_plugin.datasets.random_split import random_split
from patchcore_plugin.datasets.split import Split, TestImage
from patchcore_plugin.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

_LABELS = "labels.csv"
_CERTAIN = {0.0: "good", 1.0: "defective"}


@dataclass(frozen=True)
class SolarCells:
    """``labels.csv`` beside ``images/``: a line per cell with its file, the probability of a defect, and its kind.

    Cells of probability 0 are good, those of 1 defective; those between, of which the authors were not sure, take no
    part, which ``notes`` says. A random 80 % of the good cells are learned from, by the seed.

    Source: Deitsch et al., Solar Energy 185, 2019, 10.1016/j.solener.2019.02.067.
    """

    layout: ClassVar[str] = "elpv"
    has_masks: ClassVar[bool] = False

    root: Path
    categories: tuple[str, ...]
    notes: tuple[str, ...]
    cells: tuple[tuple[str, str, str], ...]  # file, good or defective, category

    @classmethod
    def open(cls, root: Path) -> SolarCells:
        """Read the labels.

        Raises: NoImagesError without ``labels.csv``; InputError for a line that is none.
        """
        require_folder(root)
        require_file(root / _LABELS)
        lines = (root / _LABELS).read_text(encoding="utf-8").splitlines()
        labels = [_label(root, number, line) for number, line in enumerate(lines, start=1) if line.strip()]
        cells = tuple((name, _CERTAIN[p], kind) for name, p, kind in labels if p in _CERTAIN)
        unsure = len(labels) - len(cells)
        notes = (f"not looked at, since their authors were not sure of them: {unsure} cells.",) if unsure else ()
        return cls(root, tuple(sorted({kind for *_, kind in cells})), notes, cells)

    def split(self, category: str, seed: int) -> Split:
        """Divide the good cells of one kind at random."""
        require_category(category, self)
        mine = [(self.root / name, told) for name, told, kind in self.cells if kind == category]
        for path, _ in mine:
            require_file(path)
        good = [path for path, told in mine if told == "good"]
        return random_split(category, good, [TestImage(path, told) for path, told in mine if told != "good"], seed)


def _label(root: Path, number: int, line: str) -> tuple[str, float, str]:
    try:
        name, probability, kind = line.split()
        return name, float(probability), kind
    except ValueError:
        raise InputError(
            f"{root / _LABELS}, line {number}: {line!r}, but a file, a probability and a kind are needed, with spaces "
            "between them, such as 'images/cell0001.png 1.0 mono'. Check that the copy is complete."
        ) from None
