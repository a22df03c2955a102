"""The same images through every combination of backends, and the page that tells of it."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product
from pathlib import Path

import backend_matrix as matrix
import numpy as np
import pytest

from patchcore_plugin import components

PAGE = Path(__file__).parents[2] / "docs" / "backends.md"
COMBINATIONS = list(product(matrix.EXTRACTORS, matrix.AGGREGATORS))


@pytest.mark.long
@pytest.mark.parametrize(("network", "family"), COMBINATIONS, ids=lambda value: str(value))
def test_every_combination_tells_the_scores_of_the_plain_parts(network, family):
    cells = matrix.cells_of(network, family)
    assert {cell.parts for cell in cells} == set(product(matrix.EXTRACTORS[network], family, matrix.exact_searches()))
    assert [cell for cell in cells if not cell.agrees] == []


@pytest.mark.parametrize("network", matrix.EXTRACTORS)
def test_every_exact_sampler_leads_to_the_same_scores(network):
    cells = matrix.cells_of_samplers(network)
    assert {cell.parts[0] for cell in cells} == set(matrix.SAMPLERS)
    assert [cell for cell in cells if not cell.agrees] == []


@pytest.mark.parametrize("network", matrix.EXTRACTORS)
def test_approximate_searches_find_the_share_that_they_declare(network):
    found = matrix.approximations(network)
    assert {one.search for one in found} == set(matrix.APPROXIMATE) <= set(components.names("neighbors"))
    assert [one for one in found if not one.agrees] == []


def test_the_scores_that_are_compared_tell_good_from_bad_and_reach_both_labels():
    truth = matrix.yardstick("efficientnet_lite0", "local-mean")
    assert set(truth.label.tolist()) == {True, False}
    assert np.ptp(truth.image) > 0.1 * truth.image.mean()


def test_a_backend_that_differs_or_flips_a_label_is_seen():
    truth = matrix.yardstick("efficientnet_lite0", "local-mean")
    parts = ("numpy-cnn", "local-mean", "numpy-exact")

    def cell(**changed):
        answer = replace(truth, **changed)
        return matrix._compared("efficientnet_lite0", parts, truth, (answer.image, answer.patch, answer.label))

    assert cell().agrees
    assert not cell(image=truth.image * (1 + 2e-4)).agrees
    assert not cell(patch=truth.patch + 2e-4 * truth.patch.max()).agrees
    assert not cell(label=~truth.label).agrees


def test_the_page_names_every_combination_and_no_difference_above_the_bound():
    text = PAGE.read_text(encoding="utf-8")
    for network, family in COMBINATIONS:
        table = text.split(f"## {network}, {family[0]}")[1].split("\n## ")[0]
        assert all(f" {name} |" in table for name in matrix.exact_searches())
        for extractor, aggregator in product(matrix.EXTRACTORS[network], family):
            row = re.search(rf"^\| {extractor} \| {aggregator} \|(.*)\|$", table, re.MULTILINE)
            assert all(float(figure) <= matrix.BOUND for figure in row[1].split("|"))
