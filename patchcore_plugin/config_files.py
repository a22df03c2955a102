"""Reading a configuration file as plain data: TOML, YAML or JSON, told apart by the ending; and the shipped presets."""

from __future__ import annotations

import json
import sys
from importlib import resources
from typing import TYPE_CHECKING, Any

import yaml

from patchcore_plugin.errors import ConfigError
from patchcore_plugin.spelling import did_you_mean, listed

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def read_config(path: Path) -> dict[str, Any]:
    """Read one configuration file; an empty one sets nothing.

    Raises: ConfigError, with the line where the parser knows it, when the file is missing, unreadable, of another kind,
            malformed, no table at its top, or sets something twice.
    """
    parse = _PARSERS.get(path.suffix.lower())
    if parse is None:
        raise ConfigError(f"{path}: the ending {path.suffix!r} is not known. Use one of {listed(_PARSERS)}.")
    try:
        return _table(parse(path.read_text(encoding="utf-8-sig")), path)
    except OSError as problem:
        raise ConfigError(
            f"{path} cannot be read: {problem.strerror}. Check the path and its permissions."
        ) from problem
    except (ValueError, RecursionError, yaml.YAMLError) as problem:
        raise ConfigError(f"{path}{_place(problem)}: {_what(problem)}. Correct the file.") from problem


def presets() -> tuple[str, ...]:
    """Return the names of the presets that ship with the package, sorted."""
    folder = resources.files("patchcore_plugin") / "presets"
    return tuple(sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml")))


def read_preset(name: str) -> dict[str, Any]:
    """Read one preset.

    Raises: ConfigError when there is no such preset; the text lists those that exist.
    """
    known = presets()
    if name not in known:
        raise ConfigError(f"there is no preset {name!r}.{did_you_mean(name, known)} Presets: {listed(known)}.")
    text = (resources.files("patchcore_plugin") / "presets" / f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def parse_value(text: str) -> Any:
    """Read a value from the command line as TOML has it: ``0.01``, ``true``, ``[224, 224]``; all else is plain text."""
    try:
        found = tomllib.loads(f"value = {text}")
    except ValueError:
        return text
    plain = isinstance(found["value"], (str, int, float, list, dict))  # else a date, which no setting is
    return found["value"] if plain and len(found) == 1 else text


class _OnceOnly(yaml.SafeLoader):
    """YAML's safe reader, but a key written twice is an error: the first of the two would be lost in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is set twice", key.start_mark)
            if isinstance(key, yaml.ScalarNode):
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def _parse_yaml(text: str) -> Any:
    return yaml.load(text, Loader=_OnceOnly)  # noqa: S506  a SafeLoader by inheritance


def _parse_json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_once_only) if text.strip() else None


def _once_only(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name!r} is set twice")
    return dict(pairs)


_PARSERS: dict[str, Callable[[str], Any]] = {
    ".json": _parse_json,
    ".toml": tomllib.loads,
    ".yaml": _parse_yaml,
    ".yml": _parse_yaml,
}


def _table(found: Any, path: Path) -> dict[str, Any]:
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ConfigError(f"{path} holds {type(found).__name__}, but sections are needed, such as [sampler].")
    return found


def _place(problem: BaseException) -> str:
    mark = getattr(problem, "problem_mark", None)
    line = mark.line + 1 if mark else getattr(problem, "lineno", None)
    return f", line {line}" if line else ""


def _what(problem: BaseException) -> str:
    if isinstance(problem, UnicodeDecodeError):
        return f"byte {problem.start} is not UTF-8 text"
    if isinstance(problem, RecursionError):
        return "it is nested too deeply"
    return str(getattr(problem, "problem", None) or getattr(problem, "msg", None) or problem)
