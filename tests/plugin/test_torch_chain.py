"""A chain of torch parts keeps tensors as tensors, from pixels to distances; other parts read them as arrays."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from solar_cells import cells

from patchcore_plugin import PatchCore
from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.errors import ShapeError

TINY = [
    "images.size=64",
    "sampler.keep=0.1",
    "calibration.holdout=0.25",
    "extractor.name=timm",
    "extractor.backbone=efficientnet_lite0",
]
TORCH = ["aggregator.name=torch-local-mean", "sampler.name=torch-greedy", "neighbors.name=torch-exact"]


class Listener:
    """Stands in front of a part and notes which kinds of arrays go in and come out."""

    def __init__(self, part, *methods):
        self._part, self._methods, self.kinds = part, methods, []

    def __getattr__(self, name):
        found = getattr(self._part, name)
        if name not in self._methods:
            return found

        def call(argument, *more, **options):
            answer = found(argument, *more, **options)
            first = argument[0] if isinstance(argument, (tuple, list)) else argument
            self.kinds.append((name, type(first)))
            return answer

        return call


def listening(detector):
    """Let every part and every index be listened to."""
    listeners = {}
    for kind, methods in (("aggregator", ["aggregate"]), ("sampler", ["select_with_report", "select"])):
        listeners[kind] = Listener(getattr(detector.parts, kind), *methods)
        object.__setattr__(detector.parts, kind, listeners[kind])
    search = detector.parts.neighbors
    listeners["index"] = Listener(None, "query")

    class Search:
        def build(self, bank):
            listeners["index"]._part = search.build(bank)
            return listeners["index"]

    object.__setattr__(detector.parts, "neighbors", Search())
    return listeners


@pytest.fixture(scope="module")
def good():
    return cells(0.0, 8)


def test_every_part_of_a_torch_chain_is_handed_tensors(good, monkeypatch):
    detector = PatchCore.from_preset("default", [*TINY, *TORCH])
    settings = detector.parts.resolved(detector.settings)
    heard = listening(detector)
    monkeypatch.setattr(type(detector.parts), "resolved", lambda *_: settings)
    detector.fit(good).score(good[:2])
    kinds = {kind for listener in heard.values() for _, kind in listener.kinds}
    assert kinds == {torch.Tensor}
    assert {name for listener in heard.values() for name, _ in listener.kinds} >= {"aggregate", "query"}


@pytest.mark.parametrize("numpy_part", range(3))
def test_a_numpy_part_in_the_chain_reads_tensors_and_tells_the_same_scores(good, numpy_part):
    chain = list(TORCH)
    chain[numpy_part] = ["aggregator.name=local-mean", "sampler.name=numpy-greedy", "neighbors.name=numpy-exact"][
        numpy_part
    ]
    all_torch = PatchCore.from_preset("default", [*TINY, *TORCH]).fit(good).score(good)
    mixed = PatchCore.from_preset("default", [*TINY, *chain]).fit(good).score(good)
    np.testing.assert_allclose(mixed.image, all_torch.image, rtol=1e-4)


def test_a_tensor_with_gradients_or_without_values_is_refused():
    with pytest.raises(ShapeError, match="gradients"):
        as_numpy(torch.ones(2, requires_grad=True))
    with pytest.raises(ShapeError, match="cannot be read"):
        as_numpy(torch.ones(2, device="meta"))
