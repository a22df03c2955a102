"""A01, A02, A03, A06, A07, A08: image scores are those of Eq. 6 and 7, at any scale, for any number of neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance import corruptions, probes
from patchcore_conformance.drivers.scores import Question, asked, judge, of_rows, question, truth
from patchcore_conformance.registry import law

if TYPE_CHECKING:
    from patchcore_conformance.claims import Claims
    from patchcore_conformance.context import Context

_SCORES = "image_scores"
HIGHER = corruptions.spoiling("a tenth too high", lambda found, _: found * 1.1 + found.dtype.type(0.1), _SCORES)
LOWER = corruptions.spoiling("half as high", lambda found, _: found * 0.5, _SCORES)
ROLLED = corruptions.spoiling(
    "the next image's score", lambda found, _: np.roll(found, 1) if len(found) > 1 else None, _SCORES
)
OVERFLOWN = corruptions.spoiling("NaN, as after an overflow", lambda found, _: found * np.nan, _SCORES)

# Images, patches, bank rows, width, neighbors.
_LATTICES = (
    *((1, 1, 1, 1, 1), (1, 1, 2, 1, 2), (2, 3, 1, 2, 4), (1, 9, 5, 3, 3), (4, 6, 20, 2, 9), (3, 16, 40, 5, 40)),
    *((2, 5, 65, 17, 3), (5, 1, 9, 7, 5), (1, 300, 33, 4, 2), (2, 12, 30, 33, 6)),
)
_REALS = (
    *((probes.gaussian, 3, 12, 40, 2, 3, 1.0), (probes.gaussian, 2, 30, 60, 5, 9, 1.0)),
    *((probes.gaussian, 4, 8, 25, 3, 2, 3.0), (probes.gaussian, 1, 20, 70, 1, 5, 1.0)),
    *((probes.gaussian, 2, 9, 50, 65, 4, 0.3), (probes.gaussian, 1, 4, 30, 1030, 3, 0.05)),
    *((probes.clusters, 3, 20, 80, 8, 5, 0.05), (probes.clusters, 2, 49, 120, 19, 9, 0.05)),
    *((probes.manifold, 2, 25, 90, 24, 6, 0.5), (probes.rectified, 2, 16, 60, 30, 3, 0.3)),
    *((probes.duplicates, 3, 10, 50, 4, 9, 1.0), (probes.fine_ties, 3, 10, 60, 6, 5, 1.0)),
    *((probes.gaussian, 6, 5, 30, 4, 1, 1.0), (probes.gaussian, 2, 10, 30, 3, 30, 1.0)),
)


def _of_real_numbers(claims: Claims) -> bool:
    return claims.arith != "lattice"


def reals(ctx: Context, *chosen: int) -> list[Question]:
    """Return the questions about real numbers, or some of them; lattices for who claims no more than those."""
    if not _of_real_numbers(ctx.claims):
        return [question(ctx, probes.lattice, 4, 3, 9, 20 + place, 2) for place in range(6)]
    return [question(ctx, *_REALS[place]) for place in (chosen or range(len(_REALS)))]


@law(
    "A01",
    "scores",
    statement="An image scores (1 - exp(s*) / sum of exp |m_test - m| over N_b(m*)) s*, as recomputed in float64.",
    why="This number decides whether a part is thrown away.",
    seen="Squared distances under the exp; the mean of all patches for the farthest one; b + 1 rows for b.",
    mend="Take the farthest patch, its nearest row m*, the b rows nearest to m*, and weigh by distances to the patch.",
    witnesses=20,
    saboteurs=(*HIGHER, *LOWER, *ROLLED),
)
def scores_are_those_of_the_paper(ctx: Context) -> None:
    """Go through lattices, where ties leave a choice, and real numbers of many kinds; then many patches and rows."""
    part = ctx.make()
    for sizes in _LATTICES:
        judge(ctx, part, question(ctx, probes.lattice, *sizes, scale=0.5))
    for one in [*reals(ctx), *_hard(ctx)]:
        judge(ctx, part, one)
    for patches in (257, 33_000, 65_537):  # a number past the last that 8 or 16 bits hold
        image = np.ones((1, patches, 1))
        image[0, -1] = 4
        judge(ctx, part, of_rows(ctx, image, [[0.0], [1.5], [-0.5]], 2))
    bank = np.zeros((70_001, 1))
    bank[[65_540, 69_999, 70_000], 0] = 5, 9, -4
    judge(ctx, part, of_rows(ctx, [[[6.5], [0.5]], [[9.0], [10.5]], [[-1.0], [-5.25]]], bank, 3))


def _hard(ctx: Context) -> list[Question]:
    """Return questions where each row is there three times, where patches are nearly as far, and far from zero."""
    thrice = np.repeat(probes.lattice(9, 4) * 8, 3, axis=0)
    found = [of_rows(ctx, probes.lattice(12, 4).reshape(2, 6, 4) + np.float32(0.5), thrice, b) for b in (2, 3, 7)]
    nearly_as_far = ([[[64.0], [64.03125]]], [[[64.03125], [64.0], [-1.0]]])
    found += [of_rows(ctx, patches, [[0.0], [0.5], [-2.0]], 2) for patches in nearly_as_far]
    if ctx.claims.arith in {"E0", "E1-centred"} and ctx.claims.dtype in {"float32", "float64"}:
        for width in (3, 24):
            drawn = probes.gaussian(60, width) + np.float32(1000)
            found.append(of_rows(ctx, drawn[:20].reshape(2, 10, width), drawn[20:], 4))
    return found


@law(
    "A02",
    "scores",
    statement="With b' = min(b, M) rows weighed, a score lies between s* (1 - 1/b') and s*, finite at any scale.",
    why="Distances of real features reach hundreds; the exp of 89 is infinite in float32, and a score of NaN is lost.",
    seen="exp of plain distances that overflows (anomalib#324); the weight's sign turned; squares under the exp.",
    mend="Subtract the largest distance from all exponents before exp, as softmax does.",
    witnesses=12,
    saboteurs=(*OVERFLOWN, *HIGHER, *LOWER),
)
def scores_lie_between_bounds(ctx: Context) -> None:
    """Ask at scales from 0.1 to 10,000."""
    part = ctx.make()
    family = probes.gaussian if _of_real_numbers(ctx.claims) else probes.lattice
    for scale in (0.1, 1.0, 30.0, 100.0, 800.0, 1e4):
        for sizes in ((2, 8, 30, 6, 2), (2, 8, 30, 6, 9), (1, 5, 12, 3, 12), (2, 3, 4, 5, 9)):
            _require_bounds(ctx, part, question(ctx, family, *sizes, scale=scale))


def _require_bounds(ctx: Context, part: Any, one: Question) -> None:
    scores = asked(ctx, part, one)
    count = min(one.neighbors, len(one.bank))
    for score, allowed in zip(scores, truth(ctx, one), strict=True):
        slack = allowed.slacks.max()
        least, most = allowed.stars.min() * (1 - 1 / count), allowed.stars.max()
        told = f"the score {score:.7g} lies outside of {least:.7g} to {most:.7g} ({one.told()})"
        ctx.within(max(least - score, score - most, 0), slack, told, **one.seen, scores=scores)
        ctx.witness(most > 4 * slack)


@law(
    "A03",
    "scores",
    statement="An image whose patches are all in the bank scores 0.",
    why="What was seen in training is not anomalous at all.",
    seen="A constant added under the root; the weight returned in place of the weighted score.",
    mend="Multiply the weight by s*; add nothing under the root, and cut at 0 what rounding made negative.",
    witnesses=4,
    saboteurs=HIGHER,
)
def known_images_score_zero(ctx: Context) -> None:
    """Ask for rows of the bank, some again and again, with and without weighing."""
    part = ctx.make()
    families = (probes.lattice, probes.gaussian, probes.duplicates, probes.clusters, probes.rectified)
    for family in families if _of_real_numbers(ctx.claims) else families[:1]:
        for rows, width, neighbors in ((30, 5, 1), (30, 5, 4), (12, 33, 12), (1, 3, 2)):
            drawn = question(ctx, family, 1, 1, rows, width, neighbors)
            known = drawn.bank[ctx.rng(rows).integers(rows, size=(3, 7))]
            one = Question(known, drawn.bank, neighbors)
            scores, allowed = asked(ctx, part, one), truth(ctx, one)
            slack = np.array(
                [0.0 if ctx.claims.arith in {"E0", "lattice"} else each.star_slacks.max() for each in allowed]
            )
            ctx.within(
                np.abs(scores), slack, f"{one.told()}, all in the bank, do not score 0", **one.seen, scores=scores
            )
            ctx.witness()


@law(
    "A06",
    "scores",
    statement="The rows weighed are those nearest to m*, and each weighs by its distance to the test patch.",
    why="Eq. 7 asks how crowded the neighbourhood of m* is; other rows or other distances answer another question.",
    seen="Rows nearest to the test patch for those nearest to m*; distances from m* for those from the patch "
    "(anomalib#286).",
    mend="Search the bank a second time with m* as the query, then measure from the test patch to what was found.",
    witnesses=12,
    saboteurs=(*HIGHER, *LOWER),
)
def neighbours_are_those_of_the_row(ctx: Context) -> None:
    """Put rows where both mistakes show: one beyond m*, and one nearer to the patch on its other side."""
    part, rng = ctx.make(), ctx.rng()
    for width in (2, 3, 9, 34):
        for turn in range(4):
            one = _five_points(ctx, rng, width, turn)
            scores, allowed = judge(ctx, part, one), truth(ctx, one)[0]
            ctx.within(
                abs(float(scores[0]) - allowed.lows[0]), allowed.slacks[0], f"{one.told()}: the wrong rows", **one.seen
            )
        judge(ctx, part, _two_sides(ctx, rng, width))


def _two_sides(ctx: Context, rng: np.random.Generator, width: int) -> Question:
    """Weigh 13 rows: 12 beyond m*, which is at 1, while 12 as near to the patch at 0 lie on its other side."""
    places = np.concatenate([1 + np.arange(13) / 8, -1.125 - np.arange(12) / 8, [9]])
    axis = np.zeros(width)
    axis[rng.integers(width)] = rng.choice([-1.0, 1.0])
    return of_rows(ctx, np.zeros((1, 2, width)), places[rng.permutation(26), None] * axis, 13)


def _five_points(ctx: Context, rng: np.random.Generator, width: int, turn: int) -> Question:
    """Place m* at 1, its neighbours at 1.75 and 2.25, rivals at -1.25 and -1.5, all seen from the patch at 0."""
    stretch = (1.0, 0.5, 2.0, 1.0)[turn]
    places = np.array([1, 1.75, 2.25, -1.25, -1.5, 6]) * stretch
    axis = np.zeros(width)
    axis[rng.integers(width)] = rng.choice([-1.0, 1.0])
    bank = places[:, None] * axis + rng.integers(-3, 4, width)
    near = bank[0] - 0.25 * axis  # another patch, less far from the bank
    patch = bank[0] - places[0] * axis
    return of_rows(ctx, np.stack([near, patch])[None], bank[rng.permutation(len(bank))], 2 + turn % 2)


@law(
    "A07",
    "scores",
    statement="b beyond the bank's size means all rows; b = 1, or a bank of one row, leaves s* as it is.",
    why="A small bank is still a bank, and b = 1 put into Eq. 7 would make every score 0.",
    seen="A crash where more neighbours are asked for than there are rows; scores of 0 for b = 1.",
    mend="Use min(b, M) rows, and skip the weight where that is 1.",
    witnesses=8,
    saboteurs=(*HIGHER, *LOWER),
)
def neighbors_are_cut_to_the_bank(ctx: Context) -> None:
    """Ask with b = 1, with b = M, and with more."""
    part = ctx.make()
    family = probes.gaussian if _of_real_numbers(ctx.claims) else probes.lattice
    for rows in (1, 2, 3, 9):
        most = None
        for neighbors in (1, rows, rows + 1, rows + 50):
            one = question(ctx, family, 3, 6, rows, 4, neighbors)
            scores = judge(ctx, part, one)
            if neighbors > rows and most is not None:
                same = 2 * max(each.slacks.max() for each in truth(ctx, one))
                told = f"b = {neighbors} scores otherwise than b = {rows} with {rows} rows"
                ctx.within(np.abs(scores - most), same, told, **one.seen)
            most = scores if neighbors == rows else most


@law(
    "A08",
    "scores",
    statement="Where all b rows are equally far from the patch, the weight is 1 - 1/b.",
    why="There the exp cancels out, and what is left counts the rows that are weighed.",
    seen="m* left out of its own neighbourhood, so that b - 1 rows are weighed; b + 1 rows.",
    mend="Weigh exactly min(b, M) rows, m* among them.",
    witnesses=12,
    saboteurs=(*HIGHER, *LOWER),
)
def equal_distances_weigh_alike(ctx: Context) -> None:
    """Put the rows on a sphere around the patch, one on each axis and side."""
    part = ctx.make()
    for width, radius in ((1, 1.0), (2, 2.0), (5, 0.5), (16, 3.0), (5, 200.0), (5, 1500.0)):
        for neighbors in sorted({2, min(3, 2 * width), width, 2 * width} - {1}):
            sphere = radius * np.concatenate([np.eye(width), -np.eye(width)])
            patches = np.stack([np.zeros(width), sphere[0] / 2])[None]
            one = of_rows(ctx, patches, sphere, neighbors)
            reach = float(np.abs(one.bank).max())
            expected, scores = reach * (1 - 1 / neighbors), asked(ctx, part, one)
            slack = truth(ctx, one)[0].slacks.max()
            told = f"{neighbors} rows at distance {reach:g} of the patch do not give {reach:g} (1 - 1/{neighbors})"
            ctx.within(np.abs(scores - expected), slack, told, **one.seen, scores=scores)
            ctx.witness()
