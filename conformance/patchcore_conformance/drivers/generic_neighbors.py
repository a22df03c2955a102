"""Neighbor searches for the laws that hold for all kinds: answers agree if each is a right one, ties aside."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance.certificates import require_distinct, require_nearest, require_own_distances, truth_between
from patchcore_conformance.drivers.driver import (
    Bits,
    Case,
    Driver,
    Refusal,
    evidence,
    require_alike,
    shuffled_within,
    touched_once,
)
from patchcore_conformance.drivers.generic_sampler import bad_tables, balanced, tall_tables
from patchcore_conformance.numerics import Numerics, rounded_to
from patchcore_conformance.plain import plain

if TYPE_CHECKING:
    from collections.abc import Callable

_HALF = ("float16", "bfloat16")


class _Neighbors(Driver):
    """Asks by ``build`` and ``query``."""

    _tried: Any = None

    def cases(self) -> list[Case]:
        rng = self.ctx.rng("inputs")
        return [
            self._case("24 rows", rng.standard_normal((24, 5)), rng.standard_normal((7, 5)), 3),
            self._case("24 other rows", rng.standard_normal((24, 5)), rng.standard_normal((7, 5)), 3),
            self._case("17 rows with ties", rng.integers(-3, 4, (17, 3)), rng.integers(-3, 4, (4, 3)), 4),
            self._case("the nearest of 9", rng.standard_normal((9, 6)), rng.standard_normal((11, 6)), 1),
            self._case("all of 6", rng.standard_normal((6, 2)), rng.standard_normal((1, 2)), 6),
        ]

    def dtype_cases(self) -> list[tuple[Case, tuple[str, ...]]]:
        rng = self.ctx.rng("dtypes")

        def numbers(name: str, low: int, high: int, width: int, sizes: tuple[int, int] = (26, 9)) -> Case:
            bank, queries = (rng.integers(low, high + 1, (rows, width)) for rows in sizes)
            return self._case(name, bank, queries, 4)

        found: list[tuple[Case, tuple[str, ...]]] = [
            (numbers("small whole numbers", -3, 3, 5), ("float32", "float16", "float64"))
        ]
        if self.ctx.claims.dtype not in _HALF:
            wide = numbers("numbers whose squares float16 cannot hold", -300, 300, 6)
            digits = numbers("numbers of 13 bits", -8191, 8191, 3)
            heavy = numbers("numbers whose sum float16 cannot hold", 100, 300, 8, (60, 60))
            found += [(one, ("float32", "float16", "float64")) for one in (wide, heavy)]
            found.append((digits, ("float32", "float64")))
        if self.ctx.claims.dtype == "float64":
            bank, queries = (rng.integers(-(2**25), 2**25, (rows, 2)).astype(np.float64) for rows in (26, 9))
            found.append((Case("numbers of 26 bits", (bank, queries), k=4), ("float64",)))
        return found

    def refusals(self, part: Any, case: Case) -> list[Refusal]:
        bank, queries = case.arrays
        self._tried = index = part.build(bank)
        most = min(len(bank), self.ctx.claims.max_k or len(bank))
        counts = (0, -1, True, most + 1, 10**6)
        width = f"wanting {bank.shape[1]} columns with"
        banks = [(f"a bank {what}", bad) for what, bad in (*bad_tables(bank), *tall_tables(bank))]
        tables = (*bad_tables(queries), *tall_tables(queries))
        asked = [(f"queries {what}", bad) for what, bad in tables if what != "without rows"] + [
            (f"queries {width} one more", np.ones((7, bank.shape[1] + 1), np.float32)),
            (f"queries {width} one less", queries[:, :-1].copy()),
            (f"queries {width} a single one", queries[:, :1].copy()),
        ]
        return [
            *(Refusal(what, lambda bad=bad: part.build(bad).unwatched) for what, bad in banks),  # type: ignore[misc]
            *(Refusal(what, lambda bad=bad: index.query(bad, k=1)) for what, bad in asked),  # type: ignore[misc]
            *(Refusal(f"k={k}", lambda k=k: index.query(queries, k=k)) for k in counts),  # type: ignore[misc]
        ]

    def after_refusals(self, part: Any, case: Case) -> tuple[Any, ...]:
        self.answer(part, case)
        return self._asked(self._tried, case)

    def tied(self) -> list[Case]:
        rng = self.ctx.rng("ties")
        return [self._case("160 rows, many equal", balanced(rng, 80, 2), rng.integers(-3, 4, (30, 2)), 5)]

    def ready(self, part: Any, case: Case) -> Callable[[], tuple[Any, ...]]:
        index = part.build(case.arrays[0])
        return lambda: self._asked(index, case)

    def questions(self, part: Any, cases: list[Case]) -> list[tuple[Case, Callable[[], tuple[Any, ...]]]]:
        """Ask each index in several ways: what two calls share, they share in the index."""
        found: list[tuple[Case, Callable[[], tuple[Any, ...]]]] = []
        for case in cases:
            (bank, queries), index = case.arrays, part.build(case.arrays[0])
            fewer = replace(case, arrays=(bank, queries[1:3].copy()), k=1)
            others = [queries[::-1].copy(), shuffled_within(queries), touched_once(queries)]
            several = (case, *(case.of([bank, other]) for other in others), *([fewer] if len(queries) > 1 else []))
            found += [(one, partial(self._asked, index, one)) for one in several]
        return found

    def require_form(self, part: Any, case: Case, answer: tuple[Any, ...]) -> None:
        self._require_form(case, answer, case.k)
        bank, queries = case.arrays
        self._require_form(case, self._pair(part.build(bank).query(queries)), 1)  # k is 1 unless told otherwise

    def require_agree(self, case: Case, one: Bits, two: Bits, message: str) -> None:
        require_alike(self.ctx, case, one, two, message)
        for answer in (one, two):
            self._require_form(case, answer, case.k)
            self._require_right(case, answer[0], answer[1], message)

    def _case(self, name: str, bank: Any, queries: Any, k: int) -> Case:
        if self.ctx.claims.arith == "lattice":
            bank, queries = np.rint(bank), np.rint(queries)
        arrays = (rounded_to(np.asarray(table, np.float32), self.ctx.claims.dtype) for table in (bank, queries))
        return Case(name, tuple(arrays), k=min(k, self.ctx.claims.max_k or k))

    def _asked(self, index: Any, case: Case) -> tuple[Any, ...]:
        return self._pair(index.query(case.arrays[1], k=case.k))

    def _pair(self, answer: Any) -> tuple[Any, ...]:
        pair = isinstance(answer, (tuple, list)) and len(answer) == 2
        self.ctx.require(pair, f"the answer is a {type(answer).__name__}, but (distances, rows) is needed")
        return tuple(answer)

    def _require_form(self, case: Case, answer: tuple[Any, ...], k: int) -> None:
        distances, rows = plain(answer[0], "distances"), plain(answer[1], "rows")
        shape = (len(case.arrays[1]), k)
        told = evidence(case, (distances, rows))
        for name, array, kinds in (("distances", distances, "f"), ("rows", rows, "iu")):
            good = array.shape == shape and array.dtype.kind in kinds
            needed = "numbers with a point" if kinds == "f" else "whole numbers"
            self.ctx.require(good, f"{name} are {array.dtype} {array.shape}, but {needed} {shape} are needed", **told)
        self.ctx.require(np.isfinite(distances).all(), "a distance is NaN or infinite", **told)
        require_distinct(self.ctx, rows, len(case.arrays[0]), **told)

    def _require_right(self, case: Case, distances: Any, rows: Any, message: str) -> None:
        bank, queries = case.arrays
        truth = truth_between(queries, bank, Numerics.of(self.ctx.claims))
        told = {"bank": bank, "queries": queries, "case": f"{case.name}; {message}"}
        if self.ctx.claims.at_least("exact", "neighbors"):
            require_nearest(self.ctx, truth, distances, rows, **told)
        else:
            measured = np.square(distances.astype(np.float64))
            require_own_distances(self.ctx, truth, measured, rows, measured * 2.0**-22, **told)


DRIVER = _Neighbors
