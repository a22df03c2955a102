"""Anomaly maps for the laws that hold for all kinds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance.drivers.driver import Bits, Case, Driver, Refusal, evidence, require_close
from patchcore_conformance.drivers.generic_extractor import require_float
from patchcore_conformance.drivers.generic_sampler import spoilt
from patchcore_conformance.drivers.maps import held, share, well_formed
from patchcore_conformance.plain import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from patchcore_conformance.drivers.driver import Array
    from patchcore_conformance.drivers.maps import Size

_HALF = ("float16", "bfloat16")
_SIGMA = 1.0

# Images and grid, size of the map, sigma: one size from two grids, one grid to two sizes, one of both with two sigmas,
# and what is neither resized nor smoothed. No size is a multiple of its grid, or smaller than a kernel.
_ASKED: tuple[tuple[tuple[int, int, int], Size, float], ...] = (
    *(((2, 5, 7), (40, 42), _SIGMA), ((2, 5, 7), (40, 42), _SIGMA), ((1, 6, 4), (44, 33), _SIGMA)),
    *(((3, 8, 8), (40, 42), _SIGMA), ((2, 5, 7), (27, 50), _SIGMA), ((2, 5, 7), (40, 42), 2.5)),
    ((2, 12, 13), (12, 13), 0.0),
)


class _Maps(Driver):
    """Asks by ``anomaly_map``."""

    def cases(self) -> list[Case]:
        rng = self.ctx.rng("inputs")
        return [
            _case(f"scores {shape} at {size}, sigma {sigma}", held(self.ctx, 9 * rng.random(shape)), size, sigma)
            for shape, size, sigma in _ASKED
        ]

    def pairs(self) -> list[tuple[Case, Case]]:
        rng = self.ctx.rng("pairs")
        small, smaller = (held(self.ctx, 9 * rng.random((1, *grid))) for grid in ((6, 9), (4, 5)))
        blurred, grown = _case("sigma 2", small, (45, 39), 2.0), _case("31 rows", smaller, (31, 38))
        return [(blurred, replace(blurred, sigma=3.0)), (grown, replace(grown, size=(43, 38)))]

    def dtype_cases(self) -> list[tuple[Case, tuple[str, ...]]]:
        eighths = self.ctx.rng("dtypes").integers(0, 65, (2, 5, 7)) / np.float32(8)
        small = _case("scores in eighths", eighths.astype(np.float32))
        found: list[tuple[Case, tuple[str, ...]]] = [(small, ("float32", "float16", "float64"))]
        if self.ctx.claims.dtype not in _HALF:
            wide = _case("scores whose sum float16 cannot hold", np.full((1, 6, 5), 30000, np.float32))
            found.append((wide, ("float32", "float16", "float64")))
        return found

    def require_digits(self) -> None:
        if self.ctx.claims.dtype in _HALF:
            return
        case = _case("scores of 13 bits", np.full((1, 7, 8), 4096, np.float32))
        other = case.each(lambda scores: scores + np.float32(1))
        one, two = (self.bits(self.make(case), asked)[0] for asked in (case, other))
        alike = one.shape == two.shape and bool((one == two).all())
        told = "scores of 4096 and of 4097 give the same map: digits were lost"
        self.ctx.require(not alike, told, **evidence(other, (two,)))

    def refusals(self, part: Any, case: Case) -> list[Refusal]:
        scores, size = case.arrays[0], case.size
        bad = [
            ("with NaN", spoilt(scores, np.nan)),
            ("with infinity", spoilt(scores, np.inf)),
            ("with minus infinity", spoilt(scores, -np.inf)),
            ("of one axis", scores[0, 0]),
            ("of four axes", scores[None]),
            ("without rows", scores[:, :0]),
            ("without columns", scores[:, :, :0]),
            ("of Python objects", scores.astype(object)),
        ]
        draw = part.anomaly_map
        return [
            *(Refusal(f"scores {what}", lambda one=one: draw(one, size, _SIGMA)) for what, one in bad),  # type: ignore[misc]
            *(Refusal(f"sigma={one}", lambda one=one: draw(scores, size, one)) for one in (-1.0, np.nan)),  # type: ignore[misc]
            *(Refusal(f"size={one}", lambda one=one: draw(scores, one, _SIGMA)) for one in ((0, 40), (40, -3))),  # type: ignore[misc]
        ]

    def ready(self, part: Any, case: Case) -> Callable[[], tuple[Any, ...]]:
        return lambda: (part.anomaly_map(case.arrays[0], case.size, case.sigma),)

    def require_form(self, part: Any, case: Case, answer: tuple[Any, ...]) -> None:  # noqa: ARG002 - the case says it all
        well_formed(self.ctx, answer[0], case.arrays[0], case.size, case.sigma)
        require_float(self, plain(answer[0]), "the answer", evidence(case))

    def require_agree(self, case: Case, one: Bits, two: Bits, message: str) -> None:
        require_close(self.ctx, case, one, two, message, 2 * share(self.ctx))


def _case(name: str, scores: Array, size: Size = (40, 42), sigma: float = _SIGMA) -> Case:
    return Case(name, (scores,), size=size, sigma=sigma)


DRIVER = _Maps
