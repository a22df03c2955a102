"""L16, L17: each setting counts, in whatever order they come; photographs that are held out are not remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from patchcore_conformance.drivers.pipeline import KEEP_ALL, accepts, fitted, images_of, scores, settings
from patchcore_conformance.laws.pipeline import CLOSE, HIGHER, NOISY, repeated, require_same, spoilt
from patchcore_conformance.registry import law
from patchcore_conformance.violation import NotOffered

if TYPE_CHECKING:
    from patchcore_conformance.context import Context

_NOTHING = spoilt("no score above 0", lambda found, _: found * 0)
# Settings of one section, and of several.
_TOGETHER = (
    ("sampler.keep=0.25", "sampler.seed=5"),
    ("scoring.neighbors=2", "scoring.distance=squared"),
    ("sampler.keep=0.25", "aggregator.patch_size=5", "sampler.seed=5"),
)


@law(
    "L16",
    "pipeline",
    statement="Each setting counts, whichever others are given with it, and in whatever order.",
    why="A setting that is dropped in silence makes another detector than the one that was tried out.",
    seen="Settings of one section that replace each other; the last word alone; words looked up in a fixed order.",
    mend="Merge each setting into its section; refuse what is given twice or not known.",
    witnesses=1,
    saboteurs=(NOISY,),
)
def settings_count_in_any_order(ctx: Context) -> None:
    """Give settings forwards and backwards; known are those of PatchCore's own words."""
    good, asked = images_of(ctx, 5), [*images_of(ctx, 2, "new"), *images_of(ctx, 1, "odd", strange=True)]
    for words in _TOGETHER:
        if not accepts(ctx, *words):
            continue
        given = settings(ctx, *words)
        one, two = (scores(ctx, fitted(ctx, good, order), asked) for order in (given, given[::-1]))
        told = f"a detector with the settings {', '.join(given)} scores otherwise once they come in another order"
        require_same(ctx, one, two, told, repeated(ctx))
        ctx.witness()
    if not ctx.witnesses:
        raise NotOffered("this detector has no two settings that the kit knows by name")


@law(
    "L17",
    "pipeline",
    statement="Photographs that are held out of a fit are not remembered.",
    why="A threshold that is set by photographs in the bank, which score 0, is passed by every good part.",
    seen="All photographs remembered, and some of them looked at once more for the threshold.",
    mend="Put the held-out photographs aside before the bank is made.",
    witnesses=1,
    saboteurs=(_NOTHING, HIGHER),
)
def held_out_is_not_remembered(ctx: Context) -> None:
    """Hold half of the photographs out, and keep every patch of the others: the others alone score 0."""
    needed = ("calibration.holdout=0.5", KEEP_ALL)
    if not accepts(ctx, *needed):
        raise NotOffered(f"this detector cannot be made with {' and '.join(needed)}")
    words = [*needed, *(word for word in ("images.size=64",) if accepts(ctx, *needed, word))]
    good = images_of(ctx, 8)
    detector = fitted(ctx, good, words)
    image = scores(ctx, detector, good)[0]
    largest = float(scores(ctx, detector, images_of(ctx, 2, "new"))[0].max())
    known = int((image <= CLOSE * largest).sum())
    told = f"half of 8 photographs were held out of a fit that keeps all patches, but {known} of them score 0"
    ctx.require(known == 4, told, scores=image)
    ctx.witness()
