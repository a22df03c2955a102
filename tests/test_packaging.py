"""The built wheel: only it shows what ships, since a development install sees the whole repository."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {"patchcore_plugin", "patchcore_reference", "patchcore_conformance"}
FOLDERS = {
    "patchcore_plugin": ROOT / "patchcore_plugin",
    "patchcore_reference": ROOT / "reference" / "patchcore_reference",
    "patchcore_conformance": ROOT / "conformance" / "patchcore_conformance",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from the repository as it lies here."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    ran = subprocess.run(build, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_exactly_the_three_packages_ship(wheel):
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert len(tops) == len(PACKAGES) + 1


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_every_source_of_a_package_ships_and_nothing_else(wheel, package):
    ships = {name for name in wheel.namelist() if name.startswith(f"{package}/")}
    folder = FOLDERS[package]
    files = {path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert ships == {f"{package}/{path.relative_to(folder).as_posix()}" for path in files}


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_every_package_is_marked_as_typed(wheel, package):
    assert f"{package}/py.typed" in wheel.namelist()


def test_the_presets_ship(wheel):
    presets = {path.name for path in (ROOT / "patchcore_plugin" / "presets").glob("*.toml")}
    assert "default.toml" in presets
    assert {f"patchcore_plugin/presets/{name}" for name in presets} <= set(wheel.namelist())


def test_the_licence_ships(wheel):
    (name,) = [name for name in wheel.namelist() if name.endswith("licenses/LICENSE")]
    assert wheel.read(name) == (ROOT / "LICENSE").read_bytes()


def test_the_command_is_declared_and_no_heavy_library_is_required(wheel):
    (entry_points,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert b"patchcore = patchcore_plugin.cli:main" in wheel.read(entry_points)
    assert b"patchcore-conformance = patchcore_conformance.cli:main" in wheel.read(entry_points)
    (metadata,) = [name for name in wheel.namelist() if name.endswith("METADATA")]
    facts = Parser().parsestr(wheel.read(metadata).decode())
    always = [line for line in facts.get_all("Requires-Dist") if "extra ==" not in line]
    assert not [line for line in always if line.startswith(("torch", "timm", "faiss", "scikit", "anomalib", "ray"))]
    assert {
        "conformance",
        "demo",
        "eval",
        "torch",
        "faiss",
        "timm",
        "anomalib",
        "pyod",
        "sklearn",
        "test",
        "docs",
    } <= set(facts.get_all("Provides-Extra"))
