"""The demonstration: electroluminescence images of real solar cells, from learning to report, offline.

Data: ``elpv-dataset`` (Deitsch et al., Solar Energy 185, 2019; CC BY-NC-SA 4.0), 300 x 300 px. Good are the
monocrystalline cells with defect probability 0, defective those with probability 1.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from patchcore_plugin.atomic_file import require_writable
from patchcore_plugin.datasets.split import GOOD
from patchcore_plugin.detector import PatchCore
from patchcore_plugin.errors import MissingLibraryError
from patchcore_plugin.evaluation import LabelledImages, evaluated
from patchcore_plugin.progress import Progress, silent
from patchcore_plugin.results import Results, require_page

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SHARE_LEARNED = 0.8  # of the good cells; the others and all defective ones are scored


@dataclass(frozen=True)
class SolarCells:
    """Good cells to learn from, and cells to score with what they are."""

    learned: tuple[Path, ...]
    scored: LabelledImages


def solar_cells(seed: int) -> SolarCells:
    """Split the monocrystalline cells: a seeded random share of the good ones is learned, all else is scored.

    Raises: MissingLibraryError when ``elpv-dataset`` is not installed.
    """
    found = find_spec("elpv_dataset")
    if found is None or found.origin is None:
        raise MissingLibraryError(
            "the demonstration needs the images of elpv-dataset. Install them: pip install 'patchcore-plugin[demo]'"
        )
    folder = Path(found.origin).parent / "data"
    lines = (line.split() for line in (folder / "labels.csv").read_text().splitlines())
    mono = [(folder / name, float(probability)) for name, probability, kind in lines if kind == "mono"]
    good = [path for path, probability in mono if probability == 0]
    bad = [path for path, probability in mono if probability == 1]
    shuffled = [good[i] for i in np.random.default_rng(seed).permutation(len(good))]
    count = round(SHARE_LEARNED * len(good))
    rest = sorted(shuffled[count:])
    kinds = (GOOD,) * len(rest) + ("defective",) * len(bad)
    return SolarCells(tuple(sorted(shuffled[:count])), LabelledImages((*rest, *bad), kinds))


def run_demo(
    folder: Path, *, seed: int = 0, overrides: Sequence[str] = (), progress: Progress = silent
) -> Iterator[str]:
    """Do the whole job and yield lines for a terminal as they become true."""
    cells = solar_cells(seed)
    require_page()
    require_writable(folder / "model.safetensors")
    started = time.perf_counter()
    detector = PatchCore.from_preset("default", overrides)
    detector.warm_up(progress=progress)
    ready = time.perf_counter()
    detector.fit(cells.learned, progress=progress)
    detector.save(folder / "model.safetensors")
    fitted = time.perf_counter()
    scores = detector.score(cells.scored.paths, progress=progress)
    scored = time.perf_counter()
    evaluation = evaluated(scores, cells.scored)
    results = Results(detector, scores, cells.scored.kinds, evaluation.figures)
    results.write(folder, progress=progress)
    results.write_page(
        folder,
        title="Solar cells, inspected",
        intro=(
            f"Electroluminescence images of {len(scores)} monocrystalline solar cells, "
            f"compared with {len(cells.learned)} good ones. Images: elpv-dataset, Deitsch et al., Solar Energy 185 "
            "(2019), CC BY-NC-SA 4.0."
        ),
        command=" ".join(["patchcore demo", f"--seed {seed}", *(f"--set {one}" for one in overrides)]),
        noun=("cell", "cells"),
    )
    yield f"Learned from {len(cells.learned)} good cells: {len(detector.bank)} patches remembered."
    yield from evaluation.in_words()
    yield (
        f"compiling {ready - started:.1f} s, learning {fitted - ready:.1f} s, "
        f"scoring {1000 * (scored - fitted) / len(scores):.1f} ms an image, all {time.perf_counter() - started:.1f} s"
    )
    yield f"Open {folder / 'index.html'} to see every cell with its heat map."
