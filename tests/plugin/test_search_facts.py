"""What an approximate search declares is kept with the model, and told at the end of a fit."""

from __future__ import annotations

import json

import numpy as np
import pytest
from solar_cells import cells

from patchcore_plugin import PatchCore
from patchcore_plugin.bank_file import read_bank

SMALL = ["images.size=64", "sampler.keep=0.3"]


@pytest.mark.parametrize("search", ["faiss-ivf", "faiss-hnsw"])
def test_the_measured_recall_is_saved_with_the_settings_it_was_measured_with(search, tmp_path):
    detector = PatchCore.from_preset("default", [*SMALL, f"neighbors.name={search}"]).fit(cells(0.0, 8))
    told = detector.bank.search_facts
    assert told == detector.scorer.index.facts
    assert (told["search"], told["recall wanted"]) == (search, 0.99)
    detector.save(tmp_path / "m.safetensors")
    assert read_bank(tmp_path / "m.safetensors").search_facts == told
    loaded = PatchCore.load(tmp_path / "m.safetensors")
    assert loaded.scorer.index.facts == told  # made again, equal
    bad = cells(1.0, 2)
    assert loaded.score(bad).image.tobytes() == detector.score(bad).image.tobytes()


def test_the_end_of_a_fit_tells_the_recall():
    fitted = PatchCore.from_preset("default", [*SMALL, "neighbors.name=faiss-ivf"]).fit(cells(0.0, 8))
    lines = "\n".join(fitted.report.in_words())
    assert f"recall {fitted.bank.search_facts['recall']:.4g}" in " ".join(lines.split())


def test_an_exact_search_has_nothing_to_tell():
    assert PatchCore.from_preset("default", SMALL).fit(cells(0.0, 4)).bank.search_facts == {}


def test_facts_that_no_file_can_hold_are_told_in_words(monkeypatch):
    detector = PatchCore.from_preset("default", [*SMALL, "neighbors.name=faiss-hnsw"])
    kind = type(detector.parts.neighbors.build(np.ones((2, 2))))
    monkeypatch.setattr(kind, "facts", property(lambda self: {"kind": np.float32, "share": np.float64(0.5)}))
    told = detector.fit(cells(0.0, 4)).bank.search_facts
    assert told == json.loads(json.dumps(told)) == {"kind": "<class 'numpy.float32'>", "share": 0.5}


def test_exact_faiss_scores_as_the_default_does():
    good, bad = cells(0.0, 6), cells(1.0, 3)
    plain = PatchCore.from_preset("default", SMALL).fit(good).score(bad)
    swapped = PatchCore.from_preset("default", [*SMALL, "neighbors.name=faiss-flat"]).fit(good).score(bad)
    np.testing.assert_allclose(swapped.image, plain.image, rtol=1e-6)
    np.testing.assert_array_equal(swapped.nearest, plain.nearest)
