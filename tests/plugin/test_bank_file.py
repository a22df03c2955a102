from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from patchcore_plugin import bank_file
from patchcore_plugin.bank_file import read_bank, write_bank
from patchcore_plugin.errors import ModelFileError, OutputError
from patchcore_plugin.memory_bank import MemoryBank, origins_of


@pytest.fixture
def bank():
    rng = np.random.default_rng(0)
    return MemoryBank(
        embeddings=rng.normal(size=(50, 7)).astype(np.float32),
        origins=origins_of(rng.permutation(3 * 4 * 5)[:50], 3, (4, 5)),
        image_names=("a.png", "b.png", "ü.png"),
        grid=(4, 5),
        settings={"sampler": {"name": "keep-all"}},
        weights_sha256="0" * 64,
        held_out_scores=np.array([1.5, 2.5]),
        search_facts={"recall": 0.995, "nprobe": 7},
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_what_is_read_is_what_was_written(tmp_path, bank, dtype):
    bank = replace(bank, embeddings=bank.embeddings.astype(dtype))
    write_bank(tmp_path / "m.safetensors", bank)
    again = read_bank(tmp_path / "m.safetensors")
    assert again.embeddings.dtype == dtype
    for name in ("embeddings", "origins", "held_out_scores"):
        assert getattr(again, name).tobytes() == getattr(bank, name).tobytes()
    for name in ("image_names", "grid", "settings", "weights_sha256", "search_facts"):
        assert getattr(again, name) == getattr(bank, name)


def test_a_file_without_facts_of_a_search_is_read_too(tmp_path, bank, monkeypatch):
    whole = bank_file._metadata(bank)
    facts = json.loads(whole["facts"])
    del facts["search_facts"]
    monkeypatch.setattr(bank_file, "_metadata", lambda _: {**whole, "facts": json.dumps(facts)})
    write_bank(tmp_path / "m", bank)
    assert read_bank(tmp_path / "m").search_facts == {}


def test_origins_lead_back_to_image_and_patch(bank):
    rows = np.array([0, 4, 5, 19, 20, 59])
    assert origins_of(rows, 3, (4, 5)).tolist() == [[0, 0, 0], [0, 0, 4], [0, 1, 0], [0, 3, 4], [1, 0, 0], [2, 3, 4]]


def test_any_truncation_is_recognised(tmp_path, bank):
    whole = tmp_path / "whole"
    write_bank(whole, bank)
    data = whole.read_bytes()
    for length in (20, 200, len(data) // 2, len(data) - 1):
        (tmp_path / "cut").write_bytes(data[:length])
        with pytest.raises(ModelFileError, match="truncated"):
            read_bank(tmp_path / "cut")


def test_any_changed_byte_is_recognised(tmp_path, bank):
    path = tmp_path / "m"
    write_bank(path, bank)
    data = path.read_bytes()
    for position in [*range(8, len(data), 97), len(data) - 1]:
        path.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        with pytest.raises(ModelFileError):
            read_bank(path)


def test_a_changed_value_is_called_altered(tmp_path, bank):
    path = tmp_path / "m"
    write_bank(path, bank)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match="checksum is off"):
        read_bank(path)


def test_a_newer_format_is_called_newer(tmp_path, bank, monkeypatch):
    monkeypatch.setattr(bank_file, "FORMAT_VERSION", 2)
    write_bank(tmp_path / "m", bank)
    monkeypatch.undo()
    with pytest.raises(ModelFileError, match=r"has format 2, but this version reads format 1. Upgrade"):
        read_bank(tmp_path / "m")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "no safetensors file"),
        (b"hello", "no safetensors file"),
        ((2).to_bytes(8, "little") + b"[]", "no safetensors file"),
    ],
)
def test_a_foreign_file_is_called_foreign(tmp_path, content, complaint):
    (tmp_path / "m").write_bytes(content)
    with pytest.raises(ModelFileError, match=complaint):
        read_bank(tmp_path / "m")


def test_another_safetensors_file_is_called_foreign(tmp_path):
    save_file({"w": np.zeros(3, np.float32)}, tmp_path / "m")
    with pytest.raises(ModelFileError, match="not one of"):
        read_bank(tmp_path / "m")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelFileError, match=r"none\.safetensors cannot be read"):
        read_bank(tmp_path / "none.safetensors")


def test_settings_in_the_file_can_be_read_by_anyone(tmp_path, bank):
    from safetensors import safe_open

    write_bank(tmp_path / "m", bank)
    with safe_open(tmp_path / "m", framework="numpy") as file:
        facts = json.loads(file.metadata()["facts"])
    assert facts["settings"] == {"sampler": {"name": "keep-all"}}
    assert "numpy" in facts["versions"]


def test_an_unwritable_target_is_refused(tmp_path, bank):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        write_bank(tmp_path / "file" / "m", bank)


FILLS_THE_DISK = """
import resource, sys
import numpy as np
from patchcore_plugin.bank_file import read_bank, write_bank
from patchcore_plugin.errors import OutputError
from dataclasses import replace
bank = read_bank(sys.argv[1])
bank = replace(bank, embeddings=np.ones((5000, 7), np.float32), origins=np.zeros((5000, 3), np.int32))
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))   # no file may grow beyond this: a disk that is full
try:
    write_bank(sys.argv[1], bank)
except OutputError as problem:
    print(problem)
"""


def test_a_disk_that_fills_while_saving_leaves_the_old_model(tmp_path, bank):
    path = tmp_path / "m.safetensors"
    write_bank(path, bank)
    before = path.read_bytes()
    run = subprocess.run([sys.executable, "-c", FILLS_THE_DISK, str(path)], capture_output=True, text=True, check=True)
    assert "what was there before is unchanged" in run.stdout
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m.safetensors"]
