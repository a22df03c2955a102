"""L13 to L15: a block shows at its place and in the image's score; photographs of several sizes are judged alone."""

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


def _turned(found: Array, _: np.random.Generator) -> Array:
    return found[:, ::-1, ::-1].copy() if found.ndim == 3 else found


_TURNED = spoilt("maps turned by half a turn", _turned)
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


@law(
    "L15",
    "pipeline",
    statement="Photographs of several sizes in one list score as each of them alone; or they are refused.",
    why="Cameras differ, and a list does not look as if its order mattered.",
    seen="All photographs brought to the size of the first one, or cut to the smallest.",
    mend="Bring each photograph by itself to what the network takes; or raise ValueError.",
    witnesses=2,
    saboteurs=(NOISY,),
)
def sizes_may_differ(ctx: Context) -> None:
    """Score photographs of three sizes together, and one by one."""
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
    if not ctx.witnesses:
        raise NotOffered("this detector refuses photographs of several sizes in one list")
