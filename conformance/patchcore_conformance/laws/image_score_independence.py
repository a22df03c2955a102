"""A04, A05, A09: an image's score hangs on nothing but its own patches and the bank it is asked with, in any order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance import corruptions
from patchcore_conformance.drivers.driver import MANY, ONE_OVER
from patchcore_conformance.drivers.scores import Question, judge, of_rows, truth
from patchcore_conformance.laws.image_scores import ROLLED, reals
from patchcore_conformance.registry import law

if TYPE_CHECKING:
    from patchcore_conformance.context import Context

MOODY = corruptions.spoiling("another score each time", corruptions.moody, "image_scores")


@law(
    "A04",
    "scores",
    statement="An image scores in a batch what it scores alone, wherever it stands.",
    why="A photograph must not be judged by those that happened to be scored with it.",
    seen="The farthest patch of the whole batch taken for each image; patch numbers of one image read in another "
    "(anomalib#771).",
    mend="Choose patch, m* and weight within each image; index the batch by (image, patch), not by patch alone.",
    witnesses=8,
    saboteurs=(*ROLLED, *MOODY),
)
def images_do_not_mix(ctx: Context) -> None:
    """Ask for images of very different sizes of score together, backwards, twice, and alone."""
    part, rng = ctx.make(), ctx.rng()
    for patches, rows, width, neighbors in ((6, 40, 3, 1), (6, 40, 3, 5), (9, 25, 20, 3), (1, 20, 4, 2)):
        bank = rng.integers(-4, 5, (rows, width))
        images = rng.integers(-4, 5, (5, patches, width)) * np.array([1, 3, 1, 2, 1])[:, None, None] / 4
        one = of_rows(ctx, images, bank / 4, neighbors)
        together = judge(ctx, part, one)
        order = np.array([4, 2, 0, 3, 1, 1])
        judge(ctx, part, Question(one.embeddings[order], one.bank, neighbors), "in another order, ")
        for image, score in enumerate(together):
            alone = Question(one.embeddings[image : image + 1], one.bank, neighbors)
            found = judge(ctx, part, alone, "alone, ")[0]
            if (choices := truth(ctx, alone)[0]).settled:
                told = f"image {image} scores {found:.7g} alone, but {score:.7g} among others ({one.told()})"
                ctx.within(abs(found - score), 2 * choices.slacks.max(), told, **one.seen, image=image)
    near_and_far = np.array([1, 400, 1, 1600])[:, None, None] * rng.integers(1, 5, (4, 6, 3)) / 4
    judge(ctx, part, of_rows(ctx, near_and_far, rng.integers(-4, 5, (40, 3)) / 4, 5), "beside far ones, ")
    for images in (MANY, ONE_OVER):
        many = of_rows(ctx, rng.integers(-4, 5, (images, 3, 3)) / 4, rng.integers(-4, 5, (20, 3)) / 4, 2)
        judge(ctx, part, many, f"among {images}, ")


@law(
    "A05",
    "scores",
    statement="Neither the order of an image's patches nor that of the bank's rows matters.",
    why="Rows lie in the bank in the order in which a sampler happened to choose them.",
    seen="Row 0 or patch 0 taken where the nearest or the farthest was meant; rows near in the bank for near in space.",
    mend="Look rows up by the numbers that the search answered, in the arrays that it searched.",
    witnesses=8,
    saboteurs=MOODY,
)
def order_does_not_matter(ctx: Context) -> None:
    """Shuffle patches, rows, and both."""
    part, rng = ctx.make(), ctx.rng()
    for one in reals(ctx, 0, 1, 2, 5, 6, 8):
        before, allowed = judge(ctx, part, one), truth(ctx, one)
        for turn in range(3):
            patches = (
                rng.permutation(one.embeddings.shape[1]) if turn != 1 else np.arange(one.embeddings.shape[1])[::-1]
            )
            rows = rng.permutation(len(one.bank)) if turn else np.arange(len(one.bank))
            other = Question(one.embeddings[:, patches].copy(), one.bank[rows].copy(), one.neighbors)
            found = judge(ctx, part, other, "shuffled, ")
            for image, each in enumerate(allowed):
                if each.settled:
                    told = f"image {image} of {one.told()} scores otherwise once patches and rows are shuffled"
                    ctx.within(abs(found[image] - before[image]), 2 * each.slacks.max(), told, **other.seen)


@law(
    "A09",
    "scores",
    statement="A row more in the bank never raises s*, and a score depends on the bank that it is asked with.",
    why="Remembering more good parts must not make a part look worse; a replaced bank must replace the old one.",
    seen="The bank of an earlier call, kept and asked again.",
    mend="Build what is searched from the bank of the call; keep nothing from one call to the next.",
    witnesses=8,
    saboteurs=(*MOODY, *ROLLED),
)
def more_rows_never_raise_the_distance(ctx: Context) -> None:
    """Ask one part with growing banks, then with the first one again."""
    part = ctx.make()
    for one in reals(ctx, 0, 3, 5, 8):
        before: Any = None
        for rows in (1, 3, len(one.bank) // 2, len(one.bank), 2):
            asked_with = Question(one.embeddings, one.bank[:rows].copy(), 1)
            scores = judge(ctx, part, asked_with)
            slack = np.array([each.star_slacks.max() for each in truth(ctx, asked_with)])
            if before is not None and rows > 2:
                told = f"{rows} rows give a larger s* than fewer of them"
                ctx.within(np.maximum(scores - before, 0), 2 * slack, told, **asked_with.seen, before=before)
            before = scores
    mixed = reals(ctx, 0)[0]
    for bank in (mixed.bank, mixed.bank + 1, mixed.bank):
        judge(ctx, part, Question(mixed.embeddings, bank, 3), "with another bank of the same shape, ")
