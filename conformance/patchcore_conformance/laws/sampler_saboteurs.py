"""How the answers of a sampler are spoilt after a PASS, to see that the check notices."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance.numerics import squares_to
from patchcore_conformance.plain import plain
from patchcore_conformance.saboteur import Saboteur

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from patchcore_conformance.saboteur import Call

    Change = Callable[[npt.NDArray[Any], npt.NDArray[np.float64]], Any]


def spoiling(name: str, change: Change, least: int = 2) -> Saboteur:
    """Spoil the rows of ``select`` where there are ``least`` of them; ``change`` gets (rows, embeddings)."""

    def corrupt(call: Call, _: np.random.Generator) -> Any:
        if call.error is not None:
            return None
        rows = plain(call.output)
        return change(rows.copy(), np.asarray(call.args[0], dtype=np.float64)) if len(rows) >= least else None

    return Saboteur(name, "select", corrupt)


def spoiling_radii(name: str, change: Callable[[npt.NDArray[Any]], Any], least: int = 3) -> Saboteur:
    """Spoil the radii that ``select_with_report`` tells."""

    def corrupt(call: Call, _: np.random.Generator) -> Any:
        if call.error is not None or len(plain(call.output.radii)) < least:
            return None
        return SimpleNamespace(rows=call.output.rows, radii=change(plain(call.output.radii).astype(np.float64)))

    return Saboteur(name, "select_with_report", corrupt)


def _first_again(rows: npt.NDArray[Any], _: npt.NDArray[np.float64]) -> Any:
    rows[-1] = rows[0]
    return rows


def _past_the_end(rows: npt.NDArray[Any], points: npt.NDArray[np.float64]) -> Any:
    rows = rows.astype(np.int64)
    rows[-1] = len(points)
    return rows


def _a_near_one_instead(rows: npt.NDArray[Any], points: npt.NDArray[np.float64]) -> Any:
    """Put the free row that is nearest to the first choice in the place of a later choice."""
    rows = rows.astype(np.int64)
    near = squares_to(points, points[rows[0]])
    near[rows] = np.inf
    if np.isinf(near).all():
        return None
    rows[len(rows) // 2] = np.argmin(near)
    return rows


ROW_TWICE = spoiling("a row twice", _first_again)
ONE_LESS = spoiling("one row less", lambda rows, _: rows[:-1])
PAST_THE_END = spoiling("a row number past the end", _past_the_end, least=1)
AS_FLOATS = spoiling("row numbers as floats", lambda rows, _: rows.astype(np.float32), least=1)
NEAR_ROW = spoiling("a near row instead of a far one", _a_near_one_instead)
BACKWARDS = spoiling("in reverse order", lambda rows, _: rows[::-1].copy(), least=3)
FIRST_ROWS = spoiling("the first rows", lambda rows, _: np.arange(len(rows)))
SQUARED = spoiling_radii("squared radii", np.square)
STALE = spoiling_radii("radii told one choice late", lambda radii: np.concatenate([radii[:1], radii[:-1]]))


def _first_or_last(call: Call, rng: np.random.Generator) -> Any:
    """Start with one of two rows by chance: neither any row, nor always the same."""
    if call.error is not None:
        return None
    rows = plain(call.output).astype(np.int64)
    start = rng.integers(2) * (len(call.args[0]) - 1)
    return np.concatenate([[start], rows[rows != start]])[: len(rows)]


TWO_STARTS = Saboteur("starts with the first or the last row", "select", _first_or_last)
