"""E03, E04, E05, E09, E12: a network that is asked stays as it was, and so does what it answered."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance import corruptions, surroundings
from patchcore_conformance.drivers.driver import Case, require_equal_bits
from patchcore_conformance.drivers.extractor import maps_of, pixels, require_equal_maps
from patchcore_conformance.networks import Fingerprint, networks_in, train
from patchcore_conformance.plain import plain
from patchcore_conformance.registry import law

if TYPE_CHECKING:
    from collections.abc import Iterator

    from patchcore_conformance.context import Context
    from patchcore_conformance.drivers.driver import Array

_MOODY = corruptions.spoiling("answers otherwise each time", corruptions.moody, "extract")


def _require_repeats(ctx: Context, images: Array, one: list[Array], two: list[Array], message: str) -> None:
    """Hold two answers to equal bits, or to the contract's 1e-4 where the part is not deterministic."""
    if ctx.claims.deterministic:
        require_equal_bits(ctx, Case(message, (images,)), tuple(one), tuple(two), message)
    else:
        require_equal_maps(ctx, one, two, message, pixels=images)


@law(
    "E03",
    "extractor",
    statement="Calling again gives the same maps, also after someone put the network into training mode.",
    why="Frameworks call train() on everything that they hold.",
    seen="Dropout at work; running statistics that drift from call to call.",
    mend="Call eval() on the network in each extract, not once in the constructor.",
    after=("E01",),
    witnesses=3,
    saboteurs=_MOODY,
)
def calls_repeat(ctx: Context) -> None:
    """Ask three times, then once more in training mode if the part lets itself be put into it."""
    part, images = ctx.make(), pixels(ctx, ctx.rng(), 2, 32, 64)
    first = [found.copy() for found in maps_of(ctx, part, images)]
    for _ in range(2):
        _require_repeats(ctx, images, first, maps_of(ctx, part, images), "a second call gave other maps")
        ctx.witness()
    for inside_only in (False, True):
        with train(part, inside_only):
            told = f"in training mode{', set within the network alone,' if inside_only else ''} the maps are others"
            _require_repeats(ctx, images, first, maps_of(ctx, part, images), told)
    ctx.witness()


@law(
    "E04",
    "extractor",
    statement="Extracting changes no weight, no running statistic and no number of hooks.",
    why="A network that learns while it is asked scores the last photograph otherwise than the first.",
    seen="Batch statistics updated in each call; forward hooks added in each call and never taken off.",
    mend="Use evaluation mode; register hooks once, or remove them when the call is over.",
    after=("E01",),
    witnesses=3,
    saboteurs=_MOODY,
)
def nothing_is_learned(ctx: Context) -> None:
    """Ask five times about other images, then look at the networks inside the part, and at an early answer again."""
    part, rng = ctx.make(), ctx.rng()
    images = pixels(ctx, rng, 2, 32, 64)
    first = [found.copy() for found in maps_of(ctx, part, images)]
    before = Fingerprint.of(networks_in(part))
    for _ in range(5):
        maps_of(ctx, part, pixels(ctx, rng, 2, 32, 64) + np.float32(0.5))
        ctx.witness()
    changed = before.changed(Fingerprint.of(networks_in(part)))
    ctx.require(not changed, f"five calls changed {changed}")
    _require_repeats(ctx, images, first, maps_of(ctx, part, images), "after five other calls the maps are others")


def _with_gradient(array: Array, _: np.random.Generator) -> Any:
    class Tracked(np.ndarray):
        requires_grad = True

    return array.view(Tracked)


@law(
    "E05",
    "extractor",
    statement="Maps carry no gradients, share no memory with each other or the pixels, and are what their layer gave.",
    why="A graph that hangs on each map keeps the whole network's memory; shared memory lets one map spoil another.",
    seen="A hook that captures a map which a later in-place ReLU then changes.",
    mend="Run without gradients, detach what is returned, and copy captured maps before later layers work in place.",
    after=("E01",),
    witnesses=2,
    saboteurs=corruptions.spoiling("gradients are tracked", _with_gradient, "extract"),
)
def maps_stand_alone(ctx: Context) -> None:
    """Look at the maps, and compare each with what comes when it alone is asked for, if the part takes ``layers``."""
    part, images = ctx.make(), pixels(ctx, ctx.rng(), 1, 32, 64)
    given = images.copy()
    answer = part.extract(given)
    ctx.require(not any(getattr(one, "requires_grad", False) for one in answer), "a map still tracks gradients")
    maps = [plain(one) for one in answer]
    shared = [np.shares_memory(one, given) for one in maps]
    shared += [np.shares_memory(one, two) for place, one in enumerate(maps) for two in maps[:place]]
    ctx.require(not any(shared), "maps share memory with each other or with the pixels", pixels=images)
    ctx.require(np.array_equal(given, images), "the pixels were changed", pixels=images, after=given)
    ctx.witness(2)
    names = tuple(part.layers)
    for place, name in enumerate(names if len(names) > 1 else ()):
        try:
            alone = ctx.make(layers=(name,))
        except (TypeError, ValueError):
            return
        found = maps_of(ctx, alone, images)
        told = f"layer {name} has another map when it alone is asked for"
        require_equal_maps(ctx, found, [maps[place]], told, pixels=images)


@law(
    "E09",
    "extractor",
    statement="The maps of one call survive the next.",
    why="A fit collects the maps of many calls before it uses them.",
    seen="Static output buffers, as CUDA graphs have, handed out without a copy.",
    mend="Copy maps out of memory that the next call writes to.",
    after=("E01",),
    witnesses=2,
    saboteurs=tuple(one for one in corruptions.one_buffer() if one.method == "extract"),
)
def maps_survive(ctx: Context) -> None:
    """Ask again with other images, of the same size and of another, and look at the first maps."""
    part, rng = ctx.make(), ctx.rng()
    images = pixels(ctx, rng, 2, 32, 64)
    kept = part.extract(images.copy())
    before = tuple(np.array(plain(one)) for one in kept)
    for other in (pixels(ctx, rng, 2, 32, 64), pixels(ctx, rng, 1, 64, 32)):
        part.extract(other)
        after = tuple(np.array(plain(one)) for one in kept)
        require_equal_bits(ctx, Case("maps of an earlier call", (images,)), before, after, "a later call changed them")
        ctx.witness()


@law(
    "E12",
    "extractor",
    statement="Making and asking an extractor needs no network, and its weights are the same each time.",
    why="Inspection stations are offline; weights that were not loaded are random, and nobody sees it in the scores.",
    seen="Weights downloaded in silence, or drawn at random where the file was not found.",
    mend="Read weights from an installed package or a named file, refuse to go on without; tell their SHA-256.",
    after=("E01",),
    witnesses=2,
    saboteurs=_MOODY,
)
def weights_are_at_hand(ctx: Context) -> None:
    """Make two parts while the network is cut off and global chance differs."""
    images = pixels(ctx, ctx.rng(), 1, 32, 64)
    tried: list[str] = []
    answers, told = [], []
    for seed in (1, 2):
        with surroundings.seeded(seed), _offline(tried):
            try:
                part = ctx.make()
                answers.append([found.copy() for found in maps_of(ctx, part, images)])
                told.append(getattr(part, "weights_sha256", None))
            finally:
                if tried:
                    ctx.broken(f"a connection was tried: {tried[0]}")
        ctx.witness()
    _require_repeats(ctx, images, answers[0], answers[1], "two parts with the same settings have other weights")
    ctx.require(told[0] == told[1], f"the weights' checksum is {told[0]}, then {told[1]}")


@contextmanager
def _offline(tried: list[str]) -> Iterator[None]:
    """Refuse every connection to another machine, and note it."""

    def refuse(*args: Any, **_: Any) -> Any:
        tried.append(repr(args[1] if len(args) > 1 and isinstance(args[0], socket.socket) else args[0]))
        raise OSError("the conformance kit has cut off the network for this check")

    names = [(socket, "getaddrinfo"), (socket, "create_connection"), (socket.socket, "connect")]
    kept = [(owner, name, getattr(owner, name)) for owner, name in names]
    try:
        for owner, name in names:
            setattr(owner, name, refuse)
        yield
    finally:
        for owner, name, value in kept:
            setattr(owner, name, value)
