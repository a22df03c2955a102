"""Claim: inside anomalib's Engine, our model fits faster and in less memory than anomalib's own PatchCore.

The same Engine, images, backbone, weights, pre-processing, layers and share of rows on both sides. That both score
alike on one bank is asserted first. Each side runs in a process of its own; what it holds before the fit is subtracted,
and a small fit goes before, so that libraries and compiled code are loaded. Exit code 0 where the claim holds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.append(str(Path(__file__).parents[1]))

from peak_memory import peak_bytes
from report import machine, verdict

from patchcore_plugin.demo import solar_cells
from patchcore_plugin.metrics import image_auroc

if TYPE_CHECKING:
    import torch

CLAIM = "inside anomalib a fit takes at most 1/10 of the time and 2/3 of the memory that its own PatchCore takes"
BACKBONE, LAYERS, KEEP, SIZE = "efficientnet_lite0", ["blocks.2", "blocks.4"], 0.01, (224, 224)
STOCK = {
    "backbone": BACKBONE, "layers": LAYERS, "coreset_sampling_ratio": KEEP, "post_processor": False,
    "evaluator": False, "visualizer": False,
}  # fmt: skip


def model_of(side: str, images: int = 10) -> Any:
    """Make a model of one side; without a post-processor neither looks for a threshold, and none puts images aside."""
    from anomalib.models import Patchcore

    from patchcore_plugin.hosts.anomalib_model import PluginPatchcore

    keep = max(KEEP, 20 / images / 784)  # anomalib refuses to keep less than a row
    arguments = {**STOCK, "coreset_sampling_ratio": keep, "pre_processor": Patchcore.configure_pre_processor(SIZE)}
    if side == "ours":
        return PluginPatchcore(weights="package", sampler="pruned-greedy", neighbors="pruned-exact", **arguments)
    model = Patchcore(pre_trained=False, **arguments)
    model.model.feature_extractor.feature_extractor.load_state_dict(packaged_weights(), strict=False)
    return model


def packaged_weights() -> dict[str, torch.Tensor]:
    import torch

    from patchcore_plugin.weights import load_weights

    return {name: torch.tensor(array) for name, array in load_weights(BACKBONE).arrays.items()}


def data_of(paths: list[Path], folder: Path) -> Any:
    from anomalib.data import Folder

    (folder / "good").mkdir(parents=True)
    for number, path in enumerate(paths):
        (folder / "good" / f"{number:05}.png").symlink_to(path)
    modes = {"test_split_mode": "none", "val_split_mode": "none", "num_workers": 2}
    data = Folder("cells", root=folder, normal_dir="good", **modes)
    data.setup()
    return data


def fit(model: Any, paths: list[Path], folder: Path) -> None:
    from anomalib.engine import Engine

    Engine(accelerator="cpu", default_root_dir=folder, logger=False).fit(
        model, train_dataloaders=data_of(paths, folder).train_dataloader()
    )


def predict(model: Any, folder: Path) -> dict[str, float]:
    """Score images with the Engine: their names and scores."""
    from anomalib.data import PredictDataset
    from anomalib.engine import Engine

    run = Engine(accelerator="cpu", default_root_dir=folder, logger=False)
    found = run.predict(model, dataset=PredictDataset(path=folder / "good"))
    return {
        Path(path).name: float(score)
        for batch in found
        for path, score in zip(batch.image_path, batch.pred_score, strict=True)
    }


def require_equal_scores(paths: list[Path], folder: Path) -> None:
    """Fit ours, hand its bank to anomalib's, and compare what the Engine says of the same images."""
    ours, theirs = model_of("ours"), model_of("theirs")
    fit(ours, paths, folder)
    theirs.model.memory_bank, theirs._is_fitted = ours.model.memory_bank, ours._is_fitted
    expected, found = predict(theirs, folder), predict(ours, folder)
    assert expected.keys() == found.keys()
    worst = max(abs(found[name] / score - 1) for name, score in expected.items() if score > 1)
    assert worst < 1e-3, worst  # of training images, near rows of the bank, where anomalib's own digits end


def resident_bytes() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)


def measured(side: str, learned: list[Path], scored: list[Path]) -> dict[str, Any]:
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        require_equal_scores(learned[:10], folder / "alike")
        fit(model_of(side), learned[:10], folder / "first")
        model = model_of(side, len(learned))
        before, begun = resident_bytes(), time.perf_counter()
        peak_before = peak_bytes()
        fit(model, learned, folder / "fit")
        took, peak = time.perf_counter() - begun, peak_bytes()
        data_of(scored, folder / "scored")
        begun = time.perf_counter()
        scores = predict(model, folder / "scored")
        return {
            "fit": took,
            "score": time.perf_counter() - begun,
            "memory": peak - before if peak > peak_before else 0,
            "rows": len(model.model.memory_bank),
            "scores": [scores[name] for name in sorted(scores)],
        }


def run_alone(side: str, images: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--side", side, "--images", str(images)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> int:
    parser = argparse.ArgumentParser(description=CLAIM)
    parser.add_argument("--images", type=int, default=200, help="good images to fit on (of 470)")
    parser.add_argument("--side", choices=["ours", "theirs"])
    arguments = parser.parse_args()
    cells = solar_cells(seed=0)
    learned, scored = list(cells.learned[: arguments.images]), list(cells.scored.paths)[::4]
    if arguments.side:
        print(json.dumps(measured(arguments.side, learned, scored)))
        return 0
    results = {side: run_alone(side, arguments.images) for side in ("ours", "theirs")}
    print(CLAIM)
    print(machine(("patchcore-plugin", "anomalib", "torch", "numba", "numpy")))
    print(f"{len(learned)} images to fit, {len(scored)} to score, {SIZE[0]} px, {KEEP:.0%} of the rows; one run each")
    for side, name in (("ours", "PluginPatchcore"), ("theirs", "Patchcore")):
        one = results[side]
        print(
            f"{name:<16} fit {one['fit']:7.1f} s and {one['memory'] / 2**20:5.0f} MiB for {one['rows']} rows   "
            f"score {1000 * one['score'] / len(scored):5.1f} ms an image   "
            f"image AUROC {image_auroc(cells.scored.bad[::4], one['scores']):.4f}"
        )
    slower, heavier = (results["theirs"][part] / max(results["ours"][part], 1) for part in ("fit", "memory"))
    print(f"fit {slower:.1f} x as fast, in 1/{heavier:.1f} of the memory")
    return verdict(slower >= 10 and heavier >= 1.5)


if __name__ == "__main__":
    sys.exit(main())
