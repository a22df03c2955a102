"""PatchCore anomaly detection with swappable, verified parts.

A newcomer reads: README, ``detector.py``, ``contracts.py``, ``patchcore_reference``, ``samplers/keep_all.py``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from patchcore_plugin.detector import PatchCore
    from patchcore_plugin.hookspecs import Component, hookimpl
    from patchcore_plugin.scores import Scores

__all__ = ["Component", "PatchCore", "Scores", "components", "hookimpl"]
__version__ = "0.1.0"

# Where each public name lives: loaded when asked for, so that importing the package stays light.
_HOMES = {
    "Component": "patchcore_plugin.hookspecs",
    "PatchCore": "patchcore_plugin.detector",
    "Scores": "patchcore_plugin.scores",
    "hookimpl": "patchcore_plugin.hookspecs",
}


def __getattr__(name: str) -> Any:
    if name == "components":
        return import_module("patchcore_plugin.components")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'patchcore_plugin' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
