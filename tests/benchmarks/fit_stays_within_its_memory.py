"""Claim: `patchcore fit` stays within its memory budget, seen from outside, and makes the same model as without one.

By default 1,000 images at 224 px within 448 MiB, about 230 of which the program takes before it sees an image; with
``--full`` 10,000 images (N = 7,056,000 rows of 152 values to choose from, 4.4 GiB) within 2 GiB. The images are those
of elpv-dataset, turned and mirrored until there are enough, in a temporary folder; embeddings are real, and all differ.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice, product
from pathlib import Path

import numpy as np
from PIL import Image
from report import verdict

from patchcore_plugin.bank_file import read_bank
from patchcore_plugin.byte_sizes import bytes_of, in_words

TURNS = (None, *Image.Transpose)  # the eight ways to lay a square picture


@dataclass(frozen=True)
class Run:
    """A fit in a process of its own: its peak of resident memory and what it printed."""

    peak: int
    seconds: float
    told: str


def make_images(folder: Path, count: int) -> None:
    """Write ``count`` different pictures, uncompressed, so that reading them is not what takes the time."""
    found = find_spec("elpv_dataset")
    if found is None or found.origin is None:
        raise SystemExit("needs elpv-dataset: pip install 'patchcore-plugin[demo]'")
    originals = sorted((Path(found.origin).parent / "data" / "images").glob("*.png"))
    for number, (turn, path) in enumerate(islice(product(TURNS, originals), count)):
        with Image.open(path) as image:
            gray = image.convert("L")
            (gray if turn is None else gray.transpose(turn)).save(folder / f"cell{number}.bmp")


def fit(images: Path, model: Path, settings: list[str]) -> Run:
    """Run the command line; the system tells the process's peak when it ends, as GNU time does."""
    command = [sys.executable, "-c", "from patchcore_plugin.cli import main; main()", "fit", images, "--out", model]
    started = time.perf_counter()
    process = subprocess.Popen(
        [*map(str, command), *(word for one in settings for word in ("--set", one))],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if sys.stderr.isatty() else None,
        text=True,
    )
    told = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"fit ended with {process.returncode}: {told}")
    return Run(used.ru_maxrss * (1 if sys.platform == "darwin" else 1024), time.perf_counter() - started, told)


def same(one: Path, other: Path) -> bool:
    """Say whether two models hold the same rows, origins and scores, bit for bit."""
    a, b = read_bank(one), read_bank(other)
    return all(
        np.array_equal(getattr(a, name), getattr(b, name)) for name in ("embeddings", "origins", "held_out_scores")
    )


def main() -> int:
    """Measure, compare, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument(
        "--full", action="store_true", help="10,000 images within 2 GiB; takes minutes and 6 GB of disk"
    )
    options.add_argument("--sampler", default="pruned-greedy")
    options.add_argument("--keep", default="0.01")
    options.add_argument("--folder", type=Path, help="where to write images and embeddings; default: temporary files")
    arguments = options.parse_args()
    count, budget = (10_000, "2 GiB") if arguments.full else (1_000, "448 MiB")
    folder = Path(tempfile.mkdtemp(prefix="patchcore-benchmark-", dir=arguments.folder))
    try:
        (folder / "good").mkdir()
        make_images(folder / "good", count)
        settings = [f"sampler.name={arguments.sampler}", f"sampler.keep={arguments.keep}"]
        within = fit(folder / "good", folder / "within", [*settings, f"memory.budget={budget}"])
        left = sorted(entry.name for entry in folder.iterdir())
        print(f"fit on {count:,} images at 224 px within {budget}, sampler {arguments.sampler}, keep {arguments.keep}")
        print(re.sub(rf"{re.escape(str(folder))}/?", "", within.told).strip())
        print(f"with the budget:    peak {in_words(within.peak)}, {within.seconds:.0f} s")
        holds = within.peak <= bytes_of(budget) and left == ["good", "within"]
        if not arguments.full:
            free = fit(folder / "good", folder / "free", settings)
            print(f"without a budget:   peak {in_words(free.peak)}, {free.seconds:.0f} s")
            alike = same(folder / "within", folder / "free")
            print(f"the two models are {'the same, bit for bit' if alike else 'DIFFERENT'}")
            holds = holds and alike and free.peak > bytes_of(budget)
        return verdict(holds)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
