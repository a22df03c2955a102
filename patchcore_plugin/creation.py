"""From an offer and options to a part: each step that can go wrong says which distribution to turn to."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any

from patchcore_plugin import contracts
from patchcore_plugin.errors import ConfigError, MissingLibraryError, PatchCoreError, PluginError
from patchcore_plugin.options import checked_options
from patchcore_plugin.spelling import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from patchcore_plugin.offers import Offer

CONTRACTS: dict[str, type] = {
    "extractor": contracts.FeatureExtractor,
    "aggregator": contracts.Aggregator,
    "sampler": contracts.CoresetSampler,
    "neighbors": contracts.NeighborSearch,
}


def build(offer: Offer, options: Mapping[str, Any]) -> Any:
    """Create the part on offer.

    Raises: as ``components.create``.
    """
    factory = factory_of(offer)
    part = _call(offer, factory, checked_options(factory, options, offer))
    _require_contract(offer, part)
    return part


def factory_of(offer: Offer) -> Callable[..., Any]:
    """Import what creates the part.

    Raises: MissingLibraryError for a library that is not installed; PluginError for a module that fails to import.
    """
    if offer.missing:
        raise MissingLibraryError(
            f"{offer} needs {listed(offer.missing)}, not installed here. To get it: {offer.remedy}"
        )
    module, _, path = offer.component.factory.partition(":")
    try:
        found: Any = import_module(module)
        for name in path.split("."):
            found = getattr(found, name)
    except (Exception, SystemExit) as problem:  # a stranger's module may raise anything
        raise _broken(offer, f"could not be imported from {offer.component.factory!r}", problem) from problem
    if not callable(found):
        raise PluginError(f"{offer}: its factory {offer.component.factory!r} is {found!r}; a class is needed.")
    return found  # type: ignore[no-any-return]  # callable, as far as can be known of a stranger's


def _call(offer: Offer, factory: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    try:
        return factory(**arguments)
    except PatchCoreError:
        raise  # the part has said itself what is wrong and what to do
    except ValueError as problem:
        raise ConfigError(f"{offer} refuses its options {dict(arguments)}: {problem}") from problem
    except (Exception, SystemExit) as problem:
        raise _broken(offer, f"could not be created with {dict(arguments)}", problem) from problem


def _broken(offer: Offer, what: str, problem: BaseException) -> PluginError:
    return PluginError(
        f"{offer} {what}: {type(problem).__name__}: {problem}. "
        f"Repair or upgrade {offer.distribution}, or choose another {offer.kind}."
    )


def _require_contract(offer: Offer, part: Any) -> None:
    """Refuse a part that lacks what its contract names.

    Properties are looked for but not read: reading ``channels`` may load weights.
    """
    contract = CONTRACTS[offer.kind]
    lacking = [name for name, member in vars(contract).items() if name[0] != "_" and not _has(part, name, member)]
    if lacking:
        raise PluginError(
            f"{offer} lacks {listed(lacking)}, which {contract.__name__} needs (patchcore_plugin.contracts). "
            f"Repair or upgrade {offer.distribution}, or choose another {offer.kind}."
        )


def _has(part: Any, name: str, member: object) -> bool:
    if isinstance(member, property):
        return inspect.getattr_static(part, name, None) is not None or hasattr(part, name)
    return callable(getattr(part, name, None))
