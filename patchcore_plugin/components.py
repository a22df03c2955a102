"""The parts by name: one table of the built-in ones, and the way from a name to a part ready for use.

The built-in parts enter by the same hooks as a stranger's: this module is itself a plugin. A built-in name is looked up
here first, so creating a built-in part never loads third-party code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from patchcore_plugin import __version__
from patchcore_plugin.built_in_claims import CLAIMS
from patchcore_plugin.errors import ConfigError, UnknownComponentError
from patchcore_plugin.hookspecs import HOOKS, Component, hookimpl
from patchcore_plugin.offers import OWN, Offer
from patchcore_plugin.plugin_switches import canonical
from patchcore_plugin.plugins import registry
from patchcore_plugin.spelling import did_you_mean, listed

if TYPE_CHECKING:
    from patchcore_plugin.contracts import Aggregator, CoresetSampler, FeatureExtractor, NeighborSearch
    from patchcore_plugin.offers import Registry

KINDS = tuple(HOOKS)  # "extractor", "aggregator", "sampler", "neighbors": also the sections of a configuration


def _built_in(
    name: str, factory: str, summary: str, requires: tuple[str, ...] = (), extra: str | None = None
) -> Component:
    where, claims = f"patchcore_plugin.{factory}", CLAIMS[name]
    return Component(name, factory=where, summary=summary, requires=requires, extra=extra, claims=claims)


# Sorted by name within each kind.
_TABLE = {
    "extractor": (
        _built_in("ensemble", "extractors.ensemble:Ensemble", "several extractors, their layers side by side"),
        _built_in("multi-scale", "extractors.multi_scale:MultiScale", "one extractor, each image at several sizes"),
        _built_in("numba-cnn", "extractors.numba_cnn:NumbaCnn", "compiled network for the CPU, no torch", ("numba",)),
        _built_in("numpy-cnn", "extractors.numpy_cnn:NumpyCnn", "the same network in plain NumPy: slow, easy to read"),
        _built_in("timm", "extractors.timm_backbone:TimmBackbone", "any network of timm", ("torch", "timm"), "timm"),
        _built_in(
            "torchvision",
            "extractors.torchvision_backbone:TorchvisionBackbone",
            "any network of torchvision",
            ("torch", "torchvision"),
            "torch",
        ),
    ),
    "aggregator": (
        _built_in(
            "adaptive-mean", "aggregators.adaptive_mean:AdaptiveMean", "1,024 averages a patch, as the official code's"
        ),
        _built_in(
            "local-mean", "aggregators.local_mean:LocalMean", "mean over each patch's neighbourhood, layers joined"
        ),
        _built_in(
            "torch-adaptive-mean",
            "aggregators.torch_adaptive_mean:TorchAdaptiveMean",
            "the same as adaptive-mean by torch, on any device",
            ("torch",),
            "torch",
        ),
        _built_in(
            "torch-local-mean",
            "aggregators.torch_local_mean:TorchLocalMean",
            "the same as local-mean by torch, on any device",
            ("torch",),
            "torch",
        ),
        _built_in(
            "with-position", "aggregators.with_position:WithPosition", "another aggregator, and where each patch lies"
        ),
    ),
    "sampler": (
        _built_in(
            "amazon-greedy", "samplers.amazon_greedy:AmazonGreedy", "the official code's approximate greedy", ("numba",)
        ),
        _built_in("keep-all", "samplers.keep_all:KeepAll", "every row: the memory bank is not thinned"),
        _built_in("numba-greedy", "samplers.numba_greedy:NumbaGreedy", "greedy coreset, compiled", ("numba",)),
        _built_in(
            "numpy-greedy", "samplers.numpy_greedy:NumpyGreedy", "greedy coreset (farthest first) in plain NumPy"
        ),
        _built_in(
            "projected-greedy",
            "samplers.projected_greedy:ProjectedGreedy",
            "greedy coreset on a random projection, as anomalib's",
            ("numba",),
        ),
        _built_in(
            "pruned-greedy", "samplers.pruned_greedy:PrunedGreedy", "greedy coreset, exact and fastest", ("numba",)
        ),
        _built_in("random", "samplers.random:RandomRows", "rows drawn at random: the yardstick for all samplers"),
        _built_in(
            "torch-greedy",
            "samplers.torch_greedy:TorchGreedy",
            "greedy coreset, exact, by torch on any device",
            ("torch",),
            "torch",
        ),
    ),
    "neighbors": (
        _built_in("faiss-flat", "neighbors.faiss_flat:FaissFlat", "exact search by faiss", ("faiss", "numba"), "faiss"),
        _built_in(
            "faiss-hnsw",
            "neighbors.faiss_hnsw:FaissHnsw",
            "approximate search by faiss along a graph, recall measured",
            ("faiss", "numba"),
            "faiss",
        ),
        _built_in(
            "faiss-ivf",
            "neighbors.faiss_ivf:FaissIvf",
            "approximate search by faiss in cells, recall measured",
            ("faiss", "numba"),
            "faiss",
        ),
        _built_in("numba-exact", "neighbors.numba_exact:NumbaExact", "exact search, compiled", ("numba",)),
        _built_in("numpy-exact", "neighbors.numpy_exact:NumpyExact", "exact search in plain NumPy"),
        _built_in("pruned-exact", "neighbors.pruned_exact:PrunedExact", "exact search that skips far rows", ("numba",)),
        _built_in(
            "torch-exact",
            "neighbors.torch_exact:TorchExact",
            "exact search by torch on any device",
            ("torch",),
            "torch",
        ),
    ),
}


@hookimpl
def patchcore_feature_extractors() -> tuple[Component, ...]:
    """Offer the built-in extractors."""
    return _TABLE["extractor"]


@hookimpl
def patchcore_aggregators() -> tuple[Component, ...]:
    """Offer the built-in aggregators."""
    return _TABLE["aggregator"]


@hookimpl
def patchcore_coreset_samplers() -> tuple[Component, ...]:
    """Offer the built-in samplers."""
    return _TABLE["sampler"]


@hookimpl
def patchcore_neighbor_searches() -> tuple[Component, ...]:
    """Offer the built-in neighbor searches."""
    return _TABLE["neighbors"]


def names(kind: str) -> tuple[str, ...]:
    """Return the names of all parts of a kind, sorted; each means exactly one part.

    Raises: UnknownComponentError when there is no such kind.
    """
    _require_kind(kind)
    found = registry()
    return tuple(sorted(found.short_name(offer) for offer in found.of_kind(kind)))


def find(kind: str, name: str) -> Offer:
    """Return what a name means: ``"numba-greedy"``, or ``"distribution:name"`` for exactly that distribution's part.

    Raises: UnknownComponentError when nothing bears the name; ConfigError when several distributions offer it.
    """
    _require_kind(kind)
    if not isinstance(name, str):
        raise ConfigError(f"{kind}.name is {name!r}, but the name of a part is needed: {listed(names(kind))}.")
    return _find_built_in(kind, name) or _find_strangers(kind, name)


def _require_kind(kind: str) -> None:
    if kind not in KINDS:
        raise UnknownComponentError(
            f"there is no kind of part {kind!r}.{did_you_mean(kind, KINDS)} Kinds: {listed(KINDS)}."
        )


def _find_built_in(kind: str, name: str) -> Offer | None:
    distribution, _, bare = name.rpartition(":")
    if canonical(distribution) not in ("", OWN):
        return None
    return next((Offer(kind, part, OWN, __version__) for part in _TABLE[kind] if part.name == bare), None)


def _find_strangers(kind: str, name: str) -> Offer:
    found = registry()
    distribution, _, bare = name.rpartition(":")
    meant = [o for o in found.called(kind, bare) if canonical(distribution) in ("", canonical(o.distribution))]
    if not meant:
        raise UnknownComponentError(_nothing_bears(name, kind, found))
    if len(meant) > 1:
        raise ConfigError(
            f"{kind} {name!r} is offered by {' and by '.join(f'{o.distribution} {o.version}' for o in meant)}. "
            f"Ask for one of them: {listed(o.full_name for o in meant)}."
        )
    return meant[0]


def _nothing_bears(name: str, kind: str, found: Registry) -> str:
    known = names(kind)
    full_names = [offer.full_name for offer in found.of_kind(kind)]
    text = f"there is no {kind} {name!r}.{did_you_mean(name, [*full_names, *known])} Known: {listed(known)}."
    if found.not_loaded:
        text += "\nPlugins that did not load:" + "".join(f"\n  {plugin}" for plugin in found.not_loaded)
    return text


def option_names(kind: str, name: str) -> tuple[str, ...]:
    """Return the options that a part takes, by name.

    Raises: as ``create``, but for the options.
    """
    from patchcore_plugin.creation import factory_of
    from patchcore_plugin.options import option_names as declared

    offer = find(kind, name)
    return declared(factory_of(offer), offer)


@overload
def create(kind: Literal["extractor"], name: str, /, **options: Any) -> FeatureExtractor: ...
@overload
def create(kind: Literal["aggregator"], name: str, /, **options: Any) -> Aggregator: ...
@overload
def create(kind: Literal["sampler"], name: str, /, **options: Any) -> CoresetSampler: ...
@overload
def create(kind: Literal["neighbors"], name: str, /, **options: Any) -> NeighborSearch: ...
@overload
def create(kind: str, name: str, /, **options: Any) -> Any: ...


def create(kind: str, name: str, /, **options: Any) -> Any:
    """Create a part from its name and options.

    Values are brought to the types the part declares, as far as nothing is lost: a list becomes a tuple, ``"0.1"`` a
    float. The part is then held to its contract's methods.

    Raises: UnknownComponentError, UnknownOptionError; ConfigError for a value that cannot be used; MissingLibraryError
            for a library that is not installed; PluginError for a part that breaks in any other way.
    """
    from patchcore_plugin.creation import build  # brings pydantic: listing names must not wait for it

    return build(find(kind, name), options)
