"""Anomaly maps for the laws that hold for all kinds."""

from __future__ import annotations

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


class _Maps(Driver):
    """Asks by ``anomaly_map``, for a size that follows from the grid."""

    def cases(self) -> list[Case]:
        rng = self.ctx.rng("inputs")
        shapes = ((2, 5, 7), (2, 5, 7), (1, 6, 4), (3, 8, 8))
        return [Case(f"scores {shape}", (held(self.ctx, 9 * rng.random(shape)),)) for shape in shapes]

    def dtype_cases(self) -> list[tuple[Case, tuple[str, ...]]]:
        eighths = self.ctx.rng("dtypes").integers(0, 65, (2, 5, 7)) / np.float32(8)
        small = Case("scores in eighths", (eighths.astype(np.float32),))
        found: list[tuple[Case, tuple[str, ...]]] = [(small, ("float32", "float16", "float64"))]
        if self.ctx.claims.dtype not in _HALF:
            wide = Case("scores whose sum float16 cannot hold", (np.full((1, 6, 5), 30000, np.float32),))
            found.append((wide, ("float32", "float16", "float64")))
        return found

    def require_digits(self) -> None:
        if self.ctx.claims.dtype in _HALF:
            return
        case = Case("scores of 13 bits", (np.full((1, 7, 8), 4096, np.float32),))
        other = case.each(lambda scores: scores + np.float32(1))
        one, two = (self.bits(self.make(case), asked)[0] for asked in (case, other))
        alike = one.shape == two.shape and bool((one == two).all())
        told = "scores of 4096 and of 4097 give the same map: digits were lost"
        self.ctx.require(not alike, told, **evidence(other, (two,)))

    def refusals(self, part: Any, case: Case) -> list[Refusal]:
        scores, size = case.arrays[0], _size(case.arrays[0])
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
        return lambda: (part.anomaly_map(case.arrays[0], _size(case.arrays[0]), _SIGMA),)

    def require_form(self, part: Any, case: Case, answer: tuple[Any, ...]) -> None:  # noqa: ARG002 - the case says it all
        well_formed(self.ctx, answer[0], case.arrays[0], _size(case.arrays[0]), _SIGMA)
        require_float(self, plain(answer[0]), "the answer", evidence(case))

    def require_agree(self, case: Case, one: Bits, two: Bits, message: str) -> None:
        require_close(self.ctx, case, one, two, message, 2 * share(self.ctx))


def _size(scores: Array) -> Size:
    """Return a size that is no multiple of the grid, and larger than any kernel."""
    return 20 + 4 * scores.shape[1], 21 + 3 * scores.shape[2]


DRIVER = _Maps
