from __future__ import annotations

import os
import subprocess
import sys

import pytest

from patchcore_plugin.atomic_file import replacing, require_writable
from patchcore_plugin.errors import OutputError


def test_a_finished_block_replaces_the_file(tmp_path):
    target = tmp_path / "new" / "folder" / "result.txt"
    with replacing(target) as temporary:
        temporary.write_text("first")
    with replacing(target) as temporary:
        temporary.write_text("second")
    assert target.read_text() == "second"
    assert os.listdir(target.parent) == ["result.txt"]


def _fail_halfway(target, failure):
    with replacing(target) as temporary:
        temporary.write_text("half of the ne")
        raise failure


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, failure):
    target = tmp_path / "result.txt"
    target.write_text("old")
    with pytest.raises(failure):
        _fail_halfway(target, failure)
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["result.txt"]


def test_results_are_as_readable_as_any_other_file(tmp_path):
    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    with replacing(tmp_path / "result") as temporary:
        temporary.write_text("x")
    assert (tmp_path / "result").stat().st_mode == ordinary.stat().st_mode


def test_a_folder_cannot_be_overwritten_by_a_file(tmp_path):
    with pytest.raises(OutputError, match="is a folder"):
        require_writable(tmp_path)


def test_a_path_below_a_file_is_refused_before_the_work(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Choose a folder"):
        require_writable(tmp_path / "file" / "model.safetensors")


FILLS_THE_DISK = """
import resource, sys
from patchcore_plugin.atomic_file import replacing
from patchcore_plugin.errors import OutputError
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))   # no file may grow beyond this: a disk that is full
try:
    with replacing(sys.argv[1]) as temporary:
        temporary.write_bytes(bytes(10_000))
except OutputError as problem:
    print(problem)
"""


def test_a_full_disk_is_reported_and_the_old_file_is_intact(tmp_path):
    target = tmp_path / "result"
    target.write_text("old")
    run = subprocess.run(
        [sys.executable, "-c", FILLS_THE_DISK, str(target)], capture_output=True, text=True, check=True
    )
    assert "Free some space" in run.stdout
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["result"]
