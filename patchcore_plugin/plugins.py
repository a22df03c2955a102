"""Loading what installed distributions offer, so that one broken plugin never disturbs the rest.

The loader is our own: pluggy's skips a second distribution whose entry point bears a name already seen, and one plugin
that fails to import would stop all others. Here each entry point stands alone; what fails is left out whole, kept with
its reason, and shown by ``patchcore plugins``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import cache
from importlib import metadata
from typing import Any

import pluggy

import patchcore_plugin
from patchcore_plugin import hookspecs
from patchcore_plugin.errors import PluginError
from patchcore_plugin.hookspecs import HOOKS, PROJECT, Component
from patchcore_plugin.offers import OWN, NotLoaded, Offer, Registry
from patchcore_plugin.plugin_sources import PluginSource, installed_plugins
from patchcore_plugin.plugin_switches import Switches
from patchcore_plugin.spelling import did_you_mean, listed

# The built-in parts enter as any plugin does; no metadata is needed to find them, so they are there uninstalled too.
_BUILT_IN = PluginSource(
    OWN,
    patchcore_plugin.__version__,
    metadata.EntryPoint(name="built-in", value="patchcore_plugin.components", group=PROJECT),
)


@cache
def _registry() -> Registry:
    return load(Switches.from_environment())


def registry(*, refresh: bool = False) -> Registry:
    """Return what is on offer; looked up once a process, again with ``refresh``."""
    if refresh:
        _registry.cache_clear()
    return _registry()


def describe() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return all parts, and all plugins that did not load, as plain data for a table or for JSON.

    Order:  parts by kind in the order of the data, built-in ones first; plugins by distribution. A plugin whose
            ``failed`` is false was left out because the environment asks for it.
    Raises: nothing; and no library that a part requires is imported.
    """
    found = registry()
    parts = [found.row(offer) for kind in HOOKS for offer in found.of_kind(kind)]
    return parts, [asdict(plugin) for plugin in found.not_loaded]


def load(switches: Switches) -> Registry:
    """Load the built-in parts, then every installed plugin that the switches admit.

    Raises: nothing that a plugin raises, SystemExit included; KeyboardInterrupt passes.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    offers = _offers(manager, _BUILT_IN, taken=())
    sources, not_loaded = installed_plugins()
    for source in sources:
        answer = _load_alone(manager, source, switches, taken=offers)
        if isinstance(answer, NotLoaded):
            not_loaded.append(answer)
        else:
            offers += answer
    return Registry(tuple(offers), (*not_loaded, *_misnamed(switches, sources)))


def _load_alone(
    manager: pluggy.PluginManager, source: PluginSource, switches: Switches, taken: Iterable[Offer]
) -> list[Offer] | NotLoaded:
    objection = switches.objection(source.distribution, source.entry_point.name)
    if objection is not None:
        return source.left_out(objection)
    try:
        return _offers(manager, source, taken)
    except (Exception, SystemExit) as problem:  # noqa: BLE001  a stranger's code may raise anything
        if manager.has_plugin(source.label):
            manager.unregister(name=source.label)
        return source.failed(problem)


def _offers(manager: pluggy.PluginManager, source: PluginSource, taken: Iterable[Offer]) -> list[Offer]:
    """Load one plugin and take all its records, or none of them."""
    plugin = source.entry_point.load()
    _register(manager, plugin, source.label)
    found: list[Offer] = []
    for kind, hook in HOOKS.items():
        for record in _records(manager, plugin, hook):
            offer = Offer(kind, record, source.distribution, source.version)
            _refuse_second(offer, [*taken, *found])
            found.append(offer)
    return found


def _register(manager: pluggy.PluginManager, plugin: object, label: str) -> None:
    if (known_as := manager.get_name(plugin)) is not None:
        raise PluginError(f"is the same object as plugin {known_as}, which has loaded. Keep one of the entry points.")
    manager.register(plugin, name=label)
    manager.check_pending()  # a misspelt hook would never be called, and nobody would know
    if not manager.get_hookcallers(plugin):
        raise PluginError(f"implements no hook. Decorate {' or '.join(HOOKS.values())} with patchcore_plugin.hookimpl.")


def _records(manager: pluggy.PluginManager, plugin: object, hook: str) -> Iterator[Component]:
    """Call the plugin's implementation of a hook on its own, and yield its records one by one as they are checked."""
    for implementation in getattr(manager.hook, hook).get_hookimpls():
        if implementation.plugin is not plugin:
            continue
        if implementation.wrapper or implementation.hookwrapper:
            raise PluginError(f"wraps hook {hook}, but plugins are asked one by one. Yield Component records instead.")
        answer = implementation.function()
        if isinstance(answer, Component) or not isinstance(answer, Iterable):
            raise PluginError(f"hook {hook} returned {answer!r}. Return a list of Component records, or yield them.")
        for record in answer:
            if not isinstance(record, Component):
                raise PluginError(f"hook {hook} gave {record!r}. Give Component records only.")
            yield record


def _refuse_second(offer: Offer, taken: Iterable[Offer]) -> None:
    if any((other.kind, other.full_name) == (offer.kind, offer.full_name) for other in taken):
        raise PluginError(f"offers {offer.kind} {offer.full_name!r} twice. Give one of the two another name.")


def _misnamed(switches: Switches, sources: list[PluginSource]) -> Iterator[NotLoaded]:
    """Report names in the environment that fit no plugin: a slip there would leave out, or let in, in silence."""
    pairs = [(source.distribution, source.entry_point.name) for source in sources]
    known = sorted({distribution for distribution, _ in pairs})
    for variable, name in switches.names_of_nothing(pairs):
        reason = f"{variable} names it, but it is not installed.{did_you_mean(name, known)} Installed: {listed(known)}."
        yield NotLoaded(name, "?", "?", reason, failed=True)
