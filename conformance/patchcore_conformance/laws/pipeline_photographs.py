"""L13 to L15, L21, L22: where a block shows, what it scores; photographs of several sizes, or of one colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from patchcore_conformance.drivers.pipeline import KEEP_ALL, accepts, fitted, images_of, scores, settings
from patchcore_conformance.laws.pipeline import CLOSE, NOISY, ROLLED, require_same, spoilt
from patchcore_conformance.registry import law
from patchcore_conformance.violation import NotOffered

if TYPE_CHECKING:
    from patchcore_conformance.context import Context
    from patchcore_conformance.drivers.driver import Array
    from patchcore_conformance.drivers.pipeline import Images
    from patchcore_conformance.watched import Watched


def _turned(found: Array, _: np.random.Generator) -> Array:
    return found[:, ::-1, ::-1].copy() if found.ndim == 3 else found


_ONE_ROW = "sampler.keep=0.0001"
_TURNED = spoilt("maps turned by half a turn", _turned)
_NAN = spoilt("not a number", lambda found, _: found * found.dtype.type(np.nan))
_LOWER = spoilt("a fifth as high, images only", lambda found, _: found * 0.2 if found.ndim == 1 else found)


def _with_blocks(images: Images) -> tuple[Images, list[tuple[int, int]]]:
    """Put a block into one quarter of each photograph after the other; return which: (lower, right)."""
    found, quarters = [], []
    for place, image in enumerate(images):
        lower, right = (place // 2) % 2, place % 2
        middle = [round(side * (0.3 + 0.4 * half)) for side, half in zip(image.shape[:2], (lower, right), strict=True)]
        picture = image.copy()
        picture[middle[0] - 8 : middle[0] + 8, middle[1] - 8 : middle[1] + 8] = (255, 0, 255)
        found.append(picture)
        quarters.append((lower, right))
    return found, quarters


@law(
    "L13",
    "pipeline",
    statement="A defect shows in the patch scores at its place: rows down, columns across, in square photographs and "
    "others.",
    why="The map is laid over the photograph, and somebody looks there.",
    seen="Rows and columns exchanged, which square photographs hide from a look at shapes; mirrored maps.",
    mend="Keep the order (images, rows, columns) from the network to the scores; never reshape one axis into another.",
    witnesses=8,
    saboteurs=(_TURNED,),
)
def defects_show_at_their_place(ctx: Context) -> None:
    """Put a block into each quarter of photographs that were fitted; others than square ones may be refused."""
    for sides in ((64, 64), (96, 64), (64, 96)):
        good = images_of(ctx, 4, sides=sides)
        marked, quarters = _with_blocks(good)
        try:
            detector = fitted(ctx, good, _all_kept(ctx))
            patch = scores(ctx, detector, marked)[1]
        except (ValueError, TypeError):
            if sides == (64, 64):
                raise
            continue
        more = np.maximum(patch - scores(ctx, detector, good)[1], 0)
        for image, quarter in enumerate(quarters):
            _require_quarter(ctx, more[image], quarter, sides)
            ctx.witness(2)


def _all_kept(ctx: Context) -> list[str]:
    return settings(ctx, KEEP_ALL) if accepts(ctx, KEEP_ALL) else settings(ctx)


def _require_quarter(ctx: Context, more: Array, quarter: tuple[int, int], sides: tuple[int, int]) -> None:
    ctx.require(more.max() > 0, "a block in a photograph raises no patch score", scores=more)
    for axis, half in enumerate(quarter):
        weights = more.sum(axis=1 - axis)
        place = float(weights @ (np.arange(len(weights)) + 0.5)) / (weights.sum() * len(weights))
        where = ("lower" if half else "upper", "right" if half else "left")[axis]
        told = (
            f"a block in the {where} half of a photograph {sides} raises patch scores around {place:.2f} of axis {axis}"
        )
        ctx.require((place > 0.5) == bool(half), told, scores=more)


@law(
    "L14",
    "pipeline",
    statement="An image's score is its largest patch score, or that weighed by Eq. 7, which leaves half of it or more.",
    why="One scratch on an otherwise good part is a defect: it must not be averaged away.",
    seen="The mean of all patches for the largest; the largest of another image; the weight without the distance.",
    mend="Take the largest patch score, and multiply by 1 - exp(s*) / sum of exp, if at all.",
    witnesses=4,
    saboteurs=(_LOWER, ROLLED),
)
def one_patch_decides(ctx: Context) -> None:
    """Mark photographs that were fitted, so that most patches score next to nothing."""
    good = images_of(ctx, 4)
    detector = fitted(ctx, good, _all_kept(ctx))
    asked = [image for pair in zip(_with_blocks(good)[0], good, strict=True) for image in pair]
    image, patch = scores(ctx, detector, asked)
    largest = patch.max(axis=(1, 2))
    told = "an image scores less than half of its largest patch score"
    ctx.within(np.maximum(0.5 * largest - image, 0), CLOSE * largest.max(), told, image=image, largest=largest)
    for place in range(0, len(asked), 2):
        ctx.require(image[place] > image[place + 1], "a photograph with a block scores no higher", image=image)
        ctx.witness()
    _require_no_ceiling(ctx, detector)
    _require_largest_of_one_row(ctx, good, asked)


def _require_no_ceiling(ctx: Context, detector: Watched) -> None:
    """Score noise, each time other noise: nothing is so strange that strangeness no longer counts."""
    noise = [ctx.rng(f"noise {place}").integers(0, 256, (64, 64, 3)).astype(np.uint8) for place in range(4)]
    image, patch = scores(ctx, detector, noise)
    told = "photographs of different noise score the same, as if scores had a ceiling"
    ctx.require(len(set(image.tolist())) == len(noise), told, image=image, patch=patch)


def _require_largest_of_one_row(ctx: Context, good: Images, asked: Images) -> None:
    """Keep a single row, where the share can be said: Eq. 7 has nothing to weigh by, and the largest patch decides."""
    if accepts(ctx, _ONE_ROW):
        image, patch = scores(ctx, fitted(ctx, good, settings(ctx, _ONE_ROW)), asked)
        largest = patch.max(axis=(1, 2))
        told = "with one row remembered, an image does not score its largest patch score"
        ctx.within(np.abs(image - largest), CLOSE * largest.max(), told, image=image, largest=largest)


@law(
    "L15",
    "pipeline",
    statement="Photographs of several sizes in one list score, and are remembered, as each of them alone; or they are "
    "refused.",
    why="Cameras differ, and a list does not look as if its order mattered.",
    seen="All photographs brought to the size of the first one, or cut to the smallest.",
    mend="Bring each photograph by itself to what the network takes; or raise ValueError.",
    witnesses=2,
    saboteurs=(NOISY,),
)
def sizes_may_differ(ctx: Context) -> None:
    """Score photographs of three sizes together, and one by one; then fit them."""
    detector = fitted(ctx, images_of(ctx, 4), settings(ctx))
    mixed = [one for sides in ((64, 64), (48, 80), (104, 64)) for one in images_of(ctx, 1, "odd", True, sides)]
    for order in ([0, 1, 2], [2, 0, 1]):
        try:
            alone = [scores(ctx, detector, [mixed[place]]) for place in order]
            together = scores(ctx, detector, [mixed[place] for place in order])
        except (ValueError, TypeError):
            continue
        expected = np.concatenate([one[0] for one in alone]), np.concatenate([one[1] for one in alone])
        told = f"photographs of sizes {[mixed[place].shape[:2] for place in order]} score otherwise together"
        require_same(ctx, expected, together, told)
        ctx.witness()
    _require_all_remembered(ctx, mixed)
    if not ctx.witnesses:
        raise NotOffered("this detector refuses photographs of several sizes in one list")


def _require_all_remembered(ctx: Context, mixed: Images) -> None:
    """Fit photographs of several sizes, every patch kept: each of them scores 0."""
    if not accepts(ctx, KEEP_ALL):
        return
    try:
        detector = fitted(ctx, mixed, settings(ctx, KEEP_ALL))
        found = [scores(ctx, detector, [image])[1].max() for image in mixed]
    except (ValueError, TypeError):
        return
    most = scores(ctx, detector, images_of(ctx, 1, "stranger", strange=True))[1].max()
    ctx.within(
        np.array(found), CLOSE * most, "photographs of several sizes were fitted, but do not score 0", scores=found
    )
    ctx.witness()


@law(
    "L21",
    "pipeline",
    statement="Photographs of one colour, and the same one several times, are fitted and scored, or refused.",
    why="Lamps fail and lens caps stay on; a camera that triggers twice sends the same picture twice.",
    seen="Division by a photograph's spread, which is 0; a start that is drawn from distances that are all 0.",
    mend="Guard what is divided by; let the choice of rows go on where all distances are 0.",
    witnesses=4,
    saboteurs=(_NAN,),
)
def nothing_to_see_is_fine(ctx: Context) -> None:
    """Score black, grey and white; fit them; fit one photograph several times."""
    plain_ones = [np.full((64, 64, 3), value, dtype=np.uint8) for value in (0, 128, 255)]
    good, asked = images_of(ctx, 3), images_of(ctx, 2, "new")
    for fit, score in ((good, plain_ones), (plain_ones, asked), (plain_ones[:1] * 3, asked), (good[:1] * 4, asked)):
        try:
            detector = fitted(ctx, fit, settings(ctx))
            scores(ctx, detector, score)
        except (ValueError, TypeError):
            ctx.require(fit is not good or score is not asked, "ordinary photographs were refused")
        ctx.witness()


@law(
    "L22",
    "pipeline",
    statement="A photograph that is brighter or darker by one level scores nearly as it did.",
    why="Lamps flicker, and cameras round; what no eye can see must not be a defect.",
    seen="A mean taken off in 8 bits, so that 123 - 124 becomes 255; tables that are looked up a level off.",
    mend="Convert pixels to floats before anything is computed with them.",
    witnesses=2,
    saboteurs=(ROLLED,),
)
def one_level_is_nothing(ctx: Context) -> None:
    """Change photographs that were fitted by one level, and compare with what a block does to them."""
    good = images_of(ctx, 4)
    brighter, darker = (
        [np.clip(image.astype(int) + step, 0, 255).astype(np.uint8) for image in good] for step in (1, -1)
    )
    asked = [*good, *_with_blocks(good)[0], *brighter, *darker]  # in one call: the ones are compared with the others
    found = scores(ctx, fitted(ctx, good, _all_kept(ctx)), asked)[1]
    before, block, *changed = np.split(found, 4)
    for word, other in zip(("brighter", "darker"), changed, strict=True):
        told = f"photographs that are one level {word} score like ones with a block"
        ctx.within(np.abs(other - before), 0.5 * block.max(), told, before=before, found=other, block=block)
        ctx.witness()
