"""Made-up distributions for the tests of plugins: written to a folder on ``sys.path``, as an installer would."""

from __future__ import annotations

import importlib
import sys
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from patchcore_plugin import plugins
from patchcore_plugin.plugin_switches import NONE_AT_ALL, NOT_THESE, ONLY_THESE

if TYPE_CHECKING:
    from pathlib import Path

SAMPLER_PLUGIN = """
    from patchcore_plugin import Component, hookimpl

    class Sampler:
        def __init__(self, *, keep: float = 0.5): self.keep = keep
        def select(self, embeddings): return [0]

    @hookimpl
    def patchcore_coreset_samplers():
        yield Component({name!r}, factory=__name__ + ":Sampler", summary="made up")
"""


class SiteFolder:
    """A folder like site-packages, to which distributions are added one by one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.modules: list[str] = []
        path.mkdir()

    @staticmethod
    def sampler(name: str) -> str:
        """Return the source of a plugin that offers one sampler."""
        return SAMPLER_PLUGIN.format(name=name)

    def add(self, distribution: str, source: str | None = None, *, module: str = "", entries: str = "", version="1.0"):
        """Write a module (none without source) and the metadata that makes it a plugin."""
        module = module or distribution.replace("-", "_")
        if source is not None:
            self.write(module, source)
        info = self.path / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[patchcore_plugin]\n{entries or f'main = {module}'}\n")
        importlib.invalidate_caches()
        return self

    def write(self, module: str, source: str) -> None:
        """Write a module and nothing else."""
        self.modules.append(module)
        (self.path / f"{module}.py").write_text(dedent(source), encoding="utf-8")


@pytest.fixture
def site(tmp_path, monkeypatch):
    """An empty folder of distributions; nothing that a test adds is left in the process afterwards."""
    for variable in (NONE_AT_ALL, ONLY_THESE, NOT_THESE):
        monkeypatch.delenv(variable, raising=False)
    folder = SiteFolder(tmp_path / "site")
    monkeypatch.syspath_prepend(folder.path)
    plugins.registry(refresh=True)
    yield folder
    for module in folder.modules:
        sys.modules.pop(module, None)
    monkeypatch.undo()
    importlib.invalidate_caches()
    plugins.registry(refresh=True)
