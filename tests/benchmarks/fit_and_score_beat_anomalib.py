"""Claim: a whole fit and a whole scoring run are faster here than in anomalib, at the same accuracy.

The same images, backbone, weights, layers and share of rows on both sides; each side runs in a process of its own, so
that its peak memory is its own. Exit code 0 where the claim holds. Needs anomalib and psutil.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from report import machine, verdict

from patchcore_plugin.demo import solar_cells
from patchcore_plugin.metrics import image_auroc

if TYPE_CHECKING:
    import numpy as np

CLAIM = "fit at least 5 x and score at least 2 x as fast as anomalib, image AUROC at most 0.005 lower"
KEEP, SIZE, LAYERS = 0.01, (224, 224), ("blocks.2", "blocks.4")


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def ours(learned: list[Path], scored: list[Path]) -> dict[str, object]:
    from patchcore_plugin import PatchCore

    detector = PatchCore.from_preset("default", [f"sampler.keep={KEEP}", "calibration.holdout=0"])
    detector.warm_up()  # compiled code is loaded before the clock runs, as torch's is
    begun = time.perf_counter()
    detector.fit(learned)
    fitted = time.perf_counter()
    scores = []
    for batch in detector.score_batches(scored):
        scores += batch.image.tolist()
        for i in range(len(batch)):
            batch.map(i)  # the other side draws its maps too
    return {"fit": fitted - begun, "score": time.perf_counter() - fitted, "scores": scores}


def theirs(learned: list[Path], scored: list[Path]) -> dict[str, object]:
    warnings.simplefilter("ignore")
    import torch
    from anomalib.data import Folder, PredictDataset
    from anomalib.engine import Engine
    from anomalib.models import Patchcore
    from anomalib.pre_processing import PreProcessor
    from torchvision.transforms.v2 import Compose, Normalize, Resize

    from patchcore_plugin.weights import load_weights

    look = PreProcessor(Compose([Resize(SIZE, antialias=True), Normalize([0.5] * 3, [0.5] * 3)]))
    model = Patchcore(
        backbone="efficientnet_lite0", layers=LAYERS, pre_trained=False, coreset_sampling_ratio=KEEP, num_neighbors=1,
        pre_processor=look, post_processor=False, evaluator=False, visualizer=False,
    )  # fmt: skip
    network = model.model.feature_extractor.feature_extractor
    arrays = load_weights("efficientnet_lite0").arrays
    missing = network.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()}, strict=False)
    assert not [name for name in missing.missing_keys if "num_batches_tracked" not in name]
    with tempfile.TemporaryDirectory() as folder:
        for kind, paths in (("good", learned), ("scored", scored)):
            (Path(folder) / kind).mkdir()
            for number, path in enumerate(paths):
                (Path(folder) / kind / f"{number:05}.png").symlink_to(path)
        data = Folder(
            "cells", root=folder, normal_dir="good", test_split_mode="none", val_split_mode="none", num_workers=2
        )
        data.setup()
        begun = time.perf_counter()
        Engine(accelerator="cpu", default_root_dir=folder, logger=False).fit(
            model,
            train_dataloaders=data.train_dataloader(),  # without validation, which ours does not do either
        )
        fitted = time.perf_counter()
        found = Engine(accelerator="cpu", default_root_dir=folder, logger=False).predict(
            model, dataset=PredictDataset(path=Path(folder) / "scored")
        )
        done = time.perf_counter()
    pairs = [pair for batch in found for pair in zip(batch.image_path, batch.pred_score, strict=True)]
    scores = {Path(path).name: float(score) for path, score in pairs}
    return {"fit": fitted - begun, "score": done - fitted, "scores": [scores[name] for name in sorted(scores)]}


def run_alone(side: str, arguments: argparse.Namespace) -> dict[str, object]:
    command = [sys.executable, __file__, "--side", side, "--images", str(arguments.images)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def chosen(images: int) -> tuple[list[Path], list[Path], np.ndarray]:
    cells = solar_cells(seed=0)
    return list(cells.learned[:images]), list(cells.scored.paths), cells.scored.bad


def main() -> int:
    parser = argparse.ArgumentParser(description=CLAIM)
    parser.add_argument("--images", type=int, default=150, help="good images to fit on (of 470)")
    parser.add_argument("--side", choices=["ours", "theirs"])
    arguments = parser.parse_args()
    learned, scored, bad = chosen(arguments.images)
    if arguments.side:
        result = {"ours": ours, "theirs": theirs}[arguments.side](learned, scored)
        print(json.dumps({**result, "peak": peak_megabytes()}))
        return 0
    results = {side: run_alone(side, arguments) for side in ("ours", "theirs")}
    print(CLAIM)
    print(machine(("patchcore-plugin", "anomalib", "torch", "numba", "numpy")))
    print(f"{len(learned)} images to fit, {len(scored)} to score, {SIZE[0]} px, {KEEP:.0%} of the rows; one run each")
    for side, name in (("ours", "patchcore-plugin"), ("theirs", "anomalib")):
        one = results[side]
        one["auroc"] = image_auroc(bad, one["scores"])
        print(
            f"{name:<17} fit {one['fit']:7.1f} s   score {1000 * one['score'] / len(scored):6.1f} ms an image   "
            f"peak memory {one['peak']:6.0f} MB   image AUROC {one['auroc']:.4f}"
        )
    fit, score = (results["theirs"][part] / results["ours"][part] for part in ("fit", "score"))
    gain = results["ours"]["auroc"] - results["theirs"]["auroc"]
    print(f"fit {fit:.1f} x, score {score:.1f} x as fast; image AUROC {gain:+.4f}")
    return verdict(fit >= 5 and score >= 2 and gain >= -0.005)


if __name__ == "__main__":
    sys.exit(main())
