"""Finding what installed distributions offer, so that one broken plugin never disturbs the rest.

The loader is our own: pluggy's skips a second distribution whose entry point bears a name already seen, and one plugin
that fails to import would stop all others. Here each entry point stands alone; what fails is left out whole, kept with
its reason, and shown by ``patchcore plugins``.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata
from typing import Any

import pluggy

import patchcore_plugin
from patchcore_plugin import hookspecs
from patchcore_plugin.errors import PluginError
from patchcore_plugin.hookspecs import HOOKS, PROJECT, Component
from patchcore_plugin.offers import OWN, NotLoaded, Offer, Registry
from patchcore_plugin.plugin_switches import Switches, canonical
from patchcore_plugin.spelling import did_you_mean, listed


@dataclass(frozen=True)
class _Source:
    """One entry point of one installed distribution."""

    distribution: str
    version: str
    entry_point: metadata.EntryPoint

    @property
    def label(self) -> str:
        return f"{self.distribution}:{self.entry_point.name}"

    def left_out(self, reason: str) -> NotLoaded:
        return NotLoaded(self.distribution, self.version, self.entry_point.name, reason, failed=False)

    def failed(self, problem: BaseException) -> NotLoaded:
        return NotLoaded(
            self.distribution, self.version, self.entry_point.name, _reason(problem), True, _details(problem)
        )


@cache
def _registry() -> Registry:
    return load(Switches.from_environment())


def registry(*, refresh: bool = False) -> Registry:
    """Return what is on offer; looked up once a process, again with ``refresh``."""
    if refresh:
        _registry.cache_clear()
    return _registry()


def describe() -> dict[str, list[dict[str, Any]]]:
    """Return all parts and all plugins that did not load as plain data, ready for a table or for JSON.

    Order:  ``parts`` by kind in the order of the data, built-in ones first; ``failures`` and ``left_out`` by distribution.
    Raises: nothing; and no library that a part requires is imported.
    """
    found = registry()
    return {
        "parts": [found.row(offer) for kind in HOOKS for offer in found.of_kind(kind)],
        "failures": [asdict(plugin) for plugin in found.not_loaded if plugin.failed],
        "left_out": [asdict(plugin) for plugin in found.not_loaded if not plugin.failed],
    }


def load(switches: Switches) -> Registry:
    """Load the built-in parts, then every installed plugin that the switches admit.

    Order:  strangers by distribution and entry point, so nothing depends on how ``sys.path`` is ordered.
    Raises: nothing that a plugin raises, SystemExit included; KeyboardInterrupt passes.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    own = metadata.EntryPoint(name="built-in", value="patchcore_plugin.components", group=PROJECT)
    offers = list(_offers(manager, _Source(OWN, patchcore_plugin.__version__, own), taken=()))
    sources, not_loaded = _installed()
    for source in sources:
        if (objection := switches.objection(source.distribution, source.entry_point.name)) is not None:
            not_loaded.append(source.left_out(objection))
            continue
        try:
            offers += _offers(manager, source, taken=offers)
        except (Exception, SystemExit) as problem:  # noqa: BLE001  a stranger's code may raise anything; its host goes on
            if manager.has_plugin(source.label):
                manager.unregister(name=source.label)
            not_loaded.append(source.failed(problem))
    return Registry(tuple(offers), (*not_loaded, *_misnamed(switches, sources)))


def _installed() -> tuple[list[_Source], list[NotLoaded]]:
    """Return the plugins of all installed distributions in order, and the distributions that cannot be read."""
    sources: list[_Source] = []
    unreadable: list[NotLoaded] = []
    for name in sorted(_distributions_with_plugins(unreadable), key=canonical):
        try:
            # Asked for by name, so a copy that another directory of sys.path hides is not mistaken for the real one.
            distribution = metadata.distribution(name)
            entry_points = [entry for entry in distribution.entry_points if entry.group == PROJECT]
            sources += [
                _Source(canonical(name), distribution.version, entry) for entry in sorted(entry_points, key=_by_name)
            ]
        except Exception as problem:  # noqa: BLE001  another's metadata may be broken in any way
            unreadable.append(NotLoaded(canonical(name), "?", "entry_points.txt", _reason(problem), True))
    return sources, unreadable


def _by_name(entry_point: metadata.EntryPoint) -> tuple[str, str]:
    return entry_point.name, entry_point.value


def _distributions_with_plugins(unreadable: list[NotLoaded]) -> set[str]:
    names: dict[str, str] = {}
    for distribution in metadata.distributions():
        try:
            # The text is searched before it is parsed: a malformed file of someone who is no plugin is not our concern.
            if PROJECT in (distribution.read_text("entry_points.txt") or ""):
                name = distribution.metadata["Name"]
                names.setdefault(canonical(name), name)
        except Exception as problem:  # noqa: BLE001  the same
            unreadable.append(NotLoaded("a distribution without a name", "?", "?", _reason(problem), True))
    return set(names.values())


def _offers(manager: pluggy.PluginManager, source: _Source, taken: Iterable[Offer]) -> list[Offer]:
    """Load one plugin and take all its records, or none of them."""
    plugin = source.entry_point.load()
    if (known_as := manager.get_name(plugin)) is not None:
        raise PluginError(
            f"is the same object as plugin {known_as}, which has loaded. Keep one of the two entry points."
        )
    manager.register(plugin, name=source.label)
    manager.check_pending()
    if not manager.get_hookcallers(plugin):
        raise PluginError(
            f"implements no hook. Decorate one of {listed(HOOKS.values())} with patchcore_plugin.hookimpl."
        )
    found: list[Offer] = []
    for kind, hook in HOOKS.items():
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            if implementation.plugin is plugin:
                for record in _records(hook, implementation):
                    offer = Offer(kind, record, source.distribution, source.version)
                    _refuse_second(offer, [*taken, *found])
                    found.append(offer)
    return found


def _records(hook: str, implementation: pluggy.HookImpl) -> Iterable[Component]:
    """Call one hook implementation on its own, and yield its records one by one as they are checked."""
    if implementation.wrapper or implementation.hookwrapper:
        raise PluginError(
            f"wraps the hook {hook}, but records are taken from each plugin alone. Yield records instead."
        )
    answer: object = implementation.function()
    if isinstance(answer, Component) or not isinstance(answer, Iterable):
        raise PluginError(
            f"hook {hook} returned {type(answer).__name__}. Yield Component records or return a list of them."
        )
    for record in answer:
        if not isinstance(record, Component):
            raise PluginError(f"hook {hook} gave {record!r}, but a Component record is needed.")
        yield record


def _refuse_second(offer: Offer, taken: Iterable[Offer]) -> None:
    if any((other.kind, other.full_name) == (offer.kind, offer.full_name) for other in taken):
        raise PluginError(f"offers the {offer.kind} {offer.full_name!r} twice. Give one of the two another name.")


def _misnamed(switches: Switches, sources: list[_Source]) -> list[NotLoaded]:
    """Report names in the environment that fit no plugin: a typing error there would leave out, or let in, in silence."""
    pairs = [(source.distribution, source.entry_point.name) for source in sources]
    known = [distribution for distribution, _ in pairs]
    return [
        NotLoaded(
            name, "?", "?", f"{variable} names it, but no such plugin is installed.{did_you_mean(name, known)}", True
        )
        for variable, name in switches.names_of_nothing(pairs)
    ]


def _reason(problem: BaseException) -> str:
    if isinstance(problem, PluginError):
        return str(problem)
    return traceback.format_exception_only(problem)[-1].strip()


def _details(problem: BaseException) -> str:
    return "".join(traceback.format_exception(problem))
