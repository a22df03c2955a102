"""L18, L19: a detector is made of its settings and photographs alone: not of other detectors, nor of the process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from patchcore_conformance.drivers.generic_pipeline import fit_and_score
from patchcore_conformance.drivers.pipeline import accepts, fitted, images_of, scores, settings
from patchcore_conformance.fresh_process import answers_there, get_ready
from patchcore_conformance.laws.pipeline import NOISY, repeated, require_same
from patchcore_conformance.registry import law

if TYPE_CHECKING:
    from patchcore_conformance.context import Context


@law(
    "L18",
    "pipeline",
    statement="Detectors in one process do not know of each other, nor of what becomes of their photographs.",
    why="A line has several cameras, each with a detector of its own; a camera writes into the same memory again.",
    seen="The bank, or what pixels are normalised by, kept on the class or module; photographs that are embedded only "
    "when the first score is asked for.",
    mend="Keep what was learned in attributes of the detector, and take from photographs what is needed in fit.",
    witnesses=2,
    saboteurs=(NOISY,),
)
def detectors_are_independent(ctx: Context) -> None:
    """Fit one, then another to other photographs and with other settings; change the photographs; ask both in turns."""
    asked = [*images_of(ctx, 2, "new"), *images_of(ctx, 2, "odd", strange=True)]
    others = [word for word in ("aggregator.patch_size=5", "sampler.keep=0.3") if accepts(ctx, word)]
    cases = [(images_of(ctx, 5), settings(ctx)), (images_of(ctx, 4, "other", strange=True), settings(ctx, *others))]
    alone = [scores(ctx, fitted(ctx, good, words), asked) for good, words in cases]
    given = [[image.copy() for image in good] for good, _ in cases]
    both = [fitted(ctx, good, words, as_they_are=True) for good, (_, words) in zip(given, cases, strict=True)]
    for good in given:
        for image in good:
            image[...] = 255 - image
    for turn in (0, 1, 0):
        told = "beside another detector, and after its photographs were changed, a detector scores otherwise"
        require_same(ctx, alone[turn], scores(ctx, both[turn], asked), told, repeated(ctx))
        ctx.witness(bool((alone[0][1].shape != alone[1][1].shape) or (alone[0][1] != alone[1][1]).any()))


@law(
    "L19",
    "pipeline",
    statement="The same photographs and settings give the same detector in another process.",
    why="A model that was fitted again elsewhere must be the model that was tried out.",
    seen="Seeds made of the hash of a word; layers in the order of a set.",
    mend="Draw from a generator made of the seed alone, and sort what comes out of sets.",
    applies=lambda claims: claims.deterministic,
    promise="deterministic",
    witnesses=1,
    saboteurs=(NOISY,),
    ahead=get_ready,
)
def processes_agree(ctx: Context) -> None:
    """Fit and score here, and in a process with other hashes; what cannot be sent there is not asked."""
    words = settings(ctx)
    good, asked = images_of(ctx, 5), [*images_of(ctx, 2, "new"), *images_of(ctx, 2, "odd", strange=True)]
    here = scores(ctx, fitted(ctx, good, words), asked)
    second = scores(ctx, fitted(ctx, good, words), asked)
    require_same(ctx, here, second, "two fresh detectors score otherwise", 0)
    there = answers_there(ctx, fit_and_score(good, asked, words))
    if there is not None:
        image, patch = (one.astype(np.float64) for one in there)
        require_same(ctx, here, (image, patch), "a detector of another process scores otherwise", 0)
    ctx.witness()
