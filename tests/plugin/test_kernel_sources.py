"""Compiled code on disk: compiled again when any of its sources changes, and never otherwise."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "patchcore_plugin"
KERNELS = sorted(PACKAGE.rglob("numba_*.py"))


def kept_without_key(source: str) -> set[str]:
    """Names of functions that Numba keeps on disk though they call others and do not refer to ``sources``."""
    tree = ast.parse(source)
    compiled = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list}
    compiled |= {
        node.target.id for node in tree.body if isinstance(node, ast.AnnAssign)
    }  # intrinsics under their names
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module != "numba":
            compiled |= {alias.name for alias in node.names}
    kept = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and _is_kept(node)]
    return {node.name for node in kept if compiled & _names(node, called=True) and "sources" not in _names(node)}


def _is_kept(function):
    return any("cache=True" in ast.unparse(decorator) for decorator in function.decorator_list)


def _names(function, called=False):
    inner = [node for statement in function.body for node in ast.walk(statement)]
    found = [node.func for node in inner if isinstance(node, ast.Call)] if called else inner
    return {node.id for node in found if isinstance(node, ast.Name)}


@pytest.mark.parametrize("file", KERNELS, ids=lambda file: file.stem)
def test_what_is_kept_and_calls_other_kernels_has_their_digest_in_its_key(file):
    assert kept_without_key(file.read_text()) == set()


def test_the_check_can_fail():
    helper, entry = "@njit\ndef helper(): pass\n", "@njit(cache=True)\ndef entry():\n    {}helper()\n"
    assert kept_without_key(helper + entry.format("")) == {"entry"}
    assert kept_without_key(helper + entry.format("sources; ")) == set()
    assert kept_without_key("from elsewhere import helper\n" + entry.format("")) == {"entry"}
    assert kept_without_key("near: Any = blocks.near\n@njit(cache=True)\ndef entry():\n    near()\n") == {"entry"}


@pytest.mark.long
def test_a_change_in_a_helper_s_file_is_noticed_and_nothing_else_is_compiled_again(tmp_path):
    for package in (PACKAGE, ROOT / "reference" / "patchcore_reference"):
        shutil.copytree(package, tmp_path / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    code = (
        "import numpy as np; from patchcore_plugin.samplers import numba_differences as kernels;"
        "near = np.zeros((3, 3), np.float32);"
        "kernels.measure_all(np.eye(3, dtype=np.float32), np.arange(3), near);"
        "print(near[0, 1], sum(kernels.measure_all.stats.cache_misses.values()))"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "kept")}

    def run():
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=tmp_path)
        return done.stdout.split()

    assert [run(), run()] == [["2.0", "1"], ["2.0", "0"]]
    helper = tmp_path / "patchcore_plugin" / "samplers" / "numba_pair_distances.py"
    before = helper.read_text()
    helper.write_text(before.replace("self.builder.fsub(x, y)", "self.builder.fadd(x, x)"))
    assert helper.read_text() != before
    assert run() == ["4.0", "1"]
