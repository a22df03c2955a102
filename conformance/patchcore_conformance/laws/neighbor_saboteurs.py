"""How the answers of a search are spoilt after a PASS, to see that the check notices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance.plain import plain
from patchcore_conformance.saboteur import Saboteur

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from patchcore_conformance.saboteur import Call

    Change = Callable[[npt.NDArray[Any], npt.NDArray[Any]], Any]


def spoiling(name: str, change: Change, neighbors: int = 1, queries: int = 1) -> Saboteur:
    """Spoil (distances, rows) where there are at least so many neighbours and queries."""

    def corrupt(call: Call, _: np.random.Generator) -> Any:
        if call.error is not None:
            return None
        distances, rows = (plain(one).copy() for one in call.output)
        fits = distances.ndim == 2 and len(distances) >= queries and distances.shape[1] >= neighbors
        return change(distances, rows) if fits else None

    return Saboteur(name, "query", corrupt)


def _moved(distances: npt.NDArray[Any], by: float) -> npt.NDArray[Any]:
    return np.asarray(distances * (1 + by) + distances.dtype.type(by) * distances.max(initial=0.0))


def _first_again(distances: npt.NDArray[Any], rows: npt.NDArray[Any]) -> Any:
    rows[:, -1] = rows[:, 0]
    return distances, rows


def _padded(distances: npt.NDArray[Any], rows: npt.NDArray[Any]) -> Any:
    rows, distances[:, -1] = rows.astype(np.int64), np.finfo(distances.dtype).max
    rows[:, -1] = -1
    return distances, rows


def _last_query_lost(distances: npt.NDArray[Any], rows: npt.NDArray[Any]) -> Any:
    distances[-1], rows[-1] = 0, np.arange(rows.shape[1])
    return distances, rows


def _by_chance(call: Call, rng: np.random.Generator) -> Any:
    if call.error is not None:
        return None
    distances, rows = (plain(one) for one in call.output)
    return distances * rng.uniform(1.01, 2.0), rows


def _answers_anyway(call: Call, _: np.random.Generator) -> Any:
    """Answer padded rows, also where the part refused."""
    queries, k = call.args[0], int(call.kwargs.get("k", 1))
    shape = (max(1, len(queries)), max(1, k))
    return np.full(shape, np.finfo(np.float32).max, dtype=np.float32), np.full(shape, -1)


SQUARED = spoiling("squared distances", lambda distances, rows: (np.square(distances) + distances, rows))
FARTHER = spoiling("distances a hundredth too long", lambda distances, rows: (_moved(distances, 0.01), rows))
SHIFTED = spoiling("rows off by one query", lambda distances, rows: (distances, np.roll(rows, 1, axis=0)), queries=2)
NEXT_ROW = spoiling("the next row's distance", lambda distances, rows: (np.roll(distances, 1, axis=0), rows), queries=2)
BACKWARDS = spoiling("farthest first", lambda d, r: (d[:, ::-1].copy(), r[:, ::-1].copy()), neighbors=3)
EXCHANGED = spoiling("rows where distances belong", lambda distances, rows: (rows, distances))
ROW_TWICE = spoiling("a row twice", _first_again, neighbors=2)
PADDED = spoiling("padded with -1", _padded)
LAST_LOST = spoiling("the last query forgotten", _last_query_lost)
ADDED = spoiling("a little added under the root", lambda d, rows: (np.sqrt(np.square(d) + 1e-3), rows))
NOT_A_NUMBER = spoiling("the root of a negative number", lambda distances, rows: (distances * np.nan, rows))
MOODY = Saboteur("other distances each time", "query", _by_chance)
ANYWAY = Saboteur("answers what does not exist", "query", _answers_anyway)
