"""Real photographs for tests: solar cells of elpv-dataset, whose defect probability is known."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

_FOLDER = Path(find_spec("elpv_dataset").origin).parent / "data"
IMAGES = _FOLDER / "images"


def cells(probability: float, count: int | None = None) -> list[Path]:
    """The first monocrystalline cells with a defect probability: 0 is good, 1 is defective."""
    lines = (line.split() for line in (_FOLDER / "labels.csv").read_text().splitlines())
    return [_FOLDER / name for name, p, kind in lines if kind == "mono" and float(p) == probability][:count]
