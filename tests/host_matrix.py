"""Each host's classes on the same real data with every exact search: do they tell the same scores?

``python tests/host_matrix.py`` prints the table of docs/hosts.md.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from host_rows import EXACT, SIZE, cell_patches
from solar_cells import cells

from patchcore_plugin.hosts.pyod_detector import MemoryBankOD, PatchCoreOD
from patchcore_plugin.hosts.sklearn_estimator import MemoryBankDetector
from patchcore_plugin.hosts.sklearn_images import PatchCoreDetector

BOUND = 1e-4  # relative, of any score


def _rows_scored(detector):
    patches = cell_patches()
    return detector.fit(patches.good).decision_function(patches.defective)


def _images_scored(detector):
    return detector.fit(cells(0.0, 6)).decision_function(cells(1.0, 3))


def _scored_inside_anomalib(search):
    import torch
    from anomalib_cells import model, photographs  # brings anomalib, which takes its time

    found = model(neighbors=search, post_processor=False)
    with torch.no_grad():
        found.train()
        found.model(found.pre_processor(photographs(0.0, 6)))
        found.fit()
    return found.eval()(photographs(1.0, 3)).pred_score.numpy()


HOSTS = {
    "anomalib, PluginPatchcore": _scored_inside_anomalib,
    "PyOD, MemoryBankOD": lambda search: _rows_scored(MemoryBankOD(neighbors=search)),
    "PyOD, PatchCoreOD": lambda search: _images_scored(PatchCoreOD(image_size=SIZE, neighbors=search)),
    "scikit-learn, MemoryBankDetector": lambda search: _rows_scored(MemoryBankDetector(neighbors=search)),
    "scikit-learn, PatchCoreDetector": lambda search: _images_scored(
        PatchCoreDetector(image_size=SIZE, neighbors=search)
    ),
}


@cache
def scores(host: str, search: str) -> np.ndarray:
    """What a host's class answers with a search."""
    return HOSTS[host](search)


def difference(host: str, search: str) -> float:
    """The largest difference to the plain search, relative to the largest score."""
    plain = scores(host, "numpy-exact")
    return float(np.abs(scores(host, search) - plain).max() / np.abs(plain).max())


def in_words(value: float) -> str:
    """Round up to a power of ten."""
    return "0" if value == 0 else f"1e{math.ceil(math.log10(value))}"


def table() -> str:
    """Write the table of the page."""
    body = [f"| {' | '.join([host, *(in_words(difference(host, one)) for one in EXACT)])} |" for host in HOSTS]
    return "\n".join([f"| host | {' | '.join(EXACT)} |", f"|---|{'---|' * len(EXACT)}", *body])


if __name__ == "__main__":
    print(table())  # noqa: T201  # for the page
