"""X06, X07, X12: a part depends on its settings and inputs alone, and leaves the process as it was."""

from __future__ import annotations

import random
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from patchcore_conformance import corruptions, surroundings
from patchcore_conformance.drivers.driver import driver_of
from patchcore_conformance.fresh_process import answers_there, get_ready
from patchcore_conformance.registry import law

if TYPE_CHECKING:
    from patchcore_conformance.context import Context
    from patchcore_conformance.drivers.driver import Case, Driver
    from patchcore_conformance.saboteur import Call

PARTS = ("sampler", "neighbors", "extractor", "aggregator", "scores", "maps")
# They say nothing about the data: a library announces what it will change one day.
_ANNOUNCEMENTS = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ImportWarning, ResourceWarning)


@law(
    "X06",
    *PARTS,
    statement="The same settings and input give the same answer: again, after other code used global chance, in "
    "another process, and, up to rounding, on however many threads.",
    why="A model that was fitted again from the same photographs must be the same model.",
    seen="Rows drawn by the global random state; the order of a set of names; ties that the number of threads decides; "
    "a cache of the module that is looked up without one of the settings.",
    mend="Draw from a generator of your own, made from the seed in each call; sort what comes out of sets; "
    "among equals take the lowest row, whichever thread found it.",
    applies=lambda claims: claims.deterministic,
    promise="deterministic",
    witnesses=4,
    saboteurs=corruptions.spoiling("answers otherwise each time", corruptions.moody),
    ahead=get_ready,
)
def answers_repeat(ctx: Context) -> None:
    """Ask fresh parts under other global seeds, and one in a process with other hashes."""
    driver = driver_of(ctx)
    for place, case in enumerate(driver.cases()[:3]):
        with surroundings.seeded(1):
            one = driver.bits(driver.make(case), case)
        for seed in (2, 3):
            with surroundings.seeded(seed):
                two = driver.bits(driver.make(case), case)
            driver.require_same(case, one, two, "two fresh parts with the same settings answer otherwise")
            ctx.witness()
        there = answers_there(ctx, case) if place == 0 else None
        if there is not None:
            driver.require_same(case, one, there, "a process with other hashes answers otherwise")
    _whatever_the_threads(ctx, driver)
    for first, second in driver.pairs():
        _require_settings_apart(ctx, driver, first, second)


def _require_settings_apart(ctx: Context, driver: Driver, first: Case, second: Case) -> None:
    """Ask with one setting and then with another, and compare with a process that knows of the second alone."""
    driver.answer(driver.make(first), first)
    here, there = driver.bits(driver.make(second), second), answers_there(ctx, second)
    if there is not None:
        told = f"after a part of other settings was used ({first.name}), one answers otherwise than in another process"
        driver.require_same(second, here, there, told)


def _whatever_the_threads(ctx: Context, driver: Driver) -> None:
    """Ask on one thread and on three: alike up to rounding, and where nothing is rounded to the last bit."""
    plain = [(driver.cases()[0], driver.require_agree)]
    for case, require in plain + [(case, driver.require_same) for case in driver.tied()]:
        with surroundings.threads(1):
            one = driver.bits(driver.make(case), case)
        with surroundings.threads(3):
            three = driver.bits(driver.make(case), case)
        require(case, one, three, "on three threads a part answers otherwise than on one")
        ctx.witness()


def _draw(_: Call) -> None:
    np.random.random()  # noqa: NPY002 - the fault that is looked for
    random.random()  # noqa: S311


@law(
    "X07",
    *PARTS,
    statement="The process is left as it was: global chance, printing, threads, default dtypes, modes and switches.",
    why="A part is a guest: training code in the same process must not change because a detector was made.",
    seen="Global seeds set in a constructor; thread counts set at import; TF32 and grad mode switched and left so.",
    mend="Use local generators and context managers; take thread counts and devices as settings of the part.",
    witnesses=3,
    saboteurs=corruptions.misbehaving("draws from global chance", _draw),
)
def the_process_is_left_alone(ctx: Context) -> None:
    """Compare everything global before and after; a first use may load libraries, so chance alone is compared then.

    Then ask what is refused: what was changed for the time of a call has to be put back also where the call fails.
    """
    driver = driver_of(ctx)
    first = driver.cases()[0]
    before = surroundings.chance()
    driver.answer(driver.make(first), first)
    surroundings.require_unchanged(ctx, before, surroundings.chance())
    with surroundings.unusual():
        before = surroundings.state()
        for case in driver.cases():
            driver.answer(driver.make(case), case)
            ctx.witness()
        surroundings.require_unchanged(ctx, before, surroundings.state())
        for refusal in driver.refusals(driver.make(first), first):
            with suppress(Exception):  # how it is refused is a law of its own
                refusal.ask()
        surroundings.require_unchanged(ctx, before, surroundings.state())


def _warn(_: Call) -> None:
    warnings.warn("overflow encountered", RuntimeWarning, stacklevel=2)


@law(
    "X12",
    *PARTS,
    statement="Good input causes no warning.",
    why="A warning on every photograph hides the one that matters; an overflow warned about is a wrong score.",
    seen="Overflow and invalid values that are warned about and passed on.",
    mend="Compute in a dtype that holds the values; guard divisions by zero and roots of what rounding made negative.",
    witnesses=3,
    saboteurs=corruptions.misbehaving("warns", _warn),
)
def good_input_causes_no_warning(ctx: Context) -> None:
    """Listen while good inputs are answered, float16 ones and all zeros among them; first uses may announce things."""
    driver = driver_of(ctx)
    cases = driver.cases()
    zeros = cases[0].each(np.zeros_like)
    halves = [case.each(lambda one: one.astype(np.float16)) for case, to in driver.dtype_cases() if "float16" in to]
    driver.answer(driver.make(cases[0]), cases[0])
    for case in [*cases, zeros, *halves]:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            driver.answer(driver.make(case), case)
        telling = [one for one in heard if not issubclass(one.category, _ANNOUNCEMENTS)]
        if telling:
            ctx.broken(f"{case.name}: {telling[0].category.__name__}: {telling[0].message}", input=case.arrays[0])
        ctx.witness()
