"""Where a patch lies counts beside what it shows: by weight, in quadrature, on the device where its values are."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch

from patchcore_plugin import PatchCore, components
from patchcore_plugin.aggregators.local_mean import LocalMean
from patchcore_plugin.aggregators.torch_local_mean import TorchLocalMean
from patchcore_plugin.aggregators.with_position import WithPosition
from patchcore_plugin.contracts import Aggregator
from patchcore_plugin.errors import ConfigError, ShapeError, UnknownComponentError, UnknownOptionError
from patchcore_reference.distances import euclidean_distances

SMALL = {"name": "local-mean", "patch_size": 1}


def random_maps(kind=np.asarray):
    rng = np.random.default_rng(0)
    return [kind(rng.normal(size=shape).astype(np.float32)) for shape in ((2, 3, 4, 5), (2, 2, 2, 3))]


def rows_of(patches):
    return np.asarray(patches[0]).reshape(-1, patches.shape[-1])


def test_the_last_two_values_are_the_weighed_centres_of_row_and_column():
    maps = random_maps()
    found = WithPosition(weight=3).aggregate(maps)
    assert isinstance(WithPosition(), Aggregator)
    assert found.shape == (2, 4, 5, 3 + 2 + 2)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[..., :-2], LocalMean().aggregate(maps))
    rows, columns = np.array([0.375, 1.125, 1.875, 2.625]), np.array([0.3, 0.9, 1.5, 2.1, 2.7])
    np.testing.assert_allclose(found[..., -2], np.broadcast_to(rows[:, None], (2, 4, 5)), rtol=1e-6)
    np.testing.assert_allclose(found[..., -1], np.broadcast_to(columns, (2, 4, 5)), rtol=1e-6)


def test_the_way_between_two_patches_adds_to_their_distance_in_quadrature():
    maps, weight = random_maps(), 2.5
    plain = euclidean_distances(*[rows_of(LocalMean().aggregate(maps))] * 2)
    found = euclidean_distances(*[rows_of(WithPosition(weight=weight).aggregate(maps))] * 2)
    row, column = np.divmod(np.arange(20), 5)
    way = np.hypot((row[:, None] - row) / 4, (column[:, None] - column) / 5)
    np.testing.assert_allclose(found, np.hypot(plain, weight * way), rtol=1e-5, atol=1e-5)


def test_alike_patches_at_opposite_edges_are_almost_the_weight_apart():
    alike = np.ones((1, 1, 100, 2), np.float32)
    found = rows_of(WithPosition(of=SMALL, weight=7).aggregate([alike]))
    assert np.linalg.norm(found[0] - found[-2]) == pytest.approx(7 * 0.99)


def test_a_weight_of_0_leaves_all_distances_as_they_are():
    maps = random_maps()
    plain, found = (rows_of(part.aggregate(maps)) for part in (LocalMean(), WithPosition(weight=0)))
    np.testing.assert_array_equal(euclidean_distances(found, found), euclidean_distances(plain, plain))


def test_tensors_come_out_of_a_torch_part_and_hold_what_arrays_hold():
    inner = {"name": "torch-local-mean", "device": "cpu"}
    found = WithPosition(of=inner, weight=2).aggregate(random_maps(torch.from_numpy))
    assert isinstance(found, torch.Tensor)
    assert found.dtype == torch.float32
    assert found.device.type == "cpu"
    expected = TorchLocalMean(device="cpu").aggregate(random_maps())
    torch.testing.assert_close(found[..., :-2], expected, rtol=0, atol=0)
    np.testing.assert_array_equal(found[..., -2:], WithPosition(weight=2).aggregate(random_maps())[..., -2:])


def test_every_option_is_written_out_and_makes_the_same_part_again():
    part = WithPosition(weight=2)
    assert part.of == {"name": "local-mean", "patch_size": 3, "border": "zero", "layer_weights": ()}
    again = components.create("aggregator", "with-position", weight=2, of=dict(part.of))
    assert again == part
    assert hash(again) == hash(part)
    assert len({part, WithPosition(), WithPosition(weight=2, of=SMALL)}) == 3
    for same in (copy.deepcopy(part), pickle.loads(pickle.dumps(part))):  # noqa: S301 - our own
        assert same == part
        np.testing.assert_array_equal(same.aggregate(random_maps()), part.aggregate(random_maps()))


def left_and_right():
    """Photographs of a disc at the left and a square at the right, each of its own noise."""
    rng = np.random.default_rng(0)
    images = rng.integers(90, 110, (9, 64, 128, 3), dtype=np.uint8)
    y, x = np.mgrid[:64, :128]
    images[:, (y - 32) ** 2 + (x - 32) ** 2 < 18**2] = 230
    images[:, 16:48, 80:112] = 20
    return images


def fitted(images, **aggregator):
    settings = {"images": {"size": [64, 128]}, "aggregator": aggregator, "sampler": {"name": "keep-all"}}
    return PatchCore.from_config(settings).fit(list(images))


def test_what_changes_places_scores_higher_with_position_and_no_score_changes_without_weight(tmp_path):
    images = left_and_right()
    good, swapped = images[:8], [images[8], images[8][:, ::-1]]
    plain = fitted(good, name="local-mean").score(swapped)
    unmoved = fitted(good, name="with-position", weight=0).score(swapped)
    np.testing.assert_allclose(unmoved.patch, plain.patch, rtol=1e-5)
    detector = fitted(good, name="with-position", weight=1000, of={"name": "local-mean"})
    moved = detector.score(swapped)
    assert detector.bank.width == 154
    assert moved.image[0] == pytest.approx(plain.image[0], rel=0.3)
    assert moved.image[1] > plain.image[1]
    detector.save(tmp_path / "model.safetensors")
    loaded = PatchCore.load(tmp_path / "model.safetensors")
    assert loaded.settings.aggregator.options["of"]["patch_size"] == 3
    np.testing.assert_array_equal(loaded.score(swapped).patch, moved.patch)


def test_the_command_line_names_weight_and_the_inner_aggregator():
    overrides = ["aggregator.name=with-position", "aggregator.weight=5", 'aggregator.of={name = "adaptive-mean"}']
    part = PatchCore.from_preset("default", overrides=overrides).parts.aggregator
    assert part == WithPosition(weight=5.0, of={"name": "adaptive-mean"})


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"weight": -1}, ConfigError, "weight is -1, but a number from 0 "),
        ({"weight": float("nan")}, ConfigError, "weight is nan"),
        ({"weight": float("inf")}, ConfigError, "weight is inf"),
        ({"weight": True}, ConfigError, "weight is True"),
        ({"weight": "much"}, ConfigError, "weight is 'much'"),
        ({"of": "local-mean"}, ConfigError, "of is 'local-mean', but a table with a name"),
        ({"of": {"patch_size": 3}}, ConfigError, "a table with a name"),
        ({"of": {"name": "local-men"}}, UnknownComponentError, "Did you mean 'local-mean'"),
        ({"of": {"name": "local-mean", "patchsize": 5}}, UnknownOptionError, "Did you mean 'patch_size'"),
        ({"of": {"name": "local-mean", "patch_size": 2}}, ConfigError, "patch_size"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_at_once(options, error, match):
    with pytest.raises(error, match=match):
        WithPosition(**options)


def test_bad_maps_are_refused_as_the_inner_aggregator_refuses_them():
    with pytest.raises(ShapeError):
        WithPosition().aggregate([np.ones((3, 3))])


def test_no_torch_is_loaded():
    code = (
        "import sys, numpy; from patchcore_plugin.aggregators.with_position import WithPosition;"
        "WithPosition().aggregate([numpy.zeros((1, 2, 3, 4))]);"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
