"""From words on a command line to a subject: ``mypkg.search:build`` or ``neighbors:faiss-flat``, claims and options."""

from __future__ import annotations

import functools
import json
import sys
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from patchcore_conformance.claims import KINDS, Claims, choices
from patchcore_conformance.subject import Subject
from patchcore_conformance.violation import KitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


def subject_named(
    target: str,
    kind: str | None,
    claims: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Subject:
    """Describe what a command line names.

    Args:   target:  with a kind, a factory ``package.module:name``, or of a plugin its module or distribution; without,
                     an installed part ``kind:name``.
            options: given to the factory at every call.
    Raises: KitError when there is nothing of that name, or it cannot be imported.
    """
    if kind is None:
        return _installed(target, claims, options)
    if kind == "plugin":
        from patchcore_conformance.plugin_targets import plugin_subject

        return plugin_subject(target, claims, options)
    make, found = factory_named(target), dict(options or {})
    bound = functools.partial(make, **found) if found else make
    facts = {"installed": False, "options": found}
    return Subject(kind, bound, Claims.of(claims, kind), target, distribution_of(target), facts)


def _installed(target: str, claims: Mapping[str, Any] | None, options: Mapping[str, Any] | None) -> Subject:
    from patchcore_conformance.installed import installed_subject

    kind, colon, name = target.partition(":")
    if colon and kind in KINDS:
        return installed_subject(kind, name, claims, options)
    raise KitError(
        f"{target!r} does not say what to judge. For a factory of yours add --kind, one of {', '.join(KINDS)}; "
        "for an installed part write its kind and name, such as sampler:pruned-greedy."
    )


def look_here() -> None:
    """Let modules of the current folder be found, as python -m does; an installed command does not."""
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)


def factory_named(target: str) -> Callable[..., Any]:
    """Import a factory; modules of the current folder are found too.

    Raises: KitError when it cannot be imported, or cannot be called.
    """
    return required_callable(imported(target), target)


def required_callable(found: Any, target: str) -> Callable[..., Any]:
    """Return what a target names, or raise KitError where it cannot be called."""
    if not callable(found):
        raise KitError(f"{target} is {found!r}, but something to call is needed: a class, or a function.")
    return cast("Callable[..., Any]", found)


def imported(target: str) -> Any:
    """Import what ``package.module:name`` names; modules of the current folder are found too.

    Raises: KitError when it cannot be imported.
    """
    module, colon, path = target.partition(":")
    if not (colon and module and path):
        raise KitError(f"{target!r} names no factory. Write package.module:name, such as mypkg.search:build.")
    look_here()
    try:
        found: Any = import_module(module)
        for name in path.split("."):
            found = getattr(found, name)
    except (Exception, SystemExit) as problem:
        raise KitError(f"{target} cannot be imported: {type(problem).__name__}: {problem}.") from problem
    return found


def distribution_of(target: str) -> str:
    """Return the distribution that a factory was installed by, and its version; nothing for a loose file."""
    owners = metadata.packages_distributions().get(target.partition(":")[0].partition(".")[0], [])
    return f"{owners[0]} {metadata.version(owners[0])}" if owners else ""


def parsed_claims(words: Iterable[str]) -> dict[str, Any]:
    """Read ``name=value`` claims; the values are checked where the claims are made."""
    found = _pairs(words, "--claim")
    texts = {name for name, allowed in choices().items() if str in allowed}
    return {name: text if name in texts else parsed_value(text) for name, text in found.items()}


def parsed_options(words: Iterable[str]) -> dict[str, Any]:
    """Read ``name=value`` options."""
    return {name: parsed_value(text) for name, text in _pairs(words, "--set").items()}


def _pairs(words: Iterable[str], option: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not (equals and name):
            raise KitError(f"{option} {word} names no value. Write {option} name=value.")
        if name in found:
            raise KitError(f"{option} sets {name} twice: {found[name]} and {text}. Keep one of them.")
        found[name] = text
    return found


def parsed_value(text: str) -> Any:
    """Read a number, true or false, none, or a list as JSON writes them, in Python's spelling too; else plain text."""
    spelled = {"True": "true", "False": "false", "None": "null", "none": "null"}.get(text, text)
    try:
        return json.loads(spelled, parse_constant=str)  # NaN is a word here
    except ValueError:
        return text
