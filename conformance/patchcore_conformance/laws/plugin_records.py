"""P02, P03, P04, P05: what a plugin's hooks answer: valid records of names that are free, the same at every call.

None of the laws of plugins has saboteurs: the factory gives a name, and what the plugin does is watched from a process
of its own, where no answer of ours comes between.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from patchcore_conformance.claims import Claims
from patchcore_conformance.plugin_process import BUILT_IN, Target, asked, modules_of
from patchcore_conformance.registry import law
from patchcore_conformance.violation import KitError, Missing

if TYPE_CHECKING:
    from patchcore_conformance.context import Context


def looked_at(ctx: Context, target: Target, **question: Any) -> dict[str, Any]:
    """Load a plugin in a process of its own; a violation where it does not load."""
    found: dict[str, Any] = asked("look", values=list(target.values), absent=[], **question)
    ctx.require(not found["error"], f"the plugin does not load: {found['error']}", plugin=target.values)
    return found


@law(
    "P02",
    "plugin",
    statement="Each record is valid: name, summary, claims that the kit knows, and a factory that can be called.",
    why="A record is all that a host knows until the part is asked for; a wrong one fails in the hands of a user.",
    seen="A factory path that was right before the module was renamed; claims spelt in one's own way; a bare record "
    "where a list was needed; requires that name what pip installs, not the module that is imported.",
    mend="Yield patchcore_plugin.Component records whose factory is 'package.module:Class', the class having the "
    "methods of its contract.",
    witnesses=1,
)
def records_are_valid(ctx: Context) -> None:
    """Read all records, then import each factory whose libraries are here; without them nobody can say."""
    target = Target.of(ctx.raw())
    found = looked_at(ctx, target, factories=True)
    ctx.require(not found["bad"], "; ".join(found["bad"]), plugin=target.values)
    ctx.require(found["first"], "the hooks yield no record at all", plugin=target.values)
    for record in found["first"]:
        named = f"{record['kind']} {record['name']!r}"
        try:
            Claims.of(record["claims"], record["kind"])
        except (KitError, TypeError) as problem:
            ctx.broken(f"{named} claims what the kit does not know: {problem}", record=record)
    for told in found["resolved"]:
        named = f"{told['kind']} {told['name']!r}"
        ctx.require(not told["problem"], f"the factory of {named} does not do: {told['problem']}", record=told)
        ctx.witness(not told["absent"])
    untried = [told for told in found["resolved"] if told["absent"]]
    if untried:
        raise Missing("; ".join(_untried(told) for told in untried))


def _untried(told: dict[str, Any]) -> str:
    """Say which libraries kept a factory from being tried, and which of them are here under another name."""
    lacking = f"the factory of {told['kind']} {told['name']!r} was not tried: it requires {', '.join(told['absent'])}"
    known = {library: modules_of(library) for library in told["absent"]}
    hints = [
        f"warning: {library} is the name of an installed distribution, whose modules are {', '.join(modules)}: "
        "requires needs the name that is imported"
        for library, modules in known.items()
        if modules and library not in modules
    ]
    return ". ".join([f"{lacking}, not importable here", *hints])


@law(
    "P03",
    "plugin",
    statement="Every hook that looks like one is one: marked with patchcore_plugin.hookimpl, and named as a hook is.",
    why="A hook that is misspelt or not marked is never called, and nobody is told.",
    seen="The marker forgotten, or that of another project; a hook's name in the singular; an argument too many.",
    mend="Decorate each of the hooks with patchcore_plugin.hookimpl, without options and without parameters.",
    witnesses=1,
)
def hooks_are_found(ctx: Context) -> None:
    """Register the plugin with the product's own hooks, and see what is left over."""
    target = Target.of(ctx.raw())
    found = looked_at(ctx, target)
    ctx.require(not found["hooks"], "; ".join(found["hooks"]), plugin=target.values)
    ctx.witness()


@law(
    "P04",
    "plugin",
    statement="Hooks answer equal records in equal order at every call and in every process, and do nothing else.",
    why="Names are listed at every start of every host: it must be the same list, and must not wait for a network.",
    seen="A generator that is used up by the first call; an order taken from a set; a file read, or a line printed.",
    mend="Make the records anew in each call, in an order that is written down; leave reading files to the part.",
    witnesses=1,
)
def hooks_repeat(ctx: Context) -> None:
    """Call every hook twice, in two processes of different hashes, and listen for files, sockets and output."""
    target = Target.of(ctx.raw())
    one, two = (looked_at(ctx, target, environment={"PYTHONHASHSEED": seed}) for seed in ("1", "4321"))
    told = "a second call of the hooks answers other records"
    ctx.require(one["first"] == one["second"], told, first=one["first"], second=one["second"])
    told = "in a process of other hashes the hooks answer other records, or in another order"
    ctx.require(one["first"] == two["first"], told, first=one["first"], second=two["first"])
    ctx.require(not one["deeds"], f"calling the hooks does {'; '.join(one['deeds'][:3])}", plugin=target.values)
    ctx.require(not one["said"].strip(), f"loading the plugin prints {one['said'][:100]!r}", plugin=target.values)
    ctx.witness(len(one["first"]))


@law(
    "P05",
    "plugin",
    statement="A plugin offers each name once a kind, and none that a built-in part bears.",
    why="Of two parts with one name, the user gets the other one. A built-in name alone always means the built-in.",
    seen="A stranger's 'random' that could only ever be reached as 'distribution:random'; a table with an entry twice.",
    mend="Give the part a name of its own.",
    witnesses=1,
)
def names_are_free(ctx: Context) -> None:
    """Compare names with each other, and with those of the built-in parts."""
    target = Target.of(ctx.raw())
    found = looked_at(ctx, target)
    times = Counter((record["kind"], record["name"]) for record in found["first"])
    for (kind, name), count in times.items():
        ctx.require(count == 1, f"{kind} {name!r} is offered {count} times", plugin=target.values)
        taken = name in found["built_in"][kind] and BUILT_IN not in target.modules
        ctx.require(not taken, f"{kind} {name!r} is the name of a built-in part", plugin=target.values)
        ctx.witness()
