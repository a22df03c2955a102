"""Plugins as sources, written to a folder that is gone with the process; a check ends with the path as it began."""

from __future__ import annotations

import importlib
import sys
import tempfile
from functools import cache
from pathlib import Path


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="patchcore-conformance-")


def written(module: str, source: str, distribution: str = "", entry: str = "") -> str:
    """Write a module onto the path, and what makes it an installed distribution where one is named; return its name."""
    path = Path(_folder().name)
    if str(path) not in sys.path:
        sys.path.append(str(path))
    (path / f"{module}.py").write_text(source, encoding="utf-8")
    if distribution and not (info := path / f"{distribution.replace('-', '_')}-1.0.dist-info").exists():
        info.mkdir()
        told = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\nProvides-Extra: fast\n"
        (info / "METADATA").write_text(told, encoding="utf-8")
        (info / "entry_points.txt").write_text(f"[patchcore_plugin]\n{entry or f'main = {module}'}\n", encoding="utf-8")
    importlib.invalidate_caches()
    return distribution or module
