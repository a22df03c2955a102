"""Which short vectors are made: a question of what they cost and save, with one centre and scale for all answers."""

from __future__ import annotations

import numpy as np
import pytest
from row_families import clusters, rows_of

from patchcore_plugin.errors import NonFiniteError
from patchcore_plugin.samplers.axes import fit_axes

PLENTY = 10**9  # rows to choose, as far as the cost of choosing them goes


def few_directions(rows, width):
    random = np.random.default_rng(0)
    points = random.standard_normal((rows, 6)) @ random.standard_normal((6, width))
    return (points + 0.05 * random.standard_normal((rows, width))).astype(np.float32)


def all_directions(rows, width):
    return np.random.default_rng(0).standard_normal((rows, width)).astype(np.float32)


@pytest.mark.parametrize(
    ("made", "width", "most", "roomy", "short"),
    [
        (few_directions, 80, PLENTY, True, 33),
        (few_directions, 80, PLENTY, False, 33),
        (few_directions, 80, 100, True, 1),
        (all_directions, 80, PLENTY, True, 81),
        (all_directions, 80, PLENTY, False, 1),
        (all_directions, 80, 100, True, 1),
        (all_directions, 2500, 600, True, 1),
        (few_directions, 66, PLENTY, True, 67),
        (few_directions, 66, PLENTY, False, 33),
    ],
)
def test_short_vectors_are_made_where_they_pay(made, width, most, roomy, short):
    assert fit_axes(made(2000, width), 33, most, roomy).width == short


def test_centre_and_scale_do_not_depend_on_what_is_made():
    rows = rows_of(clusters, 3000, 80)
    laws = [fit_axes(rows, width, most, True) for width, most in ((33, PLENTY), (33, 10), (9, PLENTY))]
    assert len({law.width for law in laws}) == 3
    for law in laws:
        np.testing.assert_array_equal(law.centre, laws[0].centre)
        assert law.scale == laws[0].scale


def test_what_is_not_finite_is_named_with_its_place():
    rows = all_directions(50, 4)
    rows[7, 2] = np.nan
    with pytest.raises(NonFiniteError, match=r"\[7, 2\]"):
        fit_axes(rows, 3, 10, True)
