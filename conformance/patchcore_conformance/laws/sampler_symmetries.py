"""Samplers: what must stay the same when rows are scaled, mirrored, moved, reordered or repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance import probes
from patchcore_conformance.certificates import require_greedy
from patchcore_conformance.drivers.sampler import chosen, for_claims
from patchcore_conformance.laws.sampler_certificates import exact, judge
from patchcore_conformance.laws.sampler_saboteurs import BACKWARDS, FIRST_ROWS, NEAR_ROW
from patchcore_conformance.registry import law

if TYPE_CHECKING:
    from patchcore_conformance.claims import Claims
    from patchcore_conformance.context import Context
    from patchcore_conformance.probes import Rows

_SPOILT = (NEAR_ROW, BACKWARDS, FIRST_ROWS)
_SHARED: dict[str, Any] = {
    "applies": lambda claims: exact(claims) and claims.arith != "lattice",
    "promise": "level exact, with an arith for real numbers",
    "after": ("S01", "S03"),
    "saboteurs": _SPOILT,
}
_ON_LATTICES: dict[str, Any] = {
    "applies": exact,
    "promise": "level exact",
    "after": ("S01", "S03"),
    "saboteurs": _SPOILT,
}


def _same_choices(ctx: Context, embeddings: Rows, changed: Rows, count: int, seed: int, change: str) -> None:
    """Judge both, and require the same rows as long as no rival is so near that rounding could decide."""
    rows, moved = chosen(ctx, embeddings, count, seed), chosen(ctx, changed, count, seed)
    plain, other = require_greedy(ctx, embeddings, rows), require_greedy(ctx, changed, moved)
    sure = min(plain.decided, other.decided, len(rows))
    ctx.witness(plain.telling > 0)
    if ctx.claims.deterministic:
        ctx.require(
            np.array_equal(rows[:sure], moved[:sure]),
            f"with {change} other rows are chosen: {moved[:8].tolist()}... instead of {rows[:8].tolist()}...",
            embeddings=embeddings,
            changed=changed,
            rows=rows,
            changed_rows=moved,
        )


def _scales(claims: Claims) -> tuple[int, ...]:
    return (-3, 3) if claims.dtype == "float16" else (-30, -12, 12, 30)


@law(
    "S09",
    "sampler",
    statement="Rows times a power of two give the same choices.",
    why="It changes no digit: whoever answers otherwise adds something absolute or works in too few bits.",
    seen="An epsilon added to distances; a stop once the radius is below a fixed number; float16.",
    mend="Compare distances with each other only, never with a constant.",
    witnesses=3,
    **_SHARED,
)
def powers_of_two(ctx: Context) -> None:
    """Scale up and down."""
    for family, total, width, count in ((probes.gaussian, 120, 3, 40), (probes.clusters, 200, 5, 30)):
        embeddings = for_claims(ctx, family(total, width))
        for power in _scales(ctx.claims):
            scaled = embeddings * np.float32(2.0**power)
            if ctx.claims.dtype == "float16":
                scaled = for_claims(ctx, scaled)
            _same_choices(ctx, embeddings, scaled, count, 3, f"all values times 2^{power}")


@law(
    "S10",
    "sampler",
    statement="Columns with the opposite sign give the same choices.",
    why="A distance does not know in which direction a value differs.",
    seen="An epsilon added to differences before they are squared; a projection that was not declared.",
    mend="Square plain differences; declare a projection by claiming level approx.",
    witnesses=2,
    **_SHARED,
)
def mirrored_columns(ctx: Context) -> None:
    """Turn the sign of some columns, also where values are small."""
    for width in (3, 7):
        signs = ctx.rng(width).choice(np.array([-1, 1], dtype=np.float32), size=width)
        signs[0] = -1
        for power in (0, _scales(ctx.claims)[0]):
            for family in (probes.gaussian, probes.one_ray):
                rows = for_claims(ctx, family(150, width) * np.float32(2.0**power))
                _same_choices(ctx, rows, rows * signs, 40, 1, f"the signs of columns turned at scale 2^{power}")


@law(
    "S11",
    "sampler",
    statement="Rows that are all moved by the same whole numbers are judged by the same distances.",
    why="Only differences count; where zero lies is of no meaning.",
    seen="Cosines instead of distances; products in few bits without taking off the mean.",
    mend="Use Euclidean distances; take off the mean before expanding squares.",
    witnesses=4,
    **_ON_LATTICES,
)
def moved_lattices(ctx: Context) -> None:
    """Walk along selections from lattices far from zero, as far as the claimed arithmetic stays exact."""
    far = _far(ctx.claims)
    for total, width, count in ((60, 2, 25), (65, 3, 30), (90, 5, 40)):
        signs = ctx.rng(width).choice([-1, 1], size=width)
        judge(ctx, (probes.lattice(total, width) + far * signs).astype(np.float32), count, seed=width)
        judge(ctx, (probes.lattice(total, width) + far).astype(np.float32), count, seed=width)


def _far(claims: Claims) -> int:
    if claims.dtype in {"float16", "bfloat16"}:
        return 1 if claims.arith == "E1" else 16
    return 64 if claims.arith in {"E1", "lattice"} else 4096


@law(
    "S12",
    "sampler",
    statement="Every column counts alike, wherever it stands, and columns of zeros change nothing.",
    why="Widths are no multiples of 4, 8 or 16 once layers are joined.",
    seen="The columns that fill no whole vector register left out of the sum.",
    mend="Add the remainder of the columns one by one, or pad with zeros.",
    witnesses=15,
    **_ON_LATTICES,
)
def every_column_counts(ctx: Context) -> None:
    """Put all that tells rows apart into one column, each in turn, and shuffle the columns of lattices."""
    for width, places in ((19, range(19)), (67, range(60, 67)), (130, (0, 127, 128, 129)), (1030, (1023, 1024, 1029))):
        for place in places:
            embeddings = np.zeros((12, width), dtype=np.float32)
            embeddings[:, place] = probes.lattice(12, 1, seed=place)[:, 0] * 10
            judge(ctx, embeddings, 6, seed=place)
    for width in (5, 12):
        lattice = probes.lattice(50, width)
        judge(ctx, lattice[:, ctx.rng(width).permutation(width)], 20)
        judge(ctx, np.concatenate([lattice, np.zeros((50, 3), dtype=np.float32)], axis=1), 20)


@law(
    "S13",
    "sampler",
    statement="Each choice is the farthest row left in whatever order the rows come.",
    why="Patches come image by image, row by row: neighbours in memory are alike, and that must not decide.",
    seen="Only every few rows looked at, or a window around the last choice.",
    mend="Look at all rows at every choice.",
    witnesses=4,
    **_SHARED,
)
def any_order_of_rows(ctx: Context) -> None:
    """Sort, reverse and shuffle rows."""
    for embeddings in (probes.manifold(150, 5), probes.clusters(240, 4)):
        ordered = embeddings[np.argsort(embeddings[:, 0], kind="stable")]
        shuffled = embeddings[ctx.rng(len(embeddings)).permutation(len(embeddings))]
        for rows in (ordered, ordered[::-1].copy(), shuffled):
            judge(ctx, rows, 40, seed=2)


@law(
    "S14",
    "sampler",
    statement="Rows that are repeated do not draw choices to themselves, nor push them away.",
    why="What is photographed most often is not what is most worth remembering.",
    seen="Distances to the mean, or weights by density, which repeated rows shift.",
    mend="Let the distance to the nearest chosen row decide alone.",
    witnesses=4,
    **_ON_LATTICES,
)
def repeated_rows(ctx: Context) -> None:
    """Repeat some rows, or a single one very often."""
    for width in (2, 5):
        lattice = probes.lattice(50, width, seed=3)
        some = lattice[ctx.rng(width).integers(50, size=100)]
        judge(ctx, np.concatenate([lattice, some]), 40, seed=width)
        judge(ctx, np.concatenate([np.repeat(lattice[:1], 200, axis=0), lattice]), 30, seed=width)
        judge(ctx, np.concatenate([lattice, np.repeat(lattice[-1:], 300, axis=0)]), 60, seed=width)
