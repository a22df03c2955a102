"""Claim: the compiled extractor is not slower than torch's best. Exit code 0 where it holds. Needs torch and timm."""

from __future__ import annotations

import copy
import os
import sys
import warnings

import numba
import numpy as np
import timm
import torch
from report import Timing, print_report, take_turns, verdict

from patchcore_plugin.extractors.numba_cnn import NumbaCnn

LIMIT = 1.25
CLAIM = f"EfficientNet-Lite0 features (blocks 2 and 4, 224 x 224 px) take numba-cnn at most {LIMIT} x torch's best time"
LAYERS, STAGES = ("blocks.2", "blocks.4"), (2, 3)  # the same maps as timm counts them
TORCH_BATCHES, OUR_BATCHES = (1, 2, 4, 8, 16, 32), (1, 16)
TURNS, FINAL_TURNS, REST = 5, 15, 0.05
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def torch_network(extractor):
    """timm's network with the extractor's weights, channels last."""
    model = timm.create_model("efficientnet_lite0", features_only=True, out_indices=STAGES).eval()
    arrays = {name: torch.tensor(array) for name, array in extractor.loaded_weights().arrays.items()}
    missing = model.load_state_dict(arrays, strict=False).missing_keys
    assert not missing
    return model.to(memory_format=torch.channels_last)


def torch_variants(model):
    """The ways to make torch fast on a CPU that need no other package; batch norms are folded by the last two."""
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # TorchScript announces its retirement
        sample = torch.zeros(2, 3, 224, 224).to(memory_format=torch.channels_last)
        frozen = torch.jit.freeze(torch.jit.trace(copy.deepcopy(model), sample))
        optimised = torch.jit.optimize_for_inference(torch.jit.trace(copy.deepcopy(model), sample))
    return {"eager": model, "frozen": frozen, "optimised for inference": optimised}


def torch_runs(variants, pixels):
    """Each variant with each batch size, as a call without arguments; and the images each call does."""
    runs, images = {}, {}
    for batch in TORCH_BATCHES:
        tensor = torch.from_numpy(pixels[:batch].copy()).to(memory_format=torch.channels_last)
        for name, variant in variants.items():
            runs[f"torch, {name}, batch {batch}"] = lambda variant=variant, tensor=tensor: variant(tensor)
            images[f"torch, {name}, batch {batch}"] = batch
    return runs, images


def assert_same_maps(extractor, variants, pixels):
    ours = extractor.extract(pixels)
    for variant in variants.values():
        for found, wanted in zip(ours, variant(torch.from_numpy(pixels)), strict=True):
            assert np.abs(found - wanted.numpy()).max() <= 1e-4 * np.abs(wanted.numpy()).max()


def race() -> tuple[list[Timing], list[Timing], list[Timing]]:
    """All of torch's ways first; then the best of them against ours, in turns."""
    extractor = NumbaCnn(layers=LAYERS)
    pixels = np.random.default_rng(0).normal(size=(max(TORCH_BATCHES), 3, 224, 224)).astype(np.float32)
    variants = torch_variants(torch_network(extractor))
    assert_same_maps(extractor, variants, pixels[:3])
    runs, images = torch_runs(variants, pixels)
    heats = take_turns(runs, TURNS, images, REST)
    finalists = {min(heats, key=lambda timing: timing.median).name, min(heats, key=lambda timing: timing.best).name}
    ours = {f"numba-cnn, batch {batch}": lambda part=pixels[:batch]: extractor.extract(part) for batch in OUR_BATCHES}
    images |= {f"numba-cnn, batch {batch}": batch for batch in OUR_BATCHES}
    timings = take_turns({name: runs[name] for name in finalists} | ours, FINAL_TURNS, images, REST)
    return heats, timings[: len(finalists)], timings[len(finalists) :]


def main() -> int:
    torch.set_num_threads(CORES)
    numba.set_num_threads(CORES)
    with torch.inference_mode():
        heats, theirs, ours = race()
    libraries = ("numba", "llvmlite", "torch", "timm", "numpy")
    print_report("Torch's ways to do it:", heats, CORES, libraries)
    print()
    print_report(CLAIM, [*theirs, *ours], CORES, libraries)
    ratio = min(timing.median for timing in ours) / min(timing.median for timing in theirs)
    best = min(timing.best for timing in ours) / min(timing.best for timing in theirs)
    print(f"ratio of medians {ratio:.2f}, of best runs {best:.2f}; at most {LIMIT} is claimed")
    return verdict(ratio <= LIMIT)


if __name__ == "__main__":
    sys.exit(main())
