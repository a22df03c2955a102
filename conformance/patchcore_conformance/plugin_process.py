"""Asks a process of its own about a plugin: see ``plugin_probe`` for what is asked there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patchcore_conformance.violation import KitError, Violation
from patchcore_plugin.hookspecs import PROJECT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PATIENCE = 120.0  # seconds
_SWITCHES = ("PATCHCORE_NO_PLUGINS", "PATCHCORE_PLUGINS", "PATCHCORE_DISABLE_PLUGINS")
BUILT_IN = "patchcore_plugin.components"


@dataclass(frozen=True)
class Target:
    """A plugin: the values of its entry points; ``distribution`` where they are installed, else nothing."""

    values: tuple[str, ...]
    distribution: str = ""

    @classmethod
    def of(cls, named: Any) -> Target:
        """Find a plugin by what its factory returned: an installed distribution's name, or a module, or its name.

        Raises: KitError where there is neither.
        """
        name = getattr(named, "__name__", named)
        if not isinstance(name, str):
            raise KitError(
                f"the factory of a plugin returned {named!r}, but the name of a module or distribution is needed."
            )
        try:
            entries = metadata.distribution(name).entry_points
        except (metadata.PackageNotFoundError, ValueError):
            entries = metadata.EntryPoints()
        values = tuple(entry.value for entry in entries if entry.group == PROJECT)
        if values:
            return cls(values, name)
        if not _is_module(name.partition(":")[0]):
            raise KitError(
                f"{name!r} is no module, and no installed distribution with entry points in group {PROJECT}."
            )
        return cls((name,))

    @property
    def modules(self) -> list[str]:
        """The modules behind the entry points."""
        return [value.partition(":")[0].partition("[")[0].strip() for value in self.values]

    @property
    def extras(self) -> tuple[str, ...] | None:
        """The extras that the distribution declares; None where nothing is installed."""
        if not self.distribution:
            return None
        return tuple(metadata.distribution(self.distribution).metadata.get_all("Provides-Extra") or ())

    @property
    def always_there(self) -> frozenset[str]:
        """Distributions that are installed along with this one, extras left aside."""
        needs = metadata.requires(self.distribution) or [] if self.distribution else []
        return frozenset(_name_of(need) for need in needs if "extra" not in need.partition(";")[2])


def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def canonical(name: str) -> str:
    """Return a distribution's name as indexes spell it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def modules_of(distribution: str) -> list[str]:
    """Return the modules that an installed distribution brings; none where there is none of that name."""
    wanted = canonical(distribution)
    owners = metadata.packages_distributions().items()
    found = {module for module, names in owners if wanted in set(map(canonical, names))}
    return sorted(module for module in found if module.isidentifier() and not module.startswith("_"))


def _name_of(requirement: str) -> str:
    found = re.match(r"\s*([\w.-]+)", requirement)
    return canonical(found[1]) if found else ""


def asked(way: str, environment: Mapping[str, str] | None = None, paths: Sequence[str] = (), **question: Any) -> Any:
    """Ask the other process; Violation when it gives no answer at all."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, "question.json"), Path(folder, "answer.json")]
        files[0].write_text(json.dumps({"way": way, **question}), encoding="utf-8")
        command = [sys.executable, "-m", "patchcore_conformance.plugin_probe", *map(str, files)]
        try:
            ran = subprocess.run(  # noqa: S603 - our own module
                command,
                env=_environment(environment or {}, paths),
                capture_output=True,
                text=True,
                timeout=_PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired as problem:
            raise Violation(f"loading the plugin took longer than {_PATIENCE:g} s") from problem
        if not files[1].exists():
            raise Violation(f"loading the plugin ended the process (exit code {ran.returncode}): {ran.stderr[-600:]}")
        return json.loads(files[1].read_text(encoding="utf-8"))


def _environment(changes: Mapping[str, str], paths: Sequence[str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _SWITCHES}
    python_path = os.pathsep.join([*paths, *(path for path in sys.path if path)])
    return {**kept, "PYTHONPATH": python_path, **changes}


def install(folder: str, distribution: str, values: Sequence[str]) -> None:
    """Write what makes a folder on the path look as if a distribution with these entry points was installed there."""
    info = Path(folder, f"{distribution.replace('-', '_')}-1.0.dist-info")
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n", encoding="utf-8")
    lines = [f"part-{place} = {value}" for place, value in enumerate(values)]
    (info / "entry_points.txt").write_text("\n".join([f"[{PROJECT}]", *lines, ""]), encoding="utf-8")
