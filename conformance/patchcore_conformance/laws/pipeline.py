"""L01 to L03, L05, L06: a whole detector, from images to scores, and with other backends."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance.drivers.driver import MANY
from patchcore_conformance.drivers.pipeline import KEEP_ALL, accepts, fitted, images_of, scores, settings
from patchcore_conformance.plain import plain
from patchcore_conformance.registry import law
from patchcore_conformance.saboteur import Saboteur
from patchcore_conformance.violation import NotOffered

if TYPE_CHECKING:
    from collections.abc import Callable

    from patchcore_conformance.context import Context
    from patchcore_conformance.drivers.driver import Array
    from patchcore_conformance.drivers.pipeline import Scores
    from patchcore_conformance.saboteur import Call

# Networks in float32 add up in another order for another batch; this share of the largest score is forgiven.
CLOSE = 2e-3
_BACKENDS = {
    "extractor.name": ("numpy-cnn", "numba-cnn"),
    "aggregator.name": ("local-mean", "torch-local-mean"),
    "neighbors.name": ("numpy-exact", "numba-exact", "pruned-exact", "torch-exact", "faiss-flat"),
    "sampler.name": ("numpy-greedy", "numba-greedy", "pruned-greedy", "torch-greedy"),
}


def spoilt(name: str, change: Callable[[Array, np.random.Generator], Array]) -> Saboteur:
    """Change both kinds of scores."""

    def corrupt(call: Call, rng: np.random.Generator) -> Any:
        if call.error is not None:
            return None
        image, patch = (plain(one).copy() for one in (call.output.image, call.output.patch))
        return SimpleNamespace(image=change(image, rng), patch=change(patch, rng))

    return Saboteur(name, "score", corrupt)


HIGHER = spoilt("a tenth and a bit higher", lambda found, _: found * 1.1 + found.dtype.type(0.1))
ROLLED = spoilt("the next image's scores", lambda found, _: np.roll(found, 1, axis=0))
NOISY = spoilt("noise upon the scores", lambda found, rng: found + (1 + found.max()) * rng.random(found.shape))


def _answered(call: Call, _: np.random.Generator) -> Any:
    return None if call.error is None else np.zeros(1)


REFUSED_NOTHING = Saboteur("answers instead of refusing", "score", _answered)


def repeated(ctx: Context) -> float:
    """Return how far the same work, done again, may be off, as a share of the largest score."""
    return 0 if ctx.claims.deterministic else CLOSE


def require_same(ctx: Context, one: Scores, two: Scores, message: str, share: float = CLOSE) -> None:
    """Hold scores of the same images to each other, within a share of the largest."""
    ctx.require(one[1].shape == two[1].shape, f"{message}: patch grids {one[1].shape} and {two[1].shape}")
    for left, right in zip(one, two, strict=True):
        ctx.within(np.abs(left - right), share * max(one[1].max(), one[0].max()), message, one=left, two=right)


@law(
    "L01",
    "pipeline",
    statement="With every patch kept, a fit of many images scores as the nearest of fits of some of them.",
    why="What is remembered of a photograph must not depend on which others were read beside it.",
    seen="Batches that are normalised over their images; the last batch, being smaller, left out.",
    mend="Keep the network in evaluation mode, and pass on every batch, the last one too.",
    witnesses=3,
    saboteurs=(NOISY,),
)
def fits_do_not_depend_on_batches(ctx: Context) -> None:
    """Fit 33 images, then 5, 27 and 1 of them, backwards; the least score of the three is the score of all."""
    words = settings(ctx, KEEP_ALL)
    good, asked = images_of(ctx, 33), [*images_of(ctx, 2, "new"), *images_of(ctx, 2, "odd", strange=True)]
    together = scores(ctx, fitted(ctx, good, words), asked)
    parts = [scores(ctx, fitted(ctx, good[a:b][::-1], words), asked) for a, b in ((0, 5), (5, 32), (32, 33))]
    nearest = np.min([patch for _, patch in parts], axis=0)
    told = "patch scores after a fit of 33 images are not the least of those after fits of parts of them"
    ctx.within(np.abs(together[1] - nearest), CLOSE * together[1].max(), told, together=together[1], parts=nearest)
    for _, patch in parts:
        ctx.witness(bool((patch > nearest + CLOSE * nearest.max()).any()))


@law(
    "L02",
    "pipeline",
    statement="With every patch kept, the images that were fitted score 0.",
    why="What was seen in training is not anomalous at all; if it is, fitting and scoring do not do the same.",
    seen="Images prepared in one way for fitting and in another for scoring; rows changed after they were chosen.",
    mend="Let fit and score share one way from image to embedding, and remember rows as they are.",
    witnesses=1,
    saboteurs=(HIGHER,),
)
def what_was_fitted_scores_zero(ctx: Context) -> None:
    """Score what was fitted, in another order and alone."""
    good = images_of(ctx, 6)
    detector = fitted(ctx, good, settings(ctx, KEEP_ALL))
    largest = float(scores(ctx, detector, images_of(ctx, 2, "odd", strange=True))[1].max())
    ctx.require(largest > 0, "an image that was never seen scores 0 too", images=good)
    for asked in (good, good[::-1], good[2:3]):
        for found in scores(ctx, detector, asked):
            told = f"images that were fitted, every patch kept, do not score 0 (a strange one: {largest:.4g})"
            ctx.within(np.abs(found), CLOSE * largest, told, scores=found)
    _require_many_kept(ctx)
    ctx.witness()


def _require_many_kept(ctx: Context) -> None:
    """Fit as many patches as a bank of a real product has: who cuts it down, unasked, has forgotten some of them."""
    good = images_of(ctx, 48, sides=(128, 128))
    words = settings(ctx, KEEP_ALL, wishes=("images.size=128", "calibration.holdout=0"))
    strange = images_of(ctx, 1, "odd", strange=True, sides=(128, 128))
    patch = scores(ctx, fitted(ctx, good, words), [good[0], good[20], good[-1], *strange])[1]
    told = f"of {len(good)} photographs, every patch kept, some do not score 0"
    ctx.within(patch[:3], CLOSE * patch[3].max(), told, scores=patch)


@law(
    "L03",
    "pipeline",
    statement="Remembering every patch never raises a patch's score above what fewer of them gave.",
    why="A coreset stands for the whole: leaving rows out can only move the nearest one away.",
    seen="Scores brought to 0..1 by what the bank's own distances are; means over more rows as the bank grows.",
    mend="Answer plain distances; calibrate in a separate step that leaves raw scores alone.",
    witnesses=1,
    saboteurs=(NOISY,),
)
def more_memory_never_raises_scores(ctx: Context) -> None:
    """Compare a twentieth of the patches, a fifth, and all."""
    good, asked = images_of(ctx, 6), [*images_of(ctx, 2, "new"), *images_of(ctx, 2, "odd", strange=True)]
    some = [settings(ctx, word) for word in ("sampler.keep=0.05", "sampler.keep=0.2", KEEP_ALL)]
    found = [scores(ctx, fitted(ctx, good, words), asked)[1] for words in some]
    for fewer in found[:2]:
        over = np.maximum(found[2] - fewer, 0)
        told = "a patch scores higher with every patch remembered than with some of them"
        ctx.within(over, CLOSE * fewer.max(), told, fewer=fewer, all=found[2])
        ctx.witness(bool((fewer > found[2] + CLOSE * fewer.max()).any()))


@law(
    "L05",
    "pipeline",
    statement="An image's scores depend neither on the order nor on the other images that are scored with it.",
    why="A photograph must not be judged by those that happened to be scored with it.",
    seen="Scores normalised over the batch; scores sorted; the largest of a batch given to all.",
    mend="Score each image on its own, and keep the order that images came in.",
    witnesses=2,
    saboteurs=(NOISY, ROLLED),
)
def images_are_judged_alone(ctx: Context) -> None:
    """Score 67 images, then backwards, some of them, and one alone; some numbers leave one over from any block."""
    detector = fitted(ctx, images_of(ctx, 5), settings(ctx))
    asked = [*images_of(ctx, MANY - 5, "new"), *images_of(ctx, 5, "odd", strange=True)]
    together = scores(ctx, detector, asked)
    for order in (range(MANY - 1, -1, -1), (MANY - 3, 3, 3, 0), (MANY - 1,), (5,), *map(range, (3, 5, 9, 17, 33))):
        found = scores(ctx, detector, [asked[place] for place in order])
        expected = (together[0][list(order)], together[1][list(order)])
        require_same(ctx, expected, found, f"images {list(order)} of {MANY} score otherwise by themselves")
        ctx.witness()


@law(
    "L06",
    "pipeline",
    statement="A detector scores alike whichever backend its parts are of: within rounding of the plain ones.",
    why="Swapping a part for a faster one is one word in a file; it must not be another detector.",
    seen="Squared distances from one search and plain ones from another; another padding in the compiled network.",
    mend="Hold each part to the laws of its own kind first; then see what stands between the parts.",
    witnesses=1,
    saboteurs=(NOISY,),
)
def backends_agree(ctx: Context) -> None:
    """Change one part at a time, for every backend that can be named here."""
    good, asked = images_of(ctx, 5), [*images_of(ctx, 2, "new"), *images_of(ctx, 2, "odd", strange=True)]
    for section, names in _BACKENDS.items():
        known = [name for name in names if accepts(ctx, f"{section}={name}")]
        if len(known) < 2:
            continue
        keep = "sampler.keep=0.25" if accepts(ctx, "sampler.keep=0.25") else None
        words = settings(ctx, *([keep] if keep else []))
        plain_one = scores(ctx, fitted(ctx, good, [*words, f"{section}={known[0]}"]), asked)
        for name in known[1:]:
            found = scores(ctx, fitted(ctx, good, [*words, f"{section}={name}"]), asked)
            require_same(ctx, plain_one, found, f"with {section}={name} images score otherwise than with {known[0]}")
            ctx.witness()
    if not ctx.witnesses:
        raise NotOffered("this detector has no two backends that the kit knows by name")
