"""A ``PatchCore`` that hosts copy and pickle: what it remembers travels, parts and index are made anew."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
from host_rows import SIZE
from solar_cells import cells

from patchcore_plugin import PatchCore
from patchcore_plugin.errors import NotFittedError, WeightsError

SETTINGS = {"images": {"size": SIZE}, "neighbors": {"name": "torch-exact"}, "memory": {"budget": "8 GiB"}}


@pytest.fixture(scope="module")
def fitted():
    return PatchCore.from_config(SETTINGS).fit(cells(0.0, 10))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])  # noqa: S301  # its own
def test_a_copy_scores_bit_for_bit_as_the_first_one(copied, fitted):
    again = copied(fitted)
    before, after = fitted.score(cells(1.0, 2)), again.score(cells(1.0, 2))
    np.testing.assert_array_equal(after.image, before.image)
    np.testing.assert_array_equal(after.p_value, before.p_value)
    assert again.settings == fitted.settings
    assert again.report == fitted.report


def test_neither_parts_nor_index_are_pickled(fitted):
    state = pickle.dumps(fitted)
    assert b"TorchExact" not in state
    assert b"NumbaCnn" not in state


def test_one_that_is_not_fitted_stays_so():
    again = copy.deepcopy(PatchCore.from_config(SETTINGS))
    with pytest.raises(NotFittedError):
        again.score(cells(1.0, 1))


def test_other_weights_than_those_fitted_with_are_refused(fitted):
    state = fitted.__getstate__()
    state["bank"] = replace(state["bank"], weights_sha256="0" * 64)
    with pytest.raises(WeightsError, match="pickled detector was fitted with backbone weights"):
        PatchCore.__new__(PatchCore).__setstate__(state)
