"""P01, P06 to P08: loading a plugin is quick, needs no optional libraries, leaves the host and the process alone."""

from __future__ import annotations

import tempfile
from importlib import metadata
from typing import TYPE_CHECKING, Any

from patchcore_conformance.laws.plugin_records import looked_at
from patchcore_conformance.plugin_process import BUILT_IN, Target, asked, canonical, install
from patchcore_conformance.registry import law
from patchcore_conformance.violation import NotOffered

if TYPE_CHECKING:
    from patchcore_conformance.context import Context

_QUICK = 0.5  # seconds
_TRIES = 3  # a machine may be busy
_JUDGED, _DOUBLE = "judged-by-the-kit", "judged-by-the-kit-twice"


@law(
    "P01",
    "plugin",
    statement="Loading a plugin and listing its parts takes less than half a second and loads no heavy library.",
    why="Every host lists every plugin at every start, whether or not its parts are wanted.",
    seen="torch or faiss imported at the top of the module that holds the hooks.",
    mend="Keep the hooks in a module of their own that imports patchcore_plugin only; name the part by its path.",
    witnesses=1,
)
def loading_is_light(ctx: Context) -> None:
    """Load in a fresh process, and look at its modules and the clock; a busy machine gets more tries."""
    target = Target.of(ctx.raw())
    seconds = float("inf")
    for _ in range(_TRIES):
        found = looked_at(ctx, target)
        told = f"loading and listing loads {', '.join(found['heavy'])}"
        ctx.require(not found["heavy"], told, plugin=target.values, heavy=found["heavy"])
        seconds = min(seconds, found["seconds"])
        if seconds <= _QUICK / 2:
            break
    ctx.within(seconds, _QUICK, f"importing the plugin takes {seconds:.2f} s", plugin=target.values)
    ctx.witness()


@law(
    "P06",
    "plugin",
    statement="Without its optional libraries a plugin lists the same parts; each record names what its part needs.",
    why="Only then can a host say which extra to install, instead of failing with a traceback.",
    seen="An ImportError while parts are listed; parts left out of the list in silence; requires left empty.",
    mend="Import optional libraries in the part's own module; name them in the record's requires, and the extra.",
    witnesses=1,
)
def libraries_may_be_missing(ctx: Context) -> None:
    """List with and without the libraries, then see what each part's module imports."""
    target = Target.of(ctx.raw())
    found = looked_at(ctx, target, factories=True)
    needed = sorted({library for record in found["first"] for library in record["requires"]})
    bare = asked("look", values=list(target.values), absent=sorted({*needed, *_optional(target)}))
    told = f"without {', '.join(needed) or 'heavy libraries'} the plugin does not load: {bare['error']}"
    ctx.require(not bare["error"], told, plugin=target.values)
    told = f"without {', '.join(needed) or 'heavy libraries'} the plugin lists other parts"
    ctx.require(bare["first"] == found["first"], told, there=found["first"], missing=bare["first"])
    for told_of in found["resolved"]:
        brought = sorted(set(told_of["brought"]) - _delivered(target))
        named = f"{told_of['kind']} {told_of['name']!r}"
        told = f"{named} imports {', '.join(brought)}, but its record requires no such thing"
        ctx.require(not brought, told, plugin=target.values)
        ctx.witness()
    for record in found["first"]:
        known = target.extras is None or record["extra"] is None or record["extra"] in target.extras
        told = f"{record['kind']} {record['name']!r} names an extra that is not declared: {record['extra']!r}"
        ctx.require(known, told, extras=target.extras)


def _optional(target: Target) -> set[str]:
    """Return libraries that a plugin must be able to do without, as long as nobody asks for its parts."""
    some = {"torch", "torchvision", "timm", "faiss", "sklearn", "tensorflow", "jax", "mxnet", "cv2"}
    return some - _delivered(target)


def _delivered(target: Target) -> set[str]:
    """Return the modules that come along with the plugin in any case, or with the product itself."""
    found = {"numba", "llvmlite"}
    owners = metadata.packages_distributions() if target.always_there else {}
    return found | {module for module, names in owners.items() if target.always_there & set(map(canonical, names))}


@law(
    "P07",
    "plugin",
    statement="A plugin can be switched off, found twice, loaded again, and met by a host of another record version.",
    why="One plugin must never decide what a host can do without it.",
    seen="Parts written into the host's table at import; an api copied from the host, whichever that is.",
    mend="Do nothing at import; yield records made for one version of the record, which is the default.",
    witnesses=5,
)
def the_host_stays_in_charge(ctx: Context) -> None:
    """Let the product itself load the plugin in each of these ways, beside its own parts."""
    target = Target.of(ctx.raw())
    if BUILT_IN in target.modules:
        raise NotOffered("the built-in parts are the host's own: they cannot be switched off")
    name = target.distribution or _JUDGED
    with tempfile.TemporaryDirectory() as once, tempfile.TemporaryDirectory() as again:
        if not target.distribution:
            install(once, name, target.values)
        install(again, _DOUBLE, target.values)
        host = _Host(ctx, target, name, once)
        host.require_taken()
        host.require_left_out()
        host.require_once(again)
        host.require_own_version()


@law(
    "P08",
    "plugin",
    statement="Loading a plugin and calling its hooks leaves the process as it was, and touches neither disk nor net.",
    why="Whoever has a plugin installed loads it with every start, wanted or not.",
    seen="Thread counts and warnings set for everybody at import; global seeds; a logger that is configured for the "
    "host; functions of the host exchanged for others; a cache file written beside the module.",
    mend="Do nothing at import but define hooks; set up in the part, when it is made, what the part alone needs.",
    witnesses=1,
)
def loading_changes_nothing(ctx: Context) -> None:
    """Compare what a process shares before and after, and listen to what is done while the module is imported."""
    target = Target.of(ctx.raw())
    found = looked_at(ctx, target)
    ctx.require(not found["changed"], f"loading the plugin changes {', '.join(found['changed'])}", plugin=target.values)
    told = f"importing the plugin does {'; '.join(found['written'][:3])}"
    ctx.require(not found["written"], told, plugin=target.values)
    ctx.witness()


class _Host:
    """The product, in processes of its own, with the plugin on its path."""

    def __init__(self, ctx: Context, target: Target, name: str, path: str) -> None:
        self.ctx, self.target, self.name, self.path = ctx, target, name, path
        self.alone = self._asked({"PATCHCORE_NO_PLUGINS": "1"})

    def _asked(self, environment: dict[str, str], more: tuple[str, ...] = (), api: int = 1) -> dict[str, Any]:
        question = {"api": api, "watched": self.target.modules}
        told: dict[str, Any] = asked("host", environment=environment, paths=[*more, self.path], **question)
        return told

    def _parts_of(self, told: dict[str, Any], *names: str) -> list[Any]:
        return [part for part in told["parts"] if _same(part["distribution"], names or (self.name,))]

    def _require_others(self, told: dict[str, Any], when: str) -> None:
        """Whatever the plugin does, the host's own parts are what they are without it."""
        own, before = ([part for part in one["parts"] if part["built_in"]] for one in (told, self.alone))
        self.ctx.require(own == before, f"{when}, the built-in parts are others than without the plugin")
        self.ctx.witness()

    def require_taken(self) -> None:
        told = self._asked({})
        reasons = [one["reason"] for one in told["not_loaded"] if _same(one["distribution"], (self.name,))]
        self.ctx.require(self._parts_of(told), f"the product does not load the plugin: {'; '.join(reasons)}")
        self.ctx.require(told["parts"] == told["again"], "loaded a second time, the plugin offers other parts")
        self._require_others(told, "once it is loaded")

    def require_left_out(self) -> None:
        disabled = self._asked({"PATCHCORE_DISABLE_PLUGINS": self.name})
        for words, told in (("PATCHCORE_NO_PLUGINS", self.alone), ("PATCHCORE_DISABLE_PLUGINS", disabled)):
            self.ctx.require(not self._parts_of(told), f"with {words}, parts of the plugin are on offer")
            self.ctx.require(not told["imported"], f"with {words}, the plugin is imported all the same")
            self._require_others(told, f"with {words}")

    def require_once(self, double: str) -> None:
        told = self._asked({}, (double,))
        self.ctx.require(self._parts_of(told, self.name, _DOUBLE), "found twice, the plugin is not loaded at all")
        self._require_others(told, "found twice")

    def require_own_version(self) -> None:
        told = self._asked({}, api=2)
        complaint = "a host of record version 2 takes records that were written for version 1"
        self.ctx.require(not self._parts_of(told), complaint, parts=self._parts_of(told))
        self._require_others(told, "met by a host of record version 2")


def _same(name: str, names: tuple[str, ...]) -> bool:
    return canonical(name) in set(map(canonical, names))
