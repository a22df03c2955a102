"""Tensor files read without torch: what torch and safetensors wrote comes out, and nothing in a file ever runs."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from contextlib import suppress

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_files import LAYOUTS, SMALL, saved

from patchcore_plugin.errors import WeightsError
from patchcore_plugin.tensor_file import as_float32, tensors_in


def assert_same_tensors(found, wanted):
    assert list(found) == list(wanted)
    for name, tensor in wanted.items():
        np.testing.assert_array_equal(found[name], tensor.detach().numpy(), err_msg=name)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@LAYOUTS
def test_tensors_are_read_as_torch_reads_them(archive, protocol):
    base = torch.randn(6, 8)
    tensors = {f"as {kind}": (base * 50).to(kind) for kind in (torch.float64, torch.float16, torch.int64, torch.uint8)}
    tensors |= {"columns": base.T, "window": base[1:5:2, 2:7], "scalar": torch.tensor(2.5), "none": torch.zeros(0, 3)}
    tensors |= {"yes": torch.tensor([True, False]), "trained": torch.nn.Parameter(base + 1), "i2": base.to(torch.int16)}
    extra = {"epoch": 300, "best": 0.5, "tags": ["a", None, True, 2**40, -1.0], "shape": base.shape}
    assert_same_tensors(tensors_in(saved(tensors | extra, archive=archive, protocol=protocol), "file"), tensors)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
@LAYOUTS
def test_other_floating_types_become_the_float32_that_torch_makes_of_them(archive, kind):
    tensor = (torch.randn(4, 5) * 100).to(kind)
    for data in (saved({"a": tensor.T}, archive=archive), safetensors.torch.save({"a": tensor.T.contiguous()})):
        found = as_float32(tensors_in(data, "file")["a"], "a", "file")
        np.testing.assert_array_equal(found, tensor.T.float().numpy())


def test_a_file_written_on_a_big_endian_machine_is_read_by_its_byteorder_record():
    little, big = io.BytesIO(saved({"a": torch.arange(3.0)})), io.BytesIO()
    with zipfile.ZipFile(little) as source, zipfile.ZipFile(big, "w") as target:
        for name in source.namelist():
            record = source.read(name)
            if name.endswith("data/0"):
                record = np.arange(3, dtype=">f4").tobytes()
            target.writestr(name, b"big" if name.endswith("byteorder") else record)
    np.testing.assert_array_equal(tensors_in(big.getvalue(), "file")["a"], [0, 1, 2])


@pytest.mark.parametrize("wrap", ["state_dict", "model", "model_state_dict"])
@LAYOUTS
def test_wrappers_are_opened_and_the_prefix_of_parallel_training_is_dropped(archive, wrap):
    wrapped = {wrap: OrderedDict((f"module.{name}", tensor) for name, tensor in SMALL.items()), "epoch": 3}
    assert_same_tensors(tensors_in(saved(wrapped, archive=archive), "file"), SMALL)


# --- hostile files ---


class Runs:
    """What an attacker would save: unpickled by pickle, it creates a file."""

    def __init__(self, function, *arguments):
        self.recipe = (function, arguments)

    def __reduce__(self):
        return self.recipe


@pytest.mark.parametrize("protocol", [2, 4])
@LAYOUTS
def test_a_pickle_that_would_run_a_command_is_refused_by_name_and_not_run(tmp_path, archive, protocol):
    marker = tmp_path / "ran"
    data = saved(SMALL | {"x": Runs(os.system, f"touch {marker}")}, archive=archive, protocol=protocol)
    with pytest.raises(WeightsError, match=r"file names '(posix|nt)\.system', which is no tensor; it was not executed"):
        tensors_in(data, "file")
    assert not marker.exists()
    torch.load(io.BytesIO(data), weights_only=False)
    assert marker.exists(), "the file is harmless, so that it was not run proves nothing"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Runs(eval, "1"), r"builtins\.eval|__builtin__\.eval"),
        (np.zeros(3), "numpy"),
        (slice(3), r"slice"),
        (torch.nn.Linear(2, 2), r"torch\.nn\.modules\.linear\.Linear|builtins\.set|__builtin__\.set"),
        (torch.device("cpu"), r"torch\.device"),
    ],
)
@LAYOUTS
def test_names_that_are_no_tensors_are_refused(archive, value, name):
    with pytest.raises(WeightsError, match=name):
        tensors_in(saved({"a": torch.ones(1), "x": value}, archive=archive), "file")


@pytest.mark.parametrize(
    ("program", "match"),
    [
        (pickle.dumps({"a": {1, 2}}, 4), "EMPTY_SET.*nothing was executed"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x02(ios\nsystem\n.", "INST"),
        (b"\x80\x02(S'ls'\nios\nsystem\n.", "STRING|INST"),
        (b"\x80\x02}K\x01\x85K\x02s.", "no dictionary of tensors"),
        (b"\x80\x02K\x01K\x02a.", "no list"),
        (b"\x80\x02ccollections\nOrderedDict\nK\x01\x85R.", "unknown way"),
        (b"\x80\x02K\x01)R.", "cannot be"),
        (b"\x80\x02ccollections\nOrderedDict\n}b.", "attributes"),
        (b"\x80\x02h\x07.", "damaged"),
        (b"\x80\x02\x85.", "operands"),
        (b"\x80\x02(K\x01.", "one object"),
        (b"\x80\x02K\x01Q.", "damaged"),
        (pickle.dumps([1, 2], 2), "holds no dictionary of tensors"),
        (pickle.dumps({"a": 1}, 2), "holds no dictionary of tensors"),
    ],
)
def test_programs_that_make_no_list_of_tensors_are_refused(program, match):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", program)
    with pytest.raises(WeightsError, match=match):
        tensors_in(stream.getvalue(), "file")


def with_pickle(data, old, new):
    """The same archive with bytes of its pickle replaced."""
    source, target = io.BytesIO(data), io.BytesIO()
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(target, "w") as after:
        for name in before.namelist():
            record = before.read(name)
            assert not name.endswith("data.pkl") or old in record
            after.writestr(name, record.replace(old, new) if name.endswith("data.pkl") else record)
    return target.getvalue()


def test_a_tensor_that_reaches_past_its_values_is_refused():
    data = saved({"a": torch.zeros(77)})
    for wrong in (b"K\x00K\x4e\x85", b"K\x01K\x4d\x85", b"K\x00J\xff\xff\xff\xff\x85"):
        with pytest.raises(WeightsError, match=r"reaches past|no whole number"):
            tensors_in(with_pickle(data, b"K\x00K\x4d\x85", wrong), "file")


def test_a_tensor_that_repeats_one_value_without_end_is_refused():
    with pytest.raises(WeightsError, match="reaches past its 1 stored values"):
        tensors_in(saved({"a": torch.zeros(1).expand(2**40)}), "file")


# --- broken files ---


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n" + b"\0" * 40, b"hello", b"\0" * 64, pickle.dumps({"a": 1})])
def test_a_foreign_file_is_called_foreign(data):
    with pytest.raises(WeightsError, match="no weight file"):
        tensors_in(data, "file")


def test_an_empty_file_is_called_empty():
    with pytest.raises(WeightsError, match="file is empty"):
        tensors_in(b"", "file")


def test_an_archive_that_torch_did_not_write_or_that_was_compressed_again_is_refused():
    plain, again = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(plain, "w") as archive:
        archive.writestr("a.txt", "hello")
    with zipfile.ZipFile(io.BytesIO(saved(SMALL))) as source:
        records = {name: source.read(name) for name in source.namelist()}
    with zipfile.ZipFile(again, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, record in records.items():
            archive.writestr(name, record)
    for stream, match in ((plain, "none that torch.save wrote"), (again, "compressed again")):
        with pytest.raises(WeightsError, match=match):
            tensors_in(stream.getvalue(), "file")


@pytest.mark.parametrize("writer", [saved, lambda value: saved(value, archive=False), safetensors.torch.save])
def test_a_file_cut_anywhere_is_called_truncated(writer):
    data = writer(SMALL)
    for length in [*range(13, min(400, len(data))), *range(400, len(data), 7), len(data) - 1]:
        with pytest.raises(WeightsError, match="truncated"):
            tensors_in(data[:length], "file")


@pytest.mark.parametrize("writer", [saved, lambda value: saved(value, archive=False), safetensors.torch.save])
@given(data=st.data())
def test_a_file_with_wrong_bytes_gives_tensors_or_a_weights_error(writer, data):
    damaged = bytearray(writer(SMALL))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with suppress(WeightsError):  # any other exception fails the test
        found = tensors_in(bytes(damaged), "file")
        assert all(isinstance(array, np.ndarray) for array in found.values())
