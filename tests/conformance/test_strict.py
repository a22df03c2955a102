"""The strict parts keep what they claim, and PatchCore works with them as with plain ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from patchcore_conformance import run, strict
from patchcore_conformance.model.aggregator import LocalMean
from patchcore_conformance.model.extractor import ToyBackbone
from patchcore_conformance.model.neighbors import Exact
from patchcore_conformance.model.sampler import Greedy
from patchcore_plugin import PatchCore

KEEP = 0.2
PLAIN = {
    "extractor": ToyBackbone(),
    "aggregator": LocalMean(),
    "sampler": Greedy(keep=KEEP),
    "neighbors": Exact(),
}
STRICT = {
    "extractor": strict.extractor(),
    "aggregator": strict.aggregator(),
    "sampler": strict.sampler(keep=KEEP),
    "neighbors": strict.neighbors(),
}
SETTINGS = {"images": {"size": [48, 64]}, "sampler": {"name": "keep-all"}, "calibration": {"holdout": 0.25}}


def photographs(seed, count):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 200, (count, 6, 8, 3)).repeat(8, axis=1).repeat(8, axis=2)
    return np.clip(coarse + rng.integers(-9, 10, coarse.shape), 0, 255).astype(np.uint8)


GOOD, OTHERS = photographs(0, 12), photographs(1, 5)


def detector(**parts):
    made = PatchCore.from_config(SETTINGS)
    made.parts = replace(made.parts, **{**PLAIN, **parts})
    return made.fit(GOOD)


@pytest.mark.parametrize("kind", strict.CLAIMS)
def test_a_strict_part_keeps_what_it_claims(kind):
    run(kind, getattr(strict, kind), strict.CLAIMS[kind]).raise_for_status()


def require_alike(found, expected):
    np.testing.assert_allclose(found.image, expected.image, rtol=1e-4)
    np.testing.assert_allclose(found.patch, expected.patch, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.map(0), expected.map(0), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", [*STRICT, "all"])
def test_patchcore_scores_with_a_strict_part_as_with_a_plain_one(kind):
    parts = STRICT if kind == "all" else {kind: STRICT[kind]}
    require_alike(detector(**parts).score(OTHERS), detector().score(OTHERS))


def test_a_strict_part_shows_what_it_is_for():
    """Each freedom is really taken: otherwise a host that relies on its absence would pass."""
    rows = strict.sampler(count=3).select(np.eye(5, dtype=np.float32))
    index = strict.neighbors().build(np.ones((6, 2), dtype=np.float32))
    distances, found = index.query(np.ones((40, 2), dtype=np.float32), k=2)
    maps = strict.extractor().extract(np.zeros((1, 3, 32, 32), dtype=np.float32))
    grid = strict.aggregator().aggregate(maps)
    assert (rows.dtype, found.dtype, distances.dtype) == (np.int32, np.int32, np.float64)
    assert all(array.flags.f_contiguous for array in (distances, found))
    assert not rows.flags.c_contiguous
    assert not any(array.flags.writeable for array in (rows, distances, found, grid, *maps))
    assert not any(array.flags.c_contiguous for array in (grid, *maps))
    assert len({tuple(index.query(np.ones((1, 2), dtype=np.float32), k=2)[1][0]) for _ in range(40)}) > 1
