"""X02, X03, X08, X09: inputs stay as they are, may be of any layout and float, and bad ones are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from patchcore_conformance import corruptions
from patchcore_conformance.drivers.driver import copied, driver_of, evidence, require_refused, widened
from patchcore_conformance.layouts import LAYOUTS, foreign
from patchcore_conformance.registry import law

if TYPE_CHECKING:
    from patchcore_conformance.context import Context
    from patchcore_conformance.drivers.driver import Case, Driver

PARTS = ("sampler", "neighbors", "extractor", "aggregator", "scores", "maps")
_MOODY = corruptions.spoiling("answers otherwise each time", corruptions.moody)


@law(
    "X02",
    *PARTS,
    statement="Inputs are never changed, and read-only inputs are taken.",
    why="Pixels, maps and embeddings are used again after the call; memory-mapped files are read-only.",
    seen="Centring, normalising or clipping in place; results written into the list that maps came in; compiled "
    "signatures that do not allow read-only arrays.",
    mend="Copy before computing in place; let compiled functions take read-only arrays, or copy those first.",
    witnesses=4,
    saboteurs=(
        *corruptions.misbehaving("changes its input", corruptions.scribble),
        *_MOODY,
    ),
)
def inputs_stay_as_they_are(ctx: Context) -> None:
    """Compare inputs, small, large and float64, with copies after the call; then ask with arrays that are read-only."""
    driver = driver_of(ctx)
    cases = driver.cases()
    for case in (*cases, cases[0].each(lambda array: array * np.float32(8))):  # what clips has nothing to do else
        given = case.fresh()
        answer = driver.bits(driver.make(case), given)
        _require_untouched(ctx, case, given)
        _require_list_stays(ctx, driver, case)
        if case is cases[0]:  # who computes in float64 copies all but what is float64 already
            wide = widened(case)
            driver.bits(driver.make(case), wide)
            _require_untouched(ctx, widened(case), wide)
        locked = case.fresh()
        for array in locked.arrays:
            array.flags.writeable = False
        again = driver.bits(driver.make(case), locked)
        driver.require_same(case, answer, again, "read-only inputs got another answer")
        ctx.witness(2)


def _require_untouched(ctx: Context, case: Case, given: Case) -> None:
    for place, (before, after) in enumerate(zip(case.arrays, given.arrays, strict=True)):
        same = before.shape == after.shape and before.tobytes() == after.tobytes()
        ctx.require(same, f"input {place} was changed by the call", **evidence(case, (after,)))


def _require_list_stays(ctx: Context, driver: Driver, case: Case) -> None:
    """Ask with the arrays in a list, where the kind takes several in one: the list must hold the very same after."""
    given = case.fresh()
    listed = list(given.arrays)
    if driver.answer_list(driver.make(case), listed) is None:
        return
    same = len(listed) == len(given.arrays) and all(one is two for one, two in zip(listed, given.arrays, strict=True))
    ctx.require(same, "the list that the inputs came in holds other arrays after the call", **evidence(case))
    _require_untouched(ctx, case, given)


@law(
    "X03",
    *PARTS,
    statement="However the values lie in memory, the answer is the same up to rounding and ties.",
    why="Slices, transposed maps and channels-last images arrive without anyone noticing.",
    seen="Memory read by raw pointer or flattened in storage order, so that a strided view gives another picture.",
    mend="Bring inputs into C order first (numpy.ascontiguousarray), or index by strides.",
    after=("X02",),
    witnesses=14,
    saboteurs=_MOODY,
)
def layouts_do_not_matter(ctx: Context) -> None:
    """Ask with views of every kind; foreign byte order may be refused, but not misread."""
    driver = driver_of(ctx)
    for case in driver.cases()[:3]:
        expected = driver.bits(driver.make(case), case)
        for name, lay_out in LAYOUTS.items():
            found = driver.bits(driver.make(case), case.each(lay_out))
            driver.require_agree(case, expected, found, f"another answer for {name}")
            ctx.witness()
        try:
            found = driver.bits(driver.make(case), case.each(foreign))
        except (TypeError, ValueError):
            continue
        driver.require_agree(case, expected, found, "another answer for the other byte order")
    driver.require_comparable()


@law(
    "X08",
    *PARTS,
    statement="What cannot be answered is refused with a ValueError or TypeError, and a refusal changes nothing.",
    why="One NaN in a photograph must not become a plausible score, nor spoil the scores that follow.",
    seen="NaN that argmax answers first and loops skip; empty inputs and widths of 1 that are stretched to fit; k = 0.",
    mend="Check axes, width, finiteness, emptiness and k before anything is computed or stored; raise ValueError.",
    witnesses=8,
    saboteurs=(*corruptions.answering_anyway(), *corruptions.failing("raises KeyError instead", KeyError)),
)
def bad_input_is_refused(ctx: Context) -> None:
    """Ask what must be refused, then ask something good."""
    driver = driver_of(ctx)
    case = driver.cases()[0]
    part = driver.make(case)
    ask = driver.ready(part, case)
    before = copied(ask())
    for refusal in driver.refusals(part, case):
        require_refused(ctx, refusal)
        ctx.witness()
    told = "after bad input was refused, good input got another answer"
    driver.require_same(case, before, copied(ask()), told)
    driver.require_same(case, before, copied(driver.after_refusals(part, case)), told)


@law(
    "X09",
    *PARTS,
    statement="Numbers that float16, float32 and float64 all hold get the same answer in each.",
    why="Embeddings stored in float16 and computed in float32 meet in one detector.",
    seen="float16 inputs whose squares or sums overflow; float32 inputs that are computed in less, unsaid.",
    mend="Widen inputs to the claimed dtype before computing; claim dtype='float16' where that is the arithmetic.",
    witnesses=2,
    saboteurs=_MOODY,
)
def dtypes_agree(ctx: Context) -> None:
    """Ask with values that each dtype holds exactly."""
    driver = driver_of(ctx)
    for case, dtypes in driver.dtype_cases():
        answers = [driver.bits(driver.make(case), case.each(lambda one, to=dtype: one.astype(to))) for dtype in dtypes]  # type: ignore[misc]
        for dtype, found in zip(dtypes, answers, strict=True):
            driver.require_agree(case, answers[0], found, f"{case.name}: {dtype} got another answer than {dtypes[0]}")
            ctx.witness()
    driver.require_digits()
    driver.require_comparable()
