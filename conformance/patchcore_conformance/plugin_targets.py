"""A plugin on a command line: named by its module or distribution, by what holds its hooks, or by a factory."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from patchcore_conformance.claims import Claims
from patchcore_conformance.plugin_process import Target
from patchcore_conformance.subject import Subject
from patchcore_conformance.targets import distribution_of, imported, look_here, required_callable
from patchcore_conformance.violation import KitError
from patchcore_plugin.hookspecs import HOOKS, PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class PluginName:
    """Stands for the factory of a plugin that goes by a name."""

    name: str

    def __call__(self) -> str:
        """Return the name."""
        return self.name


def plugin_subject(target: str, claims: Mapping[str, Any] | None, options: Mapping[str, Any] | None) -> Subject:
    """Describe a plugin; modules of the current folder are found too.

    Raises: KitError when nothing is named so, or options are given.
    """
    if options:
        raise KitError("a plugin takes no options: leave out --set.")
    look_here()
    make, origin = _factory(target), distribution_of(target)
    if isinstance(make, PluginName) and (owner := Target.of(make.name).distribution):
        origin = f"{owner} {metadata.version(owner)}"
    return Subject("plugin", make, Claims.of(claims, "plugin"), target, origin, {"installed": False, "options": {}})


def _factory(target: str) -> Callable[..., Any]:
    """Return the factory that is named; for a module, a distribution, or what holds hooks, one of its name."""
    module, colon, _ = target.partition(":")
    found = imported(target) if colon else None
    if hasattr(found, f"{PROJECT}_impl"):  # the mark of a hook, which stands for the module that holds it
        return PluginName(module)
    if found is None or any(hasattr(found, hook) for hook in HOOKS.values()):
        return PluginName(target)
    return required_callable(found, target)
