"""The kit's own parts under names, as a plugin would bring them: for hosts, which are told names of parts.

    with doubles():
        detector = PatchCore.from_config({"sampler": {"name": STRICT, "keep": 0.1}, "neighbors": {"name": STRICT}})

``PLAIN`` is the name of an ordinary part of each kind, ``STRICT`` that of the one in ``strict`` which computes the same
and uses every freedom of its contract.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from patchcore_conformance import strict
from patchcore_conformance.violation import KitError
from patchcore_plugin import plugins
from patchcore_plugin.hookspecs import HOOKS, PROJECT, Component, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAIN, STRICT = "kit-plain", "kit-strict"
_DISTRIBUTION = "patchcore-conformance-doubles"
_PLAIN = {
    "extractor": "model.extractor:ToyBackbone",
    "aggregator": "model.aggregator:LocalMean",
    "sampler": "model.sampler:Greedy",
    "neighbors": "model.neighbors:Single",
}


@contextmanager
def doubles() -> Iterator[None]:
    """Offer the parts under their names; afterwards, what was on offer before.

    Raises: KitError where the environment keeps plugins out.
    """
    if _on_offer():  # by somebody who is not done with them
        yield
        return
    with tempfile.TemporaryDirectory(prefix="patchcore-doubles-") as folder:
        _install(Path(folder))
        sys.path.append(folder)
        try:
            _look_again()
            if not _on_offer():
                raise KitError(
                    "the kit's parts cannot be offered by name, since the environment keeps plugins out. Unset "
                    "PATCHCORE_NO_PLUGINS, PATCHCORE_PLUGINS and PATCHCORE_DISABLE_PLUGINS."
                )
            yield
        finally:
            sys.path.remove(folder)
            _look_again()


def _install(folder: Path) -> None:
    """Write what an installer would leave behind for a distribution whose plugin is this module."""
    info = folder / f"{_DISTRIBUTION.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {_DISTRIBUTION}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[{PROJECT}]\ndoubles = {__name__}\n", encoding="utf-8")


def _look_again() -> None:
    importlib.invalidate_caches()
    plugins.registry(refresh=True)


def _on_offer() -> bool:
    return all(plugins.registry().called(kind, name) for kind in HOOKS for name in (PLAIN, STRICT))


def _records(kind: str) -> tuple[Component, ...]:
    package = __name__.rpartition(".")[0]
    return (
        Component(PLAIN, factory=f"{package}.{_PLAIN[kind]}", summary="an ordinary part, to compare with"),
        Component(
            STRICT,
            factory=f"{package}.strict:{kind.title()}",
            summary="a part that uses every freedom of its contract",
            claims=strict.CLAIMS[kind],
        ),
    )


@hookimpl
def patchcore_feature_extractors() -> tuple[Component, ...]:
    """Offer the extractors."""
    return _records("extractor")


@hookimpl
def patchcore_aggregators() -> tuple[Component, ...]:
    """Offer the aggregators."""
    return _records("aggregator")


@hookimpl
def patchcore_coreset_samplers() -> tuple[Component, ...]:
    """Offer the samplers."""
    return _records("sampler")


@hookimpl
def patchcore_neighbor_searches() -> tuple[Component, ...]:
    """Offer the neighbor searches."""
    return _records("neighbors")
