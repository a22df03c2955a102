"""What a plugin could change in the process that loads it: looked at before and after, in ``plugin_probe``."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from typing import Any

from patchcore_conformance import surroundings
from patchcore_plugin import components, hookspecs, plugins

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM", "SIGCHLD")
_OF_THE_HOST = (components, hookspecs, plugins)
_FILTERS = "the warning filters"  # libraries add filters for warnings of their own; see ``_silenced``


def state() -> dict[str, Any]:
    """Read everything that a plugin has to leave as it was."""
    found = surroundings.state()
    found.pop(_FILTERS)
    processes = sys.modules.get("multiprocessing")
    return found | {
        "filters for all warnings": _silenced(),
        "the environment": dict(os.environ),
        "the import path": list(sys.path),
        "the finders of imports": [id(one) for one in (*sys.meta_path, *sys.path_hooks)],
        "handlers of signals": [_handler(name) for name in _SIGNALS],
        "what is done with errors": (id(sys.excepthook), id(threading.excepthook)),
        "threads": sorted(one.name for one in threading.enumerate()),
        "how processes are started": processes and processes.get_start_method(allow_none=True),
        "functions of patchcore_plugin": {
            f"{module.__name__}.{name}": id(value)
            for module in _OF_THE_HOST
            for name, value in vars(module).items()
            if callable(value)
        },
    }


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Name what is not as it was; what was not there before came with a library, and is its own."""
    return [name for name, value in after.items() if name in before and before[name] != value]


def _silenced() -> list[str]:
    """Return the filters that concern every warning there is, whatever it says and whoever warns."""
    return [str(one) for one in warnings.filters if one[1] is None and one[3] is None and one[2] is Warning]


def _handler(name: str) -> Any:
    """Return what a signal does, as something that can be compared; None where there is no such signal."""
    number = getattr(signal, name, None)
    return None if number is None else repr(signal.getsignal(number))
