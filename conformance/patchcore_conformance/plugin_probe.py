"""A process of its own that loads a plugin and tells what happened: its modules, its hooks, its records, its deeds.

Started by ``plugin_process``. Whatever a plugin does at import, it does here and not in the process that judges it.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import sys
import time
import types
from collections.abc import Iterable
from difflib import get_close_matches
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np  # noqa: F401 - part of every host, so it is no part of a plugin's time
import pluggy

from patchcore_conformance import plugin_surroundings
from patchcore_plugin import components, hookspecs, plugins
from patchcore_plugin.hookspecs import HOOKS, PROJECT, Component

# What a host does not want to wait for when it lists names.
HEAVY = (
    "anomalib", "cupy", "cv2", "faiss", "jax", "keras", "lightning", "llvmlite", "matplotlib", "mxnet", "numba",
    "onnxruntime", "pandas", "pyod", "pytorch_lightning", "ray", "sklearn", "tensorflow", "timm", "torch",
    "torchvision", "transformers", "xgboost",
)  # fmt: skip
_CODE = (".py", ".pyc", ".so", ".pyd", ".dll", ".dylib", ".zip", ".egg", ".pth")
_METADATA = (".dist-info", ".egg-info")
# The first may well happen at import.
_WATCHED = ("open", "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.mkdir", "os.remove")


class _Absent:
    """Makes libraries look as if they were not installed."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = frozenset(names)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:  # noqa: ARG002 - asked by position
        """Refuse to find them."""
        if name.split(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


class _Deeds:
    """Notes what leaves the process or enters it, while it is told to."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.listening = False
        self.importing = False
        self.written: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.listening and event in _WATCHED and not (event == "open" and _is_code(arguments[0])):
            self.seen.append(f"{event} {arguments[0]!s:.200}")
        if self.importing and (event in _WATCHED[1:] or (event == "open" and _writes(*arguments))):
            self.written.append(f"{event} {arguments[0]!s:.200}")


def _writes(path: Any, mode: Any, flags: Any) -> bool:
    """Say whether a file is opened to be written, other than one that Python keeps compiled code in."""
    to_be_written = set(mode) & set("wax+") if isinstance(mode, str) else flags & (os.O_WRONLY | os.O_RDWR)
    return bool(to_be_written) and isinstance(path, (str, bytes)) and "__pycache__" not in os.fsdecode(path)


def _is_code(path: Any) -> bool:
    if not isinstance(path, (str, bytes)):
        return True  # a file that is open already
    text = path.decode(errors="replace") if isinstance(path, bytes) else path
    return text.endswith(_CODE) or any(word in text for word in _METADATA)


def look(values: list[str], absent: list[str], factories: bool = False) -> dict[str, Any]:
    """Load entry points one by one, call their hooks twice, and tell all that happened; import factories if asked."""
    sys.meta_path.insert(0, _Absent(absent))
    found: dict[str, Any] = {"seconds": 0.0, "error": "", "hooks": [], "first": [], "second": [], "bad": []}
    deeds, before, said = _Deeds(), _loaded(), io.StringIO()
    with contextlib.redirect_stdout(said):
        around = plugin_surroundings.state()
        for value in values:
            try:
                _load(value, found, deeds)
            except (Exception, SystemExit) as problem:  # noqa: BLE001 - a stranger's code may raise anything
                found["error"] = f"{value}: {type(problem).__name__}: {problem}"
                break
        found["changed"] = plugin_surroundings.changed(around, plugin_surroundings.state())
    built_in = {kind: [part.name for part in getattr(components, hook)()] for kind, hook in HOOKS.items()}
    heavy = sorted((_loaded() - before) & set(HEAVY))
    resolved = [_resolved(record) for record in found["first"]] if factories else []
    told = {
        "heavy": heavy,
        "said": said.getvalue(),
        "deeds": deeds.seen,
        "written": deeds.written,
        "built_in": built_in,
        "resolved": resolved,
    }
    return {**found, **told}


def _load(value: str, found: dict[str, Any], deeds: _Deeds) -> None:
    started, deeds.importing = time.perf_counter(), True
    try:
        plugin = metadata.EntryPoint(name="judged", value=value, group=PROJECT).load()
    finally:
        deeds.importing = False
    found["seconds"] += time.perf_counter() - started
    _ask_twice(plugin, found, deeds)


def _loaded() -> set[str]:
    return {name.partition(".")[0] for name in sys.modules}


def _ask_twice(plugin: Any, found: dict[str, Any], deeds: _Deeds) -> None:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    found["hooks"] += _complaints(manager, plugin)
    for turn in ("first", "second"):
        for kind, hook in HOOKS.items():
            deeds.listening = True
            try:
                found[turn] += _records(manager, kind, hook, found["bad"])
            finally:
                deeds.listening = False


def _complaints(manager: pluggy.PluginManager, plugin: Any) -> list[str]:
    """Register a plugin, and tell which of its hooks nobody would ever call."""
    told = []
    try:
        manager.register(plugin)
        manager.check_pending()
    except pluggy.PluginValidationError as problem:
        told.append(str(problem))
    callers = manager.get_hookcallers(plugin) or []
    named = {caller.name for caller in callers}
    wrappers = [one for caller in callers for one in caller.get_hookimpls() if one.wrapper or one.hookwrapper]
    told += [f"{one.function.__name__} wraps other hooks instead of answering" for one in wrappers]
    for name, member in vars(plugin).items() if hasattr(plugin, "__dict__") else ():
        own = isinstance(member, types.FunctionType) and member.__module__ == getattr(plugin, "__name__", None)
        if own and name not in named and get_close_matches(name, HOOKS.values(), cutoff=0.85):
            told.append(f"{name} is never called: it does not bear patchcore_plugin.hookimpl, or no hook has its name")
    if not named:
        told.append(f"no hook is implemented; there are {', '.join(HOOKS.values())}")
    return told


def _records(manager: pluggy.PluginManager, kind: str, hook: str, bad: list[str]) -> list[dict[str, Any]]:
    found = []
    for implementation in getattr(manager.hook, hook).get_hookimpls():
        answer = implementation.function()
        if isinstance(answer, (Component, str)) or not isinstance(answer, Iterable):
            bad.append(f"{hook} returned {answer!r:.200}, but a list of Component records is needed, or a generator")
            continue
        for record in answer:
            if isinstance(record, Component):
                found.append({"kind": kind, **plain_record(record)})
            else:
                bad.append(f"{hook} gave {record!r:.200}, but Component records are needed")
    return found


def plain_record(record: Component) -> dict[str, Any]:
    """Return a record as plain data."""
    names = ("name", "factory", "summary", "requires", "extra", "api")
    return {**{name: getattr(record, name) for name in names}, "claims": dict(record.claims)}


def _resolved(record: dict[str, Any]) -> dict[str, Any]:
    """Import a factory, and tell what came of it, and what it brought along that its record does not name."""
    told: dict[str, Any] = {"kind": record["kind"], "name": record["name"], "problem": "", "absent": [], "brought": []}
    for library in record["requires"]:
        try:
            importlib.import_module(library)
        except ImportError:
            told["absent"].append(library)
    before = _loaded()
    if told["absent"]:
        return told
    try:
        module, _, path = record["factory"].partition(":")
        factory: Any = importlib.import_module(module)
        for name in path.split("."):
            factory = getattr(factory, name)
    except (Exception, SystemExit) as problem:  # noqa: BLE001 - a stranger's code may raise anything
        return {**told, "problem": f"{type(problem).__name__}: {problem}"}
    told["brought"] = sorted((_loaded() - before) & set(HEAVY))
    needed = {"extractor": ["extract"], "aggregator": ["aggregate"], "sampler": ["select"], "neighbors": ["build"]}
    if not callable(factory):
        told["problem"] = f"it is {factory!r:.100}, which cannot be called"
    elif isinstance(factory, type) and not all(hasattr(factory, name) for name in needed[record["kind"]]):
        told["problem"] = f"{factory.__name__} has no {' and no '.join(needed[record['kind']])}"
    return told


def host(api: int, watched: list[str]) -> dict[str, Any]:
    """Let the product itself load what is installed, twice, and tell what is on offer then."""
    hookspecs.API = api
    plugins.registry(refresh=True)
    first = plugins.describe()
    plugins.registry(refresh=True)
    second = plugins.describe()
    plain = json.loads(json.dumps({"parts": first[0], "not_loaded": first[1]}))
    return {**plain, "again": json.loads(json.dumps(second[0])), "imported": [m for m in watched if m in sys.modules]}


def main(question: str, answer: str) -> None:
    """Read a question from a file, and write the answer to another: plugins may print."""
    asked = json.loads(Path(question).read_text(encoding="utf-8"))
    told = look(**asked) if asked.pop("way") == "look" else host(**asked)
    Path(answer).write_text(json.dumps(told, default=repr), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
