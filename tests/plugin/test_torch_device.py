"""Where torch parts compute: settings that are understood or refused, and the way of arrays onto a device."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from row_families import clusters, odd_layouts, rows_of

from patchcore_plugin import components, torch_device
from patchcore_plugin.errors import ConfigError, ShapeError
from patchcore_plugin.torch_device import device_of, on_device

CPU = torch.device("cpu")
TORCH_PARTS = [
    ("aggregator", "torch-local-mean"),
    ("aggregator", "torch-adaptive-mean"),
    ("sampler", "torch-greedy"),
    ("neighbors", "torch-exact"),
]


def machine(monkeypatch, cuda=0, mps=False):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: cuda - 1)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "setting", "device"),
    [
        (0, False, "auto", "cpu"),
        (0, True, "auto", "mps"),
        (2, True, "auto", "cuda:1"),
        (2, False, "cuda", "cuda:1"),
        (2, False, "cuda:0", "cuda:0"),
        (2, True, "mps", "mps"),
        (2, True, "cpu", "cpu"),
    ],
)
def test_a_device_that_is_there_is_found(monkeypatch, cuda, mps, setting, device):
    machine(monkeypatch, cuda, mps)
    assert device_of(setting) == torch.device(device)


@pytest.mark.parametrize(
    ("setting", "here"),
    [("cuda", "'cpu' and 'mps' here"), ("cuda:0", "'cpu' and 'mps' here")],
)
def test_a_device_that_is_absent_is_refused_with_what_there_is(monkeypatch, setting, here):
    machine(monkeypatch, mps=True)
    with pytest.raises(ConfigError, match=f"device is '{setting}', but torch .* finds only {here}"):
        device_of(setting)


def test_a_card_too_many_is_refused_with_the_cards_there_are(monkeypatch):
    machine(monkeypatch, cuda=2)
    with pytest.raises(ConfigError, match="finds only 'cpu' and 'cuda:0' and 'cuda:1' here"):
        device_of("cuda:2")
    with pytest.raises(ConfigError, match="device is 'mps'"):
        device_of("mps")


@pytest.mark.parametrize("setting", ["meta", "gpu", "", "CPU", "cpu:0", "cuda:-1", "cuda:x", "cuda:01", None, 0, CPU])
def test_a_word_that_is_no_device_setting_is_refused(setting):
    with pytest.raises(ConfigError, match="only 'auto', 'cpu', 'cuda', 'cuda:1'"):
        device_of(setting)


@pytest.mark.parametrize(("kind", "name"), TORCH_PARTS)
def test_every_torch_part_refuses_an_absent_device_when_it_is_made(monkeypatch, kind, name):
    machine(monkeypatch)
    assert components.create(kind, name, device="cpu").device == "cpu"
    for setting in ("cuda", "meta"):
        with pytest.raises(ConfigError, match=f"device is '{setting}'"):
            components.create(kind, name, device=setting)


@pytest.mark.parametrize(
    "layout", ["read-only", "column order", "every second column", "reversed twice", "foreign byte order"]
)
def test_arrays_laid_out_in_any_way_arrive_as_they_are(layout):
    values = rows_of(clusters, 9, 5)
    np.testing.assert_array_equal(on_device(odd_layouts(values)[layout], CPU, "rows").numpy(), values)


def test_a_read_only_array_is_copied_and_any_other_shared():
    values = rows_of(clusters, 9, 5)
    assert np.shares_memory(on_device(values, CPU, "rows").numpy(), values)
    values.flags.writeable = False
    assert not np.shares_memory(on_device(values, CPU, "rows").numpy(), values)


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "longdouble"])
def test_numbers_of_any_kind_keep_their_values(kind):
    values = np.array([[1, 2], [100, 3]], dtype=kind)
    np.testing.assert_array_equal(on_device(values, CPU, "rows").numpy(), values)


def test_a_tensor_arrives_without_its_gradient():
    weights = torch.ones(2, 3, requires_grad=True)
    arrived = on_device(weights, CPU, "rows")
    assert not arrived.requires_grad
    assert weights.requires_grad


def test_a_list_and_an_array_of_another_library_arrive():
    class Other:
        def __init__(self, values):
            self.values = values

        def __dlpack__(self, **_):
            return self.values.__dlpack__()

        def __dlpack_device__(self):
            return self.values.__dlpack_device__()

    assert on_device([[1.0, 2.0]], CPU, "rows").tolist() == [[1, 2]]
    assert on_device(Other(np.ones((1, 2))), CPU, "rows").tolist() == [[1, 1]]


@pytest.mark.parametrize(
    "array",
    [
        np.array([True]),
        np.array(["a"]),
        np.array([1j]),
        np.array([object()]),
        [[1], [1, 2]],
        torch.ones(2, dtype=torch.bool),
        torch.ones(2, dtype=torch.complex64),
        torch.ones(2, 2).to_sparse(),
        torch.ones(2, device="meta"),
    ],
    ids=str,
)
def test_what_holds_no_real_numbers_is_refused_by_its_name(array):
    with pytest.raises(ShapeError, match="maps"):
        on_device(array, CPU, "maps")


def test_a_device_without_float64_gets_float32():
    class Moved(Exception):  # noqa: N818 - a way out, not an error
        pass

    kinds = []

    class Watched(torch.Tensor):
        def to(self, target):
            if isinstance(target, torch.device):
                kinds.append(self.dtype)
                raise Moved
            return super().to(target)

    with pytest.raises(Moved):
        on_device(torch.ones(2, dtype=torch.float64).as_subclass(Watched), torch.device("mps"), "rows")
    assert kinds == [torch.float32]


def test_the_list_of_torch_parts_is_complete():
    named = {(kind, name) for kind in components.KINDS for name in components.names(kind) if name.startswith("torch-")}
    assert named == set(TORCH_PARTS)
    assert torch_device.__all__ == ["device_of", "on_device"]
