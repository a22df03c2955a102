"""L04: a detector lies whole in its file, and saving changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from patchcore_conformance.drivers.pipeline import accepts, fitted, images_of, loaded, saved, scores, settings
from patchcore_conformance.laws.pipeline import NOISY, require_same
from patchcore_conformance.registry import law

if TYPE_CHECKING:
    from patchcore_conformance.context import Context


@law(
    "L04",
    "pipeline",
    statement="A detector that was saved and loaded scores to the last bit as the one that was saved, and that one as "
    "before.",
    why="The model that was tried out must be the model that runs at the line, on another machine.",
    seen="Settings that are not saved, and come back as defaults; rows saved in half precision, unsaid; an older file "
    "that stays as it was; models that are kept by their path in the process that made them.",
    mend="Write all that scoring needs to the file, settings too, in place of what was there, and read it all back; "
    "keep the dtype of the rows.",
    witnesses=2,
    saboteurs=(NOISY,),
)
def files_keep_the_scores(ctx: Context) -> None:
    """Save a detector of default settings, and one of other settings; move the file before it is loaded."""
    good, asked = images_of(ctx, 5), [*images_of(ctx, 2, "new"), *images_of(ctx, 1, "odd", strange=True)]
    others = [word for word in ("aggregator.patch_size=5", "scoring.reweight_neighbors=3") if accepts(ctx, word)]
    for words in (settings(ctx), settings(ctx, *others)):
        before = scores(ctx, fitted(ctx, good, words), asked)
        kept = scores(ctx, saved(ctx, good, words), asked)
        require_same(ctx, before, kept, f"a detector ({', '.join(words)}) scores otherwise after it was saved", 0)
        after = scores(ctx, loaded(ctx, good, words), asked)
        require_same(ctx, before, after, f"a saved detector ({', '.join(words)}) scores otherwise once it is loaded", 0)
        ctx.witness(bool(before[1].max() > 0))
