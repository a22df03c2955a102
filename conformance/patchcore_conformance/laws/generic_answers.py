"""X13: answers are what the contract says: arrays of the right shape, kind and range."""

from __future__ import annotations

from typing import TYPE_CHECKING

from patchcore_conformance import corruptions
from patchcore_conformance.drivers.driver import driver_of
from patchcore_conformance.registry import law

if TYPE_CHECKING:
    from patchcore_conformance.context import Context

PARTS = ("sampler", "neighbors", "extractor", "aggregator", "scores", "maps")


@law(
    "X13",
    *PARTS,
    statement="Answers are arrays of the shape, kind and range that the contract names.",
    why="The next part takes what this one answers without looking.",
    seen="Row numbers as floats, or in 16 bits that wrap around; an axis too few where there is one of a thing.",
    mend="Return arrays as in the contract of the kind: whole numbers for rows, float32 for maps and embeddings (or "
    "float64, which is as good), all axes kept.",
    witnesses=3,
    saboteurs=(
        *corruptions.spoiling("an axis too few", corruptions.without_last_axis),
        *corruptions.spoiling("floats and whole numbers exchanged", corruptions.of_other_kind),
        *corruptions.spoiling("NaN, or a row that is not there", corruptions.with_nan),
    ),
)
def answers_have_their_form(ctx: Context) -> None:
    """Look at the form of an answer to every kind of input."""
    driver = driver_of(ctx)
    for case in driver.cases():
        part = driver.make(case)
        driver.require_form(part, case, driver.answer(part, case))
        ctx.witness()
