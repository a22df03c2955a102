"""Which plugins are installed: the entry points of this project's group, read without importing any of them."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from importlib import metadata

from patchcore_plugin.errors import PluginError
from patchcore_plugin.hookspecs import PROJECT
from patchcore_plugin.offers import NotLoaded
from patchcore_plugin.plugin_switches import canonical


@dataclass(frozen=True)
class PluginSource:
    """One entry point of one installed distribution."""

    distribution: str
    version: str
    entry_point: metadata.EntryPoint

    @property
    def label(self) -> str:
        """The one name that no other plugin bears."""
        return f"{self.distribution}:{self.entry_point.name}={self.entry_point.value}"

    def left_out(self, reason: str) -> NotLoaded:
        """Note that it was not to be loaded."""
        return NotLoaded(self.distribution, self.version, self.entry_point.name, reason, failed=False)

    def failed(self, problem: BaseException) -> NotLoaded:
        """Note what went wrong."""
        details = "".join(traceback.format_exception(problem))
        return NotLoaded(self.distribution, self.version, self.entry_point.name, _reason(problem), True, details)


def installed_plugins() -> tuple[list[PluginSource], list[NotLoaded]]:
    """Return the plugins of all installed distributions, and the distributions whose entry points cannot be read.

    Order:  by distribution, then entry point, so nothing depends on how ``sys.path`` is ordered.
    """
    sources: list[PluginSource] = []
    unreadable: list[NotLoaded] = []
    for name in sorted({name for each in metadata.distributions() if (name := _name_if_plugin(each))}):
        found = _sources_of(name)
        if isinstance(found, NotLoaded):
            unreadable.append(found)
        else:
            sources += found
    return sources, unreadable


def _name_if_plugin(distribution: metadata.Distribution) -> str | None:
    """Return the distribution's name if it may bring plugins.

    The text is searched before it is parsed: a malformed file of someone who is no plugin is not our concern.
    """
    try:
        is_plugin = PROJECT in (distribution.read_text("entry_points.txt") or "")
        return canonical(distribution.metadata["Name"]) if is_plugin else None
    except Exception:  # noqa: BLE001  the remains of a half-removed distribution: it has no name to be reported by
        return None


def _sources_of(name: str) -> list[PluginSource] | NotLoaded:
    try:
        # Asked for by name, so a copy that another directory of sys.path hides is not mistaken for the real one.
        distribution = metadata.distribution(name)
        entry_points = [entry for entry in distribution.entry_points if entry.group == PROJECT]
        entry_points.sort(key=lambda entry: (entry.name, entry.value))
        return [PluginSource(name, distribution.version, entry) for entry in entry_points]
    except Exception as problem:  # noqa: BLE001  another's metadata may be broken in any way
        return NotLoaded(name, "?", "entry_points.txt", _reason(problem), failed=True)


def _reason(problem: BaseException) -> str:
    if isinstance(problem, PluginError):
        return str(problem)
    return traceback.format_exception_only(problem)[-1].strip()
