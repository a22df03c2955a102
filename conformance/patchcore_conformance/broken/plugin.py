"""Plugins with one mistake each, as real authors make them: sources, written to a folder when they are asked for."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

from patchcore_conformance.broken.registry import broken
from patchcore_conformance.plugin_sources import written

if TYPE_CHECKING:
    from collections.abc import Callable

_BEGIN = """
from patchcore_plugin import Component, hookimpl

class Every:
    def __init__(self, *, keep: float = 0.5): self.keep = keep
    def select(self, embeddings): return list(range(max(1, round(self.keep * len(embeddings)))))

def record(name="every", factory=__name__ + ":Every", summary="made up", **more):
    return Component(name, factory=factory, summary=summary, **more)
"""
_GOOD = """
@hookimpl
def patchcore_coreset_samplers():
    yield record()
"""


def _broken(name: str, source: str, *caught_by: str) -> None:
    """Register the source of a plugin."""
    broken("plugin", name, caught_by=caught_by)(_factory(name, source))


def _factory(name: str, source: str) -> Callable[[], str]:
    module = "judged_" + "".join(letter if letter.isalnum() else "_" for letter in name.lower())

    def make() -> str:
        written("mxnet", "class Every:\n    def select(self, embeddings): return [0]\n")  # a heavy library, for show
        return written(module, source)

    return make


def _plugin(hooks: str) -> str:
    return _BEGIN + dedent(hooks)


def _sampler(answer: str) -> str:
    return _BEGIN + f"\n@hookimpl\ndef patchcore_coreset_samplers():\n    {answer}\n"


_broken("a heavy library at the top", "import mxnet\n" + _BEGIN + _GOOD, "P01", "P06")
_broken("a heavy library in the hook", _sampler("import numba; yield record()"), "P01")
_broken("a second of thinking", "import time; time.sleep(0.8)\n" + _BEGIN + _GOOD, "P01")
_broken("does not import", "import no_such_module_anywhere\n" + _BEGIN + _GOOD, "P01", "P02", "P06", "P07")
_broken("leaves the process", "raise SystemExit(3)", "P01", "P07")
_broken("a factory that was renamed", _sampler('yield record(factory=__name__ + ":Some")'), "P02")
_broken("a factory in no module", _sampler('yield record(factory="no_such_module_anywhere:Every")'), "P02")
_broken("a factory that cannot be called", _sampler('yield record(factory=__name__ + ":__doc__")'), "P02")
_broken("a class without the method", _plugin("class Empty: pass\n") + '''
@hookimpl
def patchcore_coreset_samplers():
    yield record(factory=__name__ + ":Empty")
''', "P02")  # fmt: skip
_broken("under the wrong kind", _BEGIN + "\n@hookimpl\ndef patchcore_aggregators():\n    yield record()\n", "P02")
_broken("a name in capitals", _sampler('yield record("My Part")'), "P02", "P07")
_broken("a level of another kind", _sampler('yield record(claims={"level": "covariant"})'), "P02")
_broken("a claim misspelt", _sampler('yield record(claims={"determinstic": True})'), "P02")
_broken("one record, no list", _sampler("return record()"), "P02", "P07")
_broken("names for records", _sampler('return ["every"]'), "P02", "P07")
_broken("nothing at all", _sampler("return []"), "P02", "P07")
_broken("no marker", _BEGIN + _GOOD.replace("@hookimpl", ""), "P03", "P07")
_broken("one of two without a marker", _BEGIN + _GOOD + '''
def patchcore_neighbor_searches():
    yield record()
''', "P03")  # fmt: skip
_broken("the marker of another project", "import pluggy\n" + _BEGIN + '''
hookimpl = pluggy.HookimplMarker("other")
''' + _GOOD, "P03", "P07")  # fmt: skip
_broken("a hook in the singular", _BEGIN + _GOOD.replace("samplers", "sampler"), "P03", "P07")
_broken("a hook with an argument", _BEGIN + _GOOD.replace("samplers()", "samplers(wanted)"), "P03", "P07")
_broken("a wrapper", _BEGIN + '''
@hookimpl(wrapper=True)
def patchcore_coreset_samplers():
    return (yield)
''', "P03")  # fmt: skip
_broken("a generator used up", _plugin("once = (record(name) for name in ('every', 'other'))\n") + '''
@hookimpl
def patchcore_coreset_samplers():
    return once
''', "P04")  # fmt: skip
_broken("a number in the summary", _plugin("import itertools\ncount = itertools.count()\n") + '''
@hookimpl
def patchcore_coreset_samplers():
    yield record(summary=f"call {next(count)}")
''', "P04")  # fmt: skip
_broken("an order from a set", _sampler('return [record(name) for name in {"a", "b", "c", "d", "e", "f"}]'), "P04")
_broken("a file read at each call", _sampler('open("/dev/null").close(); yield record()'), "P04")
_broken("a line printed", "print('thank you for using every')\n" + _BEGIN + _GOOD, "P04")
_STARTS = 'import subprocess, sys; subprocess.run([sys.executable, "-c", ""]); yield record()'
_broken("a process started", _sampler(_STARTS), "P04")
_broken("one name twice", _sampler("return [record(), record()]"), "P05", "P07")
_broken("a built-in name", _sampler('yield record("random")'), "P05")
_broken("parts left out in silence", _BEGIN + '''
@hookimpl
def patchcore_coreset_samplers():
    yield record()
    import importlib.util
    try:
        found = importlib.util.find_spec("mxnet")
    except ImportError:
        found = None
    if found:
        yield record("other", requires=("mxnet",))
''', "P06")  # fmt: skip
_broken("requires left empty", _sampler('yield record(factory="mxnet:Every")'), "P06")
_broken("writes into the host's table", "from patchcore_plugin import components\n" + _BEGIN + '''
components._TABLE["sampler"] += (record("smuggled"),)
''' + _GOOD, "P07")  # fmt: skip
_broken("takes a built-in part away", "from patchcore_plugin import components\n" + _BEGIN + '''
components._TABLE["sampler"] = components._TABLE["sampler"][:2]
''' + _GOOD, "P07")  # fmt: skip
_ANY_VERSION = "from patchcore_plugin import hookspecs; yield record(api=hookspecs.API)"
_broken("the host's version, whichever", _sampler(_ANY_VERSION), "P07")
_broken("refuses a second load", _plugin("calls = []\n") + '''
@hookimpl
def patchcore_coreset_samplers():
    calls.append(1)
    if len(calls) > 1:
        raise RuntimeError("loaded already")
    yield record()
''', "P04", "P07")  # fmt: skip


def _at_import(name: str, deed: str, *caught_by: str) -> None:
    """Register a plugin that does something while it is imported."""
    _broken(name, f"{deed}\n{_BEGIN}{_GOOD}", *(caught_by or ("P08",)))


_at_import("threads set for all", 'import os; os.environ["OMP_NUM_THREADS"] = "1"')
_at_import("all warnings silenced", 'import warnings; warnings.filterwarnings("ignore")')
_at_import("a global seed", "import numpy; numpy.random.seed(0)")
_at_import("logging set up for the host", "import logging; logging.basicConfig(level=logging.DEBUG)")
_at_import("another folder", 'import os; os.chdir("/")')
_at_import("errors swallowed", "import sys; sys.excepthook = lambda *error: None")
_at_import("interrupts ignored", "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)")
_at_import("a thread started", "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()")
_at_import("its folder put on the path", "import os, sys; sys.path.insert(0, os.path.dirname(__file__))")
_at_import("processes started otherwise", "import multiprocessing; multiprocessing.set_start_method('spawn')")
_at_import("a cache written beside the module", "from pathlib import Path; Path(__file__ + '.cache').write_text('x')")
_at_import(
    "a function of the host exchanged",
    "from patchcore_plugin import components; make = components.create\n"
    "components.create = lambda *asked, **options: make(*asked, **options)",
)
