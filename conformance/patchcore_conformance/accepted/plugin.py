"""Plugins that are right in unusual ways: other objects, other hooks, other libraries."""

from __future__ import annotations

from patchcore_conformance.accepted.registry import accepted
from patchcore_conformance.plugin_sources import written

_BEGIN = """
from patchcore_plugin import Component, hookimpl

class Every:
    def __init__(self, *, keep: float = 0.5): self.keep = keep
    def select(self, embeddings): return list(range(len(embeddings)))
    def build(self, bank): return self

def record(name="every", factory=__name__ + ":Every", summary="made up", **more):
    return Component(name, factory=factory, summary=summary, **more)
"""


@accepted("plugin", "one generator")
def one_generator() -> str:
    """Yield one record."""
    return written("right_generator", _BEGIN + "@hookimpl\ndef patchcore_coreset_samplers():\n    yield record()\n")


@accepted("plugin", "a tuple made at import, two kinds, claims and requirements")
def tuple_made_at_import() -> str:
    """Return what was made once; one part needs a library that nobody has."""
    return written(
        "right_tuple",
        _BEGIN
        + """
PARTS = (record("every", claims={"level": "subset"}), record("far", requires=("no_such_library",), factory="far:Far"))

@hookimpl
def patchcore_coreset_samplers():
    return PARTS

@hookimpl(trylast=True)
def patchcore_neighbor_searches():
    return [record("every", claims={"level": "exact", "arith": "E0"})]
""",
    )


@accepted("plugin", "hooks as methods of an object")
def hooks_as_methods() -> str:
    """Name an object behind the module, as entry points may."""
    source = """
class Plugin:
    @hookimpl
    def patchcore_coreset_samplers(self):
        yield record()

plugin = Plugin()
"""
    return written("right_object", _BEGIN + source) + ":plugin"


@accepted("plugin", "a heavy part in a module of its own")
def heavy_part() -> str:
    """Import a library only where the part lives, and say so."""
    written("right_heavy_part", "import numba\n\nclass Fast:\n    def select(self, embeddings): return [0]\n")
    source = """
@hookimpl
def patchcore_coreset_samplers():
    yield record("fast", factory="right_heavy_part:Fast", requires=("numba",), extra="fast")
"""
    return written("right_heavy", _BEGIN + source)


@accepted("plugin", "a function as the factory, helpers with long names")
def function_as_factory() -> str:
    """Offer what a function makes; other functions are nobody's business."""
    source = """
def make(*, keep=0.5):
    return Every(keep=keep)

def patchcore_helper_of_mine():
    return 1

@hookimpl
def patchcore_coreset_samplers():
    yield record(factory=__name__ + ":make")
"""
    return written("right_function", _BEGIN + source)


@accepted("plugin", "an installed distribution with two entry points")
def installed() -> str:
    """Judge a distribution by its name."""
    hook = "@hookimpl\ndef {hook}():\n    yield record({name!r})\n"
    written("right_left", _BEGIN + hook.format(hook="patchcore_coreset_samplers", name="left-one"))
    source = _BEGIN + hook.format(hook="patchcore_neighbor_searches", name="right-one")
    return written("right_right", source, "right-parts", "a = right_left\nb = right_right")


@accepted("plugin", "reads its own metadata, and the time")
def reads_metadata() -> str:
    """Tell its version in the summary."""
    source = """
import importlib.metadata

@hookimpl
def patchcore_coreset_samplers():
    version = importlib.metadata.version("numpy")
    yield record(summary=f"made for numpy {version}")
"""
    return written("right_metadata", _BEGIN + source)
