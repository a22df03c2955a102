"""Samplers for the laws that hold for all kinds: two selections agree if both are greedy, whatever rows they name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance.certificates import require_greedy
from patchcore_conformance.drivers.driver import Bits, Case, Driver, Refusal, require_alike, require_equal_bits
from patchcore_conformance.drivers.sampler import for_claims, knobs, well_formed
from patchcore_conformance.drivers.sampler_memory import bears
from patchcore_conformance.plain import plain
from patchcore_conformance.violation import NotOffered

if TYPE_CHECKING:
    from collections.abc import Callable

    from patchcore_conformance.context import Context

_HALF = ("float16", "bfloat16")


class _Sampler(Driver):
    """Asks by ``select``; the options say how many rows."""

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._knobs = knobs(ctx)

    def cases(self) -> list[Case]:
        rng = self.ctx.rng("inputs")
        return [
            self._case("24 rows", rng.standard_normal((24, 5)), 6, seed=3),
            self._case("24 other rows", rng.standard_normal((24, 5)), 6, seed=3),
            self._case(
                "48 rows", rng.standard_normal((48, 5)), 6 if self._has_count else 12, seed=3
            ),  # options as above
            self._case("17 rows with ties", rng.integers(-3, 4, (17, 7)), 5, seed=8),
            self._case("all of 9 rows", rng.standard_normal((9, 3)), 9, seed=1),
            self._case("40 rows, many equal", rng.standard_normal((5, 4))[rng.integers(5, size=40)], 12, seed=2),
        ]

    def dtype_cases(self) -> list[tuple[Case, tuple[str, ...]]]:
        rng = self.ctx.rng("dtypes")
        small = self._case("small whole numbers", rng.integers(-3, 4, (26, 5)), 7)
        found: list[tuple[Case, tuple[str, ...]]] = [(small, ("float32", "float16", "float64"))]
        if self.ctx.claims.dtype not in _HALF:
            wide = self._case("numbers whose squares float16 cannot hold", rng.integers(-300, 301, (26, 6)), 7)
            digits = self._case("numbers of 13 bits", rng.integers(-8191, 8192, (40, 3)), 12)
            heavy = self._case("numbers whose sum float16 cannot hold", rng.integers(100, 301, (60, 8)), 7)
            found += [(one, ("float32", "float16", "float64")) for one in (wide, heavy)]
            found.append((digits, ("float32", "float64")))
        return found

    def refusals(self, part: Any, case: Case) -> list[Refusal]:
        rows = case.arrays[0]
        tall = [(what, bad) for what, bad in tall_tables(rows) if bears(self.ctx, len(bad))]
        return [
            *(Refusal(f"embeddings {what}", lambda bad=bad: part.select(bad)) for what, bad in bad_tables(rows)),  # type: ignore[misc]
            *(Refusal(f"embeddings {what}", lambda bad=bad: self._three_of(bad)) for what, bad in tall),  # type: ignore[misc]
            *self._bad_counts(case),
        ]

    def tied(self) -> list[Case]:
        return [
            self._case("80 rows and their negatives, many equal", balanced(self.ctx.rng("ties"), 80, 2), 20, seed=4)
        ]

    def pairs(self) -> list[tuple[Case, Case]]:
        wide = self.ctx.rng("wide").standard_normal((24, 150))  # more columns than are projected to
        first, second = (self._case(f"24 rows of 150 values, seed {seed}", wide, 6, seed=seed) for seed in (3, 9))
        return [(first, second)] if first.options != second.options else []

    def ready(self, part: Any, case: Case) -> Callable[[], tuple[Any, ...]]:
        return lambda: (part.select(case.arrays[0]),)

    def require_form(self, part: Any, case: Case, answer: tuple[Any, ...]) -> None:  # noqa: ARG002 - rows say it all
        self._well_formed(case, answer[0])

    def require_agree(self, case: Case, one: Bits, two: Bits, message: str) -> None:
        found = [self._well_formed(case, answer[0]) for answer in (one, two)]
        if self.ctx.claims.at_least("exact", "sampler"):
            for rows in found:
                require_greedy(self.ctx, case.arrays[0], rows, case=f"{case.name}; {message}")
        elif self.ctx.claims.deterministic:
            require_equal_bits(self.ctx, case, (found[0],), (found[1],), message)
        else:
            require_alike(self.ctx, case, (found[0],), (found[1],), message)

    def require_comparable(self) -> None:
        if not self.ctx.claims.deterministic and not self.ctx.claims.at_least("exact", "sampler"):
            raise NotOffered("each time other rows may come, and any will do: there is nothing to compare")

    def _case(self, name: str, rows: Any, count: int, seed: int = 0) -> Case:
        embeddings = for_claims(self.ctx, np.asarray(rows, dtype=np.float32))
        return Case(name, (embeddings,), self._knobs.options(len(embeddings), count, seed), k=count)

    def _well_formed(self, case: Case, rows: Any) -> Any:
        # A share such as 0.25 may be met by another count than the one that it came from only if rounding is off.
        return well_formed(self.ctx, rows, case.arrays[0], case.k if self._knobs.size else None)

    def _bad_counts(self, case: Case) -> list[Refusal]:
        wrong: dict[str, Any] = {"": {}, "count": {"count": [0, -1]}, "keep": {"keep": [0.0, -0.5, float("nan")]}}
        return [
            Refusal(f"{name}={value}", lambda options={name: value}: self._selects(case, options))  # type: ignore[misc]
            for name, values in wrong[self._knobs.size].items()
            for value in values
        ] + ([Refusal("count above the number of rows", lambda: self._clamps(case))] if self._has_count else [])

    def _three_of(self, rows: Any) -> Any:
        return self.ctx.make(**self._knobs.options(len(rows), 3, 0)).select(rows)

    @property
    def _has_count(self) -> bool:
        return self._knobs.size == "count"

    def _selects(self, case: Case, options: dict[str, Any]) -> Any:
        return self.ctx.make(**{**case.options, **options}).select(case.arrays[0])

    def _clamps(self, case: Case) -> Any:
        """Give every row where more are asked for: as good as refusing; anything else is an answer to no question."""
        total = len(case.arrays[0])
        answer = self._selects(case, {"count": total + 1})
        if sorted(plain(answer, "rows").ravel().tolist()) == list(range(total)):
            raise ValueError("kept every row")
        return answer


def bad_tables(rows: Any) -> list[tuple[str, Any]]:
    """Return what is no table of finite numbers with at least one row and one column."""
    return [
        ("with NaN", spoilt(rows, np.nan)),
        ("with infinity", spoilt(rows, np.inf)),
        ("with minus infinity", spoilt(rows, -np.inf)),
        ("of one axis", rows[0]),
        ("of three axes", rows[None]),
        ("without rows", rows[:0]),
        ("without columns", rows[:, :0]),
        ("of Python objects", rows.astype(object)),
    ]


def tall_tables(rows: Any) -> list[tuple[str, Any]]:
    """Return many rows of which the last alone is bad: who looks at the first thousand has not looked."""
    return [
        (f"with {value} in the last of {total:,} rows", spoilt(np.resize(rows, (total, rows.shape[1])), value))
        for total in (3000, 70_000)
        for value in (np.nan, np.inf)
    ]


def balanced(rng: np.random.Generator, half: int, width: int) -> Any:
    """Draw small whole numbers whose mean is 0, however it is added up: centring does not round them."""
    rows = rng.integers(-3, 4, (half, width))
    return np.concatenate([rows, -rows])


def spoilt(array: Any, value: float) -> Any:
    """Return a copy with one bad value, near the end."""
    bad = array.copy()
    bad.reshape(-1)[-2] = value
    return bad


DRIVER = _Sampler
