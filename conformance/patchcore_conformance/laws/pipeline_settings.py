"""L16, L17, L20: settings count, in whatever order, as they are meant; what is held out of a fit is not remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from patchcore_conformance.drivers.driver import Refusal, require_refused
from patchcore_conformance.drivers.pipeline import KEEP_ALL, accepts, fitted, images_of, scores, settings
from patchcore_conformance.laws.pipeline import CLOSE, HIGHER, NOISY, REFUSED_NOTHING, repeated, require_same, spoilt
from patchcore_conformance.registry import law
from patchcore_conformance.violation import NotOffered

if TYPE_CHECKING:
    from patchcore_conformance.context import Context
    from patchcore_conformance.drivers.pipeline import Images, Scores

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


@law(
    "L20",
    "pipeline",
    statement="Each setting does what its name says, and what is not known, or makes no sense, is refused.",
    why="Who changes a setting draws conclusions from what comes of it; a misspelt one must not look like no effect.",
    seen="Options that are read and never used; **kwargs that swallow what is misspelt; k rows asked for, one used.",
    mend="Pass each setting on to what it is for; raise ValueError for all others, and for values out of range.",
    witnesses=3,
    saboteurs=(HIGHER, NOISY, REFUSED_NOTHING),
)
def settings_do_what_they_say(ctx: Context) -> None:
    """Name settings that there are none of; then change those that are known, and compare with what they mean."""
    good, asked = images_of(ctx, 5), [*images_of(ctx, 2, "new"), *images_of(ctx, 2, "odd", strange=True)]
    nonsense = ["no_section.no_option=1", "sampler.no_option=1", "no_option"]
    nonsense += [word for word in ("sampler.keep=0", "sampler.keep=-0.5") if accepts(ctx, "sampler.keep=0.25")]
    _scored(ctx, good, asked, settings(ctx))  # refusals are told apart from a detector that answers nothing at all
    for word in nonsense:
        require_refused(ctx, Refusal(f"the setting {word}", lambda word=word: _scored(ctx, good, asked, [word])))  # type: ignore[misc]
        ctx.witness()
    for plain_word, word, meant in _MEANINGS:
        if accepts(ctx, plain_word) and accepts(ctx, word):
            one, two = (_scored(ctx, good, asked, settings(ctx, given)) for given in (plain_word, word))
            meant(ctx, f"{word} beside {plain_word}", one, two)


def _scored(ctx: Context, good: Images, asked: Images, words: list[str]) -> Scores:
    return scores(ctx, fitted(ctx, good, words), asked)


def _differ(ctx: Context, told: str, one: Scores, two: Scores) -> None:
    same = one[1].shape == two[1].shape and bool(np.array_equal(one[1], two[1]))
    ctx.require(not same, f"{told} changes no score", one=one[1], two=two[1])


def _squared(ctx: Context, told: str, one: Scores, two: Scores) -> None:
    squares = np.square(one[1])
    ctx.within(np.abs(two[1] - squares), CLOSE * squares.max(), f"{told} does not square patch scores", squares=squares)


def _more_rows(ctx: Context, told: str, one: Scores, two: Scores) -> None:
    below = np.maximum(one[1] - two[1], 0)
    ctx.within(below, CLOSE * one[1].max(), f"{told} lowers patch scores: further rows are no nearer", one=one[1])
    _differ(ctx, told, one, two)


def _weighed(ctx: Context, told: str, one: Scores, two: Scores) -> None:
    largest, slack = two[1].max(axis=(1, 2)), CLOSE * two[1].max()
    ctx.within(np.abs(one[1] - two[1]), slack, f"{told} changes patch scores, which Eq. 7 leaves alone", two=two[1])
    ctx.within(np.abs(one[0] - largest), slack, f"{told}: unweighed, an image is not its largest patch", image=one[0])
    ctx.within(np.maximum(2 / 3 * largest - two[0], 0), slack, f"{told} takes off more than a third", image=two[0])
    ctx.require((two[0] < one[0]).all(), f"{told} does not lower every image's score", one=one[0], two=two[0])


# A setting, the same setting otherwise, and what that means for the scores.
_MEANINGS = (
    ("aggregator.patch_size=1", "aggregator.patch_size=5", _differ),
    ("images.size=64", "images.size=96", _differ),
    ("scoring.distance=euclidean", "scoring.distance=squared", _squared),
    ("scoring.neighbors=1", "scoring.neighbors=2", _more_rows),
    ("scoring.reweight_neighbors=1", "scoring.reweight_neighbors=3", _weighed),
)
