"""What is known of memory and disks, and what a budget says about it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchcore_plugin import disk_space
from patchcore_plugin.byte_sizes import UNITS, bytes_of, in_words
from patchcore_plugin.disk_space import MARGIN, free_bytes, require_space
from patchcore_plugin.errors import OutputError, StoreError
from patchcore_plugin.folder_lock import FolderLock
from patchcore_plugin.memory_budget import Budget, available_bytes, peak_bytes, resident_bytes


def test_resident_memory_is_what_the_system_says():
    assert resident_bytes() == pytest.approx(psutil.Process().memory_info().rss, rel=0.05)


def test_resident_memory_sees_a_large_array():
    before = resident_bytes()
    rows = np.ones(16 * 2**20, np.float32)
    assert resident_bytes() - before > 0.9 * rows.nbytes


def test_without_proc_the_peak_stands_in(monkeypatch):
    monkeypatch.setattr("pathlib.Path.read_text", lambda *_: (_ for _ in ()).throw(FileNotFoundError()))
    assert resident_bytes() == peak_bytes() >= 10 * 2**20
    assert available_bytes() == psutil.virtual_memory().total


def test_available_memory_is_no_more_than_there_is():
    assert 0 < available_bytes() <= psutil.virtual_memory().total


def test_what_is_left_of_a_budget_shrinks_with_what_the_process_holds():
    budget = Budget(resident_bytes() + 500 * 2**20)
    before = budget.left()
    rows = np.ones(25 * 2**20, np.float32)
    assert before - budget.left() > 0.9 * rows.nbytes
    assert Budget(1).left() == 0
    assert Budget(None).left() is None


@given(count=st.integers(0, 10**6), unit=st.sampled_from(sorted(UNITS)), space=st.sampled_from(["", " "]))
def test_sizes_are_read_in_every_unit(count, unit, space):
    assert bytes_of(f"{count}{space}{unit}") == bytes_of(f"{count}{space}{unit.lower()}") == count * UNITS[unit]


@given(count=st.integers(1024, 2**60))
def test_a_size_in_words_reads_back_as_about_the_same(count):
    assert bytes_of(in_words(count).replace(",", "")) == pytest.approx(count, rel=0.06)


@pytest.mark.parametrize(("count", "words"), [(17, "17 bytes"), (2**31, "2.0 GiB"), (125_829_120, "120.0 MiB")])
def test_sizes_are_told_in_words(count, words):
    assert in_words(count) == words


def test_what_lands_on_one_disk_is_added_up(tmp_path):
    half = (free_bytes(tmp_path) - MARGIN) * 2 // 3
    require_space({tmp_path / "a": half})
    with pytest.raises(OutputError, match=r"a \(.*\) and .*b \(.*are needed with a margin"):
        require_space({tmp_path / "a": half, tmp_path / "b": half})
    assert list(tmp_path.iterdir()) == []


def test_the_disk_of_a_folder_that_is_yet_to_be_made_is_that_of_the_one_above(tmp_path, monkeypatch):
    asked = []
    usage = disk_space.shutil.disk_usage
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda path: asked.append(path) or usage(path))
    free_bytes(tmp_path / "no" / "such" / "folder")
    assert asked == [tmp_path]


HOLD = (
    "import sys; from pathlib import Path; from patchcore_plugin.folder_lock import FolderLock;"
    "lock = FolderLock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
)


def test_a_lock_keeps_other_processes_out_and_goes_with_the_one_that_is_killed(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StoreError, match="in use by another fit"):
            FolderLock(tmp_path / "lock")
        os.kill(holder.pid, signal.SIGKILL)
    lock = FolderLock(tmp_path / "lock")
    lock.release()
    lock.release()
