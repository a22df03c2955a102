"""Commands of ``patchcore`` that live in another package of this distribution, which this one must not import.

They are found by entry points, of this distribution only: a stranger's cannot take the place of a command.
"""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any

from patchcore_plugin.errors import PluginError
from patchcore_plugin.offers import OWN

if TYPE_CHECKING:
    from collections.abc import Callable

_GROUP = "patchcore_plugin.commands"


def borrowed(name: str) -> Callable[..., Any]:
    """Return a command to call with its words and ``prog_name``; it is imported now.

    Raises: PluginError when the installation does not know it.
    """
    try:
        found = metadata.distribution(OWN).entry_points.select(group=_GROUP, name=name)
    except metadata.PackageNotFoundError:
        found = metadata.EntryPoints()
    if not found:
        raise PluginError(f"the command {name!r} is not known to this installation. Install {OWN} again.")
    command: Callable[..., Any] = next(iter(found)).load()
    return command
