"""X01, X04, X05, X10, X11: parts are values: no instance, call, copy or thread gets in the way of another."""

from __future__ import annotations

import copy
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance import corruptions
from patchcore_conformance.drivers.driver import copied, driver_of, shuffled_within, touched_once, widened
from patchcore_conformance.interleaving import many_turns, turns_within
from patchcore_conformance.registry import law

if TYPE_CHECKING:
    from patchcore_conformance.context import Context
    from patchcore_conformance.drivers.driver import Case, Driver

PARTS = ("sampler", "neighbors", "extractor", "aggregator", "scores", "maps")
_MOODY = corruptions.spoiling("answers otherwise each time", corruptions.moody)


@law(
    "X01",
    *PARTS,
    statement="Each part that the factory returns is independent of every other one.",
    why="A host keeps several detectors, each with parts of its own settings and data, in one process.",
    seen="State kept on the class, so that the second instance changes what the first one answers.",
    mend="Keep settings and data in attributes of the instance, set in its constructor; none on the class or module.",
    witnesses=3,
    saboteurs=_MOODY,
)
def instances_are_independent(ctx: Context) -> None:
    """Ask one part before and after others were made and used."""
    driver = driver_of(ctx)
    mine, *others = driver.cases()
    alone = driver.bits(driver.make(mine), mine)
    part = driver.make(mine)
    ask = driver.ready(part, mine)
    for other in others:
        driver.answer(driver.make(other), other)
        again = "another part was made and used, and this one answers otherwise"
        driver.require_same(mine, alone, copied(ask()), again)
        driver.require_same(mine, alone, driver.bits(part, mine), again)
        ctx.witness(2)
    driver.require_comparable()


@law(
    "X04",
    *PARTS,
    statement="What was answered stays as it is, whatever is done to inputs or asked later; and changing it changes "
    "nothing else.",
    why="A host collects answers over many calls, and may scale or sort them in place.",
    seen="One buffer that every call answers in; views of the bank handed out; answers that are views of the input.",
    mend="Answer in memory of its own for each call: copy before returning a view of an input, a cache or a buffer.",
    witnesses=3,
    saboteurs=corruptions.one_buffer(),
)
def answers_are_the_callers(ctx: Context) -> None:
    """Scribble over inputs and answers, and ask again."""
    driver = driver_of(ctx)
    cases = driver.cases()
    for case, other in zip([*cases, widened(cases[0])], [*cases[1:], cases[0], cases[1]], strict=True):
        part, own = driver.make(case), case.fresh()
        ask = driver.ready(part, own)
        answer = ask()
        kept = copied(answer)
        driver.answer(driver.make(other) if other.options != case.options else part, other)
        driver.answer(part, _reversed(case))
        driver.require_same(case, kept, copied(answer), "a later call changed an earlier answer")
        for array in own.arrays:
            array[...] = 0
        driver.require_same(case, kept, copied(answer), "changing the input changed the answer")
        _scribble(answer)
        driver.require_same(case, kept, driver.bits(part, case.fresh()), "changing an answer changed the next one")
        _overwrite(own, case)
        again = ask()
        driver.require_same(case, kept, copied(again), "changing an answer changed the next one to the same question")
        _scribble(again)
        driver.require_same(case, kept, copied(ask()), "changing an answer changed the next one to the same question")
        ctx.witness()


def _reversed(case: Case) -> Case:
    """Return a question about data of the same shape and the same mean."""
    return case.each(lambda array: np.ascontiguousarray(array[::-1, ..., ::-1]))


def _overwrite(own: Case, other: Case) -> None:
    """Put another question's arrays into the memory of one's own."""
    for mine, given in zip(own.arrays, other.arrays, strict=True):
        mine[...] = given


def _scribble(answer: tuple[Any, ...]) -> None:
    """Overwrite an answer where it lets itself be overwritten; what is read-only cannot be changed by anyone."""
    for one in answer:
        try:
            one[...] = 0
        except (ValueError, TypeError, RuntimeError):
            continue


@law(
    "X05",
    *PARTS,
    statement="An answer depends on nothing that was asked before.",
    why="The same photograph must score the same on Monday and after a thousand others.",
    seen="Caches that are looked up by shape, identity, sum, first row or some of the values, and answer with stale "
    "results.",
    mend="Drop the cache, or look up by everything the answer depends on; recompute when the data may have changed.",
    witnesses=3,
    saboteurs=_MOODY,
)
def answers_have_no_past(ctx: Context) -> None:
    """Ask about other data in between: of the same shape, of the same sum, in the same memory, and of other shapes."""
    driver = driver_of(ctx)
    cases = driver.cases()
    case = cases[0]
    part = driver.make(case)
    buffer = case.fresh()
    first = driver.bits(part, buffer)
    for other in [
        case.of(cases[1].arrays),
        _reversed(case),
        *(one for one in cases[2:] if one.options == case.options),
    ]:
        fresh = driver.bits(driver.make(other), other)
        driver.require_same(other, fresh, driver.bits(part, other), "a used part answers otherwise than a fresh one")
        ctx.witness()
        if [one.shape for one in other.arrays] == [one.shape for one in buffer.arrays]:
            before = driver.ready(part, buffer)  # in use for as long as the next one is
            _overwrite(buffer, other)
            told = "new data in the same memory got another answer than by a fresh part"
            driver.require_same(other, fresh, driver.bits(part, other.of(buffer.arrays)), told)
            del before
        driver.require_same(case, first, driver.bits(part, case), "the same question got another answer later")
    for other, asking in driver.questions(part, [case, case.each(touched_once), case, case.each(shuffled_within)]):
        told = "after a question that is nearly the same, a used part answers otherwise than a fresh one"
        fresh = first if other is case else driver.bits(driver.make(other), other)
        driver.require_same(other, fresh, copied(asking()), told)
        ctx.witness()
    _ask_otherwise(driver)
    driver.require_comparable()


def _ask_otherwise(driver: Driver) -> None:
    """Ask one part about the same data with another number beside them, where that is no option of the part."""
    for one, two in driver.pairs():
        if one.options != two.options:
            continue
        fresh, part = driver.bits(driver.make(two), two), driver.make(one)
        driver.answer(part, one)
        told = f"after {one.name}, a part answers otherwise than a fresh one"
        driver.require_same(two, fresh, driver.bits(part, two), told)


@law(
    "X10",
    *PARTS,
    statement="A part that was pickled, or copied deeply, answers as the original does.",
    why="Detectors are sent to worker processes and saved inside pipelines of other frameworks.",
    seen="Lambdas and library handles among the attributes, which cannot be pickled; an option that the copy forgets.",
    mend="Keep every setting as a plain attribute, and make handles when they are first needed.",
    applies=lambda claims: claims.serialisable,
    promise="serialisable",
    witnesses=2,
    saboteurs=_MOODY,
)
def copies_answer_alike(ctx: Context) -> None:
    """Copy a part of each set of options before and after its first use."""
    driver = driver_of(ctx)
    for case in [driver.cases()[1], *driver.of_each_option()]:
        expected = driver.bits(driver.make(case), case)
        for used in (False, True):
            for name in ("pickle", "deepcopy"):
                part = ctx.watch(lambda used=used, name=name: _copy(ctx, driver, case, name, used), f"{name} {used}")  # type: ignore[misc]  # noqa: B023
                driver.require_same(case, expected, driver.bits(part, case), f"a part after {name} answers otherwise")
                ctx.witness()
    driver.require_comparable()


def _copy(ctx: Context, driver: Driver, case: Case, name: str, used: bool) -> Any:
    part = driver.raw(case)
    if used:
        driver.answer(part, case)
    try:
        return pickle.loads(pickle.dumps(part)) if name == "pickle" else copy.deepcopy(part)  # noqa: S301 - our own bytes
    except Exception as problem:  # noqa: BLE001 - anything may go wrong in a stranger's attributes
        ctx.broken(f"{name} of the part raised {type(problem).__name__}: {problem}")


@law(
    "X11",
    *PARTS,
    statement="Calls from several threads at once give what they give one after the other.",
    why="Servers score several photographs at once with one detector.",
    seen="Scratch memory of the instance that two calls write to at the same time.",
    mend="Make scratch memory in each call, keep it per thread, or hold a lock while it is used.",
    applies=lambda claims: claims.thread_safe,
    promise="thread_safe",
    witnesses=8,
    saboteurs=_MOODY,
)
def threads_do_not_meet(ctx: Context) -> None:
    """Ask one part, and what it prepared, from four threads at once."""
    driver = driver_of(ctx)
    first, *others = driver.cases()
    cases = [first, *(one for one in others if one.options == first.options)]
    part = driver.make(first)
    asked = driver.questions(part, cases)
    expected = [driver.bits(driver.make(case), case) for case, _ in asked]
    start, pause = Barrier(4), sys.getswitchinterval()

    def work(thread: int) -> list[tuple[int, Any]]:
        start.wait()
        found = []
        with many_turns(thread):
            for turn in turns_within(seconds=0.3, least=6, most=40):
                place = (thread + turn) % len(asked)
                found.append((place, copied(asked[place][1]())))
        with many_turns(thread + 4):
            return found + [(place, driver.bits(part, asked[place][0])) for place, _ in found[:6]]

    try:
        sys.setswitchinterval(1e-5)
        with ThreadPoolExecutor(4) as pool:
            answers = [found for answered in pool.map(work, range(4)) for found in answered]
    finally:
        sys.setswitchinterval(pause)
    for turn, found in answers:
        driver.require_same(asked[turn][0], expected[turn], found, "a call beside others was answered otherwise")
        ctx.witness()
    driver.require_comparable()
