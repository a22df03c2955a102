"""The same images through every combination of backends: do they tell the same scores?

``python tests/backend_matrix.py`` prints docs/backends.md. Two networks run on photographs of solar cells: one with its
ImageNet weights, and a residual network with random weights, since no package carries trained ones.
"""

from __future__ import annotations

import math
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
from solar_cells import cells

from patchcore_plugin import components
from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.bank_scorer import BankScorer
from patchcore_plugin.config import load_settings
from patchcore_plugin.errors import MissingLibraryError
from patchcore_plugin.images import iterate
from patchcore_plugin.memory_bank import MemoryBank, origins_of

BOUND = 1e-4  # relative, for image scores and patch scores
EXTRACTORS = {
    "efficientnet_lite0": ("numpy-cnn", "numba-cnn", "timm"),
    "resnet18": ("numpy-cnn", "torchvision", "timm"),
}
LAYERS = {"efficientnet_lite0": ["blocks.2", "blocks.4"], "resnet18": ["layer2", "layer3"]}
AGGREGATORS = (("local-mean", "torch-local-mean"), ("adaptive-mean", "torch-adaptive-mean"))  # the first is the judge
SAMPLERS = ("numpy-greedy", "numba-greedy", "pruned-greedy", "torch-greedy")
APPROXIMATE = ("faiss-hnsw", "faiss-ivf")
IMAGES = {"size": [128, 96]}
_GOOD, _ASIDE, _SCORED = 12, 6, 4


@dataclass(frozen=True)
class Cell:
    """One combination against the plain one: largest relative difference of scores, and whether a label flipped."""

    network: str
    parts: tuple[str, ...]  # extractor, aggregator, neighbors; or a sampler alone
    difference: float
    flipped: bool

    @property
    def agrees(self) -> bool:
        return self.difference <= BOUND and not self.flipped


@dataclass(frozen=True)
class Approximation:
    """An approximate search: the recall it declares, the share of patch scores it gets right, its worst error."""

    network: str
    search: str
    declared: float
    right: float
    below: float  # how far a patch score lies below the true one, relative: no distance is shorter than the shortest

    @property
    def agrees(self) -> bool:
        return self.right >= self.declared - 0.03 and self.below <= BOUND  # 768 patches are too few for closer words


def exact_searches() -> tuple[str, ...]:
    """Name every search that promises the nearest rows themselves."""
    return tuple(name for name in components.names("neighbors") if name not in APPROXIMATE)


def installed(kind: str, name: str) -> bool:
    """Say whether a part can be created here, as far as libraries go."""
    try:
        components.create(kind, name, **({"backbone": "resnet18", "layers": ["layer2"]} if name in _BARE else {}))
    except MissingLibraryError:
        return False
    return True


_BARE = {"timm", "torchvision"}  # have no default network


@cache
def _weights(network: str) -> str:
    if network != "resnet18":
        return "package"
    import torch
    import torchvision

    with torch.random.fork_rng():
        torch.manual_seed(0)
        values = torchvision.models.resnet18(weights=None).state_dict()
    path = Path(tempfile.mkdtemp(prefix="backend-matrix-")) / "resnet18.pth"
    torch.save(values, path)
    return str(path)


def _extractor(network: str, name: str) -> object:
    options = {"backbone": network, "layers": LAYERS[network], "weights": _weights(network)}
    return components.create("extractor", name, **options)


@cache
def _pixels() -> tuple[np.ndarray, int]:
    """The images as the network gets them, and how many of them are there to be remembered or to calibrate."""
    good, bad = cells(0.0, _GOOD + _ASIDE + _SCORED), cells(1.0, _SCORED)
    settings = load_settings({"images": IMAGES}).images
    return np.concatenate([batch.pixels for batch in iterate([*good, *bad], settings, batch_size=8)]), _GOOD


@dataclass(frozen=True)
class Yardstick:
    """What the plain parts answer: rows to remember, image scores, patch scores, labels."""

    rows: np.ndarray
    image: np.ndarray
    patch: np.ndarray
    label: np.ndarray


def _answer(patches: object, rows: np.ndarray, neighbors: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Remember these rows of the good images, calibrate, score the rest."""
    settings = load_settings({"images": IMAGES, "neighbors": {"name": neighbors}})
    grid = tuple(patches.shape[1:3])
    embeddings = as_numpy(patches[:_GOOD]).reshape(-1, patches.shape[-1])[rows]
    names = tuple(f"good {number}" for number in range(_GOOD))
    bank = MemoryBank(embeddings, origins_of(rows, _GOOD, grid), names, grid, settings.to_dict())
    scorer = BankScorer.build(bank, components.create("neighbors", neighbors), settings)
    sizes = [(128, 96)] * len(patches)
    aside = scorer.score(patches[_GOOD : _GOOD + _ASIDE], names[:_ASIDE], sizes[:_ASIDE])
    rest = patches[_GOOD + _ASIDE :]
    scores = scorer.calibrated(aside.image).score(rest, [str(n) for n in range(len(rest))], sizes[: len(rest)])
    return scores.image, scores.patch, scores.label


def _select(sampler: str, patches: object) -> np.ndarray:
    rows = components.create("sampler", sampler, keep=0.1, seed=0).select(
        patches[:_GOOD].reshape(-1, patches.shape[-1])
    )
    return as_numpy(rows)


@cache
def yardstick(network: str, aggregator: str) -> Yardstick:
    """Run the plain parts alone."""
    maps = _extractor(network, "numpy-cnn").extract(_pixels()[0])
    patches = components.create("aggregator", aggregator).aggregate(maps)
    rows = _select("numpy-greedy", patches)
    return Yardstick(rows, *_answer(patches, rows, "numpy-exact"))


def _compared(network: str, parts: tuple[str, ...], truth: Yardstick, answer: tuple[np.ndarray, ...]) -> Cell:
    image, patch, label = answer
    off_image = np.max(np.abs(image - truth.image) / truth.image)
    off_patch = np.max(np.abs(patch - truth.patch)) / np.max(truth.patch)
    return Cell(network, parts, float(max(off_image, off_patch)), bool((label != truth.label).any()))


def cells_of(network: str, family: tuple[str, ...]) -> list[Cell]:
    """Score through every extractor of a network, every aggregator of a family, and every search."""
    truth, found = yardstick(network, family[0]), []
    searches = [name for name in exact_searches() if installed("neighbors", name)]
    for extractor, aggregator in product(EXTRACTORS[network], family):
        if not installed("extractor", extractor) or not installed("aggregator", aggregator):
            continue
        maps = _extractor(network, extractor).extract(_pixels()[0])
        patches = components.create("aggregator", aggregator).aggregate(maps)
        for search in searches:
            answer = _answer(patches, truth.rows, search)
            found.append(_compared(network, (extractor, aggregator, search), truth, answer))
    return found


def approximations(network: str) -> list[Approximation]:
    """Let every approximate search look for the nearest rows; all else stays plain."""
    truth, found = yardstick(network, "local-mean"), []
    patches = _plain_patches(network)
    for search in APPROXIMATE:
        if installed("neighbors", search):
            bank = patches[:_GOOD].reshape(-1, patches.shape[-1])[truth.rows]
            declared = components.create("neighbors", search).build(bank).recall
            off = (_answer(patches, truth.rows, search)[1] - truth.patch) / truth.patch.max()
            right = float((np.abs(off) <= BOUND).mean())
            found.append(Approximation(network, search, declared, right, float(max(0.0, -off.min()))))
    return found


@cache
def _plain_patches(network: str) -> np.ndarray:
    maps = _extractor(network, "numpy-cnn").extract(_pixels()[0])
    return components.create("aggregator", "local-mean").aggregate(maps)


def cells_of_samplers(network: str) -> list[Cell]:
    """Let every exact greedy sampler choose what is remembered; all else stays plain."""
    truth, patches = yardstick(network, "local-mean"), _plain_patches(network)
    there = [name for name in SAMPLERS if installed("sampler", name)]
    return [
        _compared(network, (name,), truth, _answer(patches, _select(name, patches), "numpy-exact")) for name in there
    ]


def page() -> str:
    """Write docs/backends.md."""
    lines = [_HEAD]
    for network, family in product(EXTRACTORS, AGGREGATORS):
        lines += ["", f"## {network}, {family[0]}", "", *_table(cells_of(network, family))]
    lines += ["", "## Samplers", "", "| network | sampler | difference |", "|---|---|---|"]
    for network in EXTRACTORS:
        lines += [f"| {cell.network} | {cell.parts[0]} | {_words(cell)} |" for cell in cells_of_samplers(network)]
    lines += [
        "",
        "## Approximate searches",
        "",
        _APPROXIMATE_HEAD,
        "",
        "| network | search | recall declared | right |",
    ]
    lines.append("|---|---|---|---|")
    for network in EXTRACTORS:
        lines += [
            f"| {one.network} | {one.search} | {one.declared:.3f} | {one.right:.3f} |"
            for one in approximations(network)
        ]
    return "\n".join([*lines, ""])


_HEAD = f"""# Every combination of backends tells the same scores

Each cell: {_SCORED} good and {_SCORED} defective solar cells scored through one combination of extractor, aggregator
and search, against the plain NumPy parts on the same memory bank. The figure is the largest relative difference of an
image score or a patch score, rounded up to a power of ten; {BOUND:g} is the most that the test suite allows, and no
label may flip. Printed by `python tests/backend_matrix.py`; `tests/plugin/test_backend_matrix.py` computes it anew.

`resnet18` has random weights here, since no package carries trained ones; `efficientnet_lite0` those of ImageNet."""


_APPROXIMATE_HEAD = """These declare the share of nearest rows that they find, measured when the bank was built; beside
it the share of patch scores that are right within the bound on these images, which the bank has not seen."""


def _table(cells: list[Cell]) -> list[str]:
    searches = list(dict.fromkeys(cell.parts[2] for cell in cells))
    rows = ["| extractor | aggregator | " + " | ".join(searches) + " |", "|---" * (2 + len(searches)) + "|"]
    for pair in dict.fromkeys(cell.parts[:2] for cell in cells):
        told = [_words(cell) for cell in cells if cell.parts[:2] == pair]
        rows.append("| " + " | ".join([*pair, *told]) + " |")
    return rows


def _words(cell: Cell) -> str:
    figure = "0" if cell.difference == 0 else f"1e{math.ceil(math.log10(cell.difference))}"
    return f"{figure}, LABEL FLIPPED" if cell.flipped else figure


if __name__ == "__main__":
    sys.stdout.write(page())
