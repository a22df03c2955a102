"""Approximate searches: that they find the share they claim, and pass no approximate distance off as exact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from patchcore_conformance import pairs, probes
from patchcore_conformance.certificates import order_bounds
from patchcore_conformance.chances import binomial_lower
from patchcore_conformance.drivers.neighbors import built, for_claims, judge, require_found
from patchcore_conformance.laws.neighbor_saboteurs import FARTHER, NEXT_ROW, SHIFTED, SQUARED
from patchcore_conformance.registry import law
from patchcore_conformance.violation import Inconclusive

if TYPE_CHECKING:
    from patchcore_conformance.context import Context
    from patchcore_conformance.drivers.neighbors import Asked, Table

_MARGIN = 0.03  # how far below the claim the certain recall may end: more queries would settle it
_FIRST, _MOST = 400, 3200  # queries
_NEIGHBORS = 5


@law(
    "N22",
    "neighbors",
    statement="The claimed share of nearest neighbours is found by every kind of query; distances are not too long.",
    why="Recall that was measured on rows of the bank says nothing of defects, which lie off them.",
    seen="One cell looked into: 0.99 claimed for queries like the bank, a third found for queries between its groups.",
    mend="Look into more cells, or keep more candidates, until queries of all kinds reach the claim; or claim less.",
    applies=lambda claims: claims.level == "approx" and claims.arith != "lattice",
    promise="level approx, with an arith for real numbers",
    witnesses=8,
    saboteurs=(FARTHER, SHIFTED),
    statistical=True,
)
def finds_what_it_claims(ctx: Context) -> None:
    """Count neighbours found among groups, duplicates and outliers, by queries on, near, between and off the rows."""
    for name, (bank, queries) in _questions().items():
        _judge_recall(ctx, name, *for_claims(ctx, bank, queries))


def _questions() -> dict[str, tuple[Table, Table]]:
    groups, bent = probes.clusters, probes.manifold
    return {
        "like the rows of groups": pairs.split(groups, 2000, _MOST, 24),
        "rows of groups": _themselves(groups, 2000, 24),
        "close to rows of groups": pairs.close(groups, 2000, _MOST, 24),
        "between groups": pairs.between(groups, 1000, _MOST, 17),
        "off groups": pairs.off(groups, 1000, _MOST, 17),
        "like rows of a surface": pairs.split(bent, 2000, _MOST, 33),
        "off a surface": pairs.off(bent, 1000, _MOST, 33),
        "rows that come five times": _themselves(probes.duplicates, 1000, 12),
        "outliers": _outliers(2000, 24),
    }


def _themselves(family: Any, total: int, width: int) -> tuple[Table, Table]:
    bank = family(total, width)
    return bank, bank[np.random.default_rng(3).integers(total, size=_MOST)]


def _outliers(total: int, width: int) -> tuple[Table, Table]:
    """Ask from beside the rare rows far off the groups, the last row among them."""
    bank = probes.clusters(total, width)
    rare = bank[np.abs(bank).max(axis=1) > 4 * bank.std()]
    random = np.random.default_rng(5)
    asked = rare[random.integers(len(rare), size=_MOST)] + random.standard_normal((_MOST, width))
    return bank, asked.astype(np.float32)


def _judge_recall(ctx: Context, name: str, bank: Table, queries: Table) -> None:
    """Ask more and more queries until the share found is surely enough, or surely not."""
    index = built(ctx, bank)
    for k in (1, _NEIGHBORS):
        hits = np.zeros(0)
        while not _enough(ctx, hits):
            if len(hits) >= _MOST:
                raise Inconclusive(
                    f"{len(hits)} queries ({name}) do not settle whether {ctx.claims.recall:.1%} are found"
                )
            more = queries[len(hits) : max(_FIRST, 2 * len(hits))]
            hits = np.concatenate([hits, _shares_found(ctx, name, judge(ctx, bank, more, k, index))])
            require_found(ctx, hits, f"by queries {name}, too few are found", bank=bank, queries=queries[: len(hits)])


def _enough(ctx: Context, hits: npt.NDArray[np.float64]) -> bool:
    return len(hits) > 0 and binomial_lower(float(hits.sum()), len(hits)) >= ctx.claims.recall - _MARGIN


def _shares_found(ctx: Context, name: str, asked: Asked) -> npt.NDArray[np.float64]:
    """Share of neighbours found by each query, whose distances together must not be longer than claimed."""
    longer = _times_longer(asked)
    ctx.within(
        longer, ctx.claims.ratio, f"by queries {name}, distances are too many times the right ones", **asked.seen
    )
    return np.asarray(asked.hits().mean(axis=1))


def _times_longer(asked: Asked) -> float:
    """Average distances as multiples of the right ones; geometric, so that a single gross miss does not decide."""
    _, best = order_bounds(asked.truth, asked.rows.shape[1])
    positive = best > 4 * asked.truth.slack.max()  # rows that are equal to the query have no multiples
    return float(np.exp(np.log(asked.squares[positive] / best[positive]).mean() / 2)) if positive.any() else 1.0


@law(
    "N23",
    "neighbors",
    statement="Each distance is that of its row also where the search is approximate.",
    why="A host compares these distances with thresholds; which row was found may be a guess, how far it is may not.",
    seen="Distances between codes of compressed rows, passed off as distances of the rows.",
    mend="Measure the rows that were found again, by the rows as they were given.",
    applies=lambda claims: claims.level == "approx",
    promise="level approx",
    witnesses=8,
    saboteurs=(NEXT_ROW, SHIFTED, SQUARED),
)
def approximate_rows_true_distances(ctx: Context) -> None:
    """Measure each returned row again, on data of many kinds and sizes."""
    cases: list[tuple[Any, int, int, int, int]] = [(probes.lattice, 90, 20, 3, 9), (probes.lattice, 500, 8, 6, 30)]
    if ctx.claims.arith != "lattice":
        cases += [
            (probes.gaussian, 400, 30, 9, 4),
            (probes.clusters, 900, 40, 65, 3),
            (probes.rectified, 300, 20, 130, 2),
        ]
        cases += [
            (probes.duplicates, 300, 20, 7, 9),
            (probes.shifted, 300, 20, 20, 2),
            (probes.gaussian, 64, 64, 515, 5),
        ]
    for family, total, queries, width, k in cases:
        bank, asking = pairs.split(family, total, queries, width)
        judge(ctx, bank, np.concatenate([asking, bank[:queries]]), k)
        if ctx.claims.dtype != "float16":
            factor = np.float32(2.0 ** (24 if len(bank) % 20 else -24))
            judge(ctx, bank * factor, asking * factor, k)
