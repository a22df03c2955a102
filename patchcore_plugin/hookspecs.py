"""The four hooks a distribution implements to offer parts, and the record it yields for each part."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pluggy

from patchcore_plugin.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Iterable

PROJECT = "patchcore_plugin"  # pluggy's project name and the entry-point group
API = 1  # raised when a record of today would be misread tomorrow

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

# The kinds of parts in the order of the data, each with the hook that yields its records.
HOOKS = MappingProxyType(
    {
        "extractor": "patchcore_feature_extractors",
        "aggregator": "patchcore_aggregators",
        "sampler": "patchcore_coreset_samplers",
        "neighbors": "patchcore_neighbor_searches",
    }
)

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_DOTTED = r"[^\W\d]\w*(\.[^\W\d]\w*)*"
_FACTORY = re.compile(f"{_DOTTED}:{_DOTTED}")


@dataclass(frozen=True)
class Component:
    """One part that a distribution offers: its name and where it lives, nothing imported yet.

    name      the word in the configuration: lower-case letters and digits in groups joined by single hyphens.
    factory   ``"package.module:Class"``; imported only when the part is created, called with the options by keyword.
    summary   one line for ``patchcore plugins``.
    requires  top-level modules that must be importable, such as ``("torch",)``.
    extra     the extra of the offering distribution that installs them.
    claims    what the part promises to the conformance kit, such as ``{"level": "exact"}``.
    api       the version of this record that the plugin was written for.

    Raises: PluginError when a field cannot be what it must be.
    """

    name: str
    _: KW_ONLY
    factory: str
    summary: str
    requires: tuple[str, ...] = ()
    extra: str | None = None
    claims: Mapping[str, Any] = field(default_factory=dict, hash=False)
    api: int = API

    def __post_init__(self) -> None:
        self._require(self.api == API, f"speaks version {self.api!r} of the record, but this is version {API}")
        self._require(
            _fits(_NAME, self.name), "needs a name of lower-case letters and digits in groups joined by single hyphens"
        )
        self._require(_fits(_FACTORY, self.factory), f"has factory {self.factory!r}; 'package.module:Class' is needed")
        self._require(_is_one_line(self.summary), f"has summary {self.summary!r}; one line of text is needed")
        self._require(
            _are_modules(self.requires), f"requires {self.requires!r}; a tuple of top-level module names is needed"
        )
        self._require(self.extra is None or _is_one_line(self.extra), f"has extra {self.extra!r}; a name is needed")
        self._require(_are_claims(self.claims), f"has claims {self.claims!r}; names with plain values are needed")
        object.__setattr__(self, "requires", tuple(self.requires))
        object.__setattr__(self, "claims", MappingProxyType(dict(self.claims)))

    def _require(self, good: bool, complaint: str) -> None:
        if not good:
            raise PluginError(f"component {self.name!r} {complaint}. Correct the record in the plugin that yields it.")


def _fits(pattern: re.Pattern[str], text: object) -> bool:
    return isinstance(text, str) and pattern.fullmatch(text) is not None


def _is_one_line(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip()) and len(text.splitlines()) == 1


def _are_modules(names: object) -> bool:
    # A lone string is refused: read as a sequence it would ask for one module per letter.
    return isinstance(names, (tuple, list)) and all(isinstance(name, str) and name.isidentifier() for name in names)


def _are_claims(claims: object) -> bool:
    plain = (str, int, float, bool, type(None))
    return isinstance(claims, Mapping) and all(isinstance(k, str) and isinstance(v, plain) for k, v in claims.items())


@hookspec
def patchcore_feature_extractors() -> Iterable[Component]:
    """Yield one record per feature extractor this distribution offers.

    This holds for all four hooks: nothing heavy is imported here; two calls yield equal records; a name that another
    distribution offers too must be asked for as ``distribution:name``; a built-in name alone always means the built-in.
    """
    return ()


@hookspec
def patchcore_aggregators() -> Iterable[Component]:
    """Yield one record per aggregator this distribution offers."""
    return ()


@hookspec
def patchcore_coreset_samplers() -> Iterable[Component]:
    """Yield one record per coreset sampler this distribution offers."""
    return ()


@hookspec
def patchcore_neighbor_searches() -> Iterable[Component]:
    """Yield one record per neighbor search this distribution offers."""
    return ()
