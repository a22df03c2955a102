"""Aggregators for the laws that hold for all kinds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance.drivers.aggregator import borders, share, takes_size, well_formed
from patchcore_conformance.drivers.driver import Array, Bits, Case, Driver, Refusal, evidence, require_close
from patchcore_conformance.drivers.generic_extractor import last_spoilt, require_float
from patchcore_conformance.drivers.generic_sampler import spoilt
from patchcore_conformance.numerics import rounded_to
from patchcore_conformance.plain import plain

if TYPE_CHECKING:
    from collections.abc import Callable

_HALF = ("float16", "bfloat16")


class _Aggregator(Driver):
    """Asks by ``aggregate``."""

    def cases(self) -> list[Case]:
        # No map is smaller than a window: what happens there is a law of its own.
        rng = self.ctx.rng("inputs")
        chosen = takes_size(self.ctx)
        other, one = ({"patch_size": 5}, {"patch_size": 1}) if chosen else ({}, {})
        return [
            self._case("two layers", rng, (2, 3, 8, 11), (2, 4, 5, 6)),
            self._case("two layers again", rng, (2, 3, 8, 11), (2, 4, 5, 6)),
            self._case("two layers of other sizes", rng, (1, 3, 6, 9), (1, 4, 6, 5)),
            self._case("one layer", rng, (1, 2, 6, 7), **other),
            self._case("one layer, a window of one cell", rng, (2, 3, 5, 6), **one),
            self._case("three layers", rng, (1, 2, 12, 10), (1, 5, 6, 5), (1, 1, 5, 5), **other),
        ]

    def of_each_option(self) -> list[Case]:
        again = replace(self.cases()[0], name="two layers, a border that was asked for")
        return [
            *super().of_each_option(),
            *(replace(again, options=chosen) for chosen, _ in borders(self.ctx) if chosen),
        ]

    def pairs(self) -> list[tuple[Case, Case]]:
        if not takes_size(self.ctx):
            return []
        case = self._case("a window of 3", self.ctx.rng("pairs"), (1, 2, 9, 13), (1, 2, 9, 13), patch_size=3)
        return [(case, replace(case, name="a window of 5", options={"patch_size": 5}))]

    def dtype_cases(self) -> list[tuple[Case, tuple[str, ...]]]:
        rng = self.ctx.rng("dtypes")
        small = Case("small whole numbers", (_whole(rng, 3, (2, 3, 8, 11)), _whole(rng, 3, (2, 4, 5, 6))))
        found: list[tuple[Case, tuple[str, ...]]] = [(small, ("float32", "float16", "float64"))]
        if self.ctx.claims.dtype not in _HALF:
            wide = Case("numbers whose sum float16 cannot hold", (np.full((1, 2, 7, 6), 30000, np.float32),))
            found.append((wide, ("float32", "float16", "float64")))
        return found

    def require_digits(self) -> None:
        if self.ctx.claims.dtype in _HALF:
            return
        for channels in (2, 1100):
            case = Case(f"numbers of 13 bits in {channels} channels", (np.full((1, channels, 7, 8), 4096, np.float32),))
            other = case.each(lambda layer: layer + np.float32(1))
            one, two = (self.bits(self.make(case), asked)[0] for asked in (case, other))
            alike = one.shape == two.shape and bool((one[:, 3, 4] == two[:, 3, 4]).all())
            told = f"{channels} channels of 4096 and of 4097 give the same embeddings: digits were lost"
            self.ctx.require(not alike, told, **evidence(other, (two,)))

    def refusals(self, part: Any, case: Case) -> list[Refusal]:
        fine, coarse = case.arrays
        bad: list[tuple[str, tuple[Any, ...]]] = [
            ("with NaN", (spoilt(fine, np.nan), coarse)),
            ("with NaN in the last one", (fine, spoilt(coarse, np.nan))),
            ("with infinity", (fine, spoilt(coarse, np.inf))),
            ("with minus infinity", (spoilt(fine, -np.inf), coarse)),
            ("of three axes", (fine[0], coarse[0])),
            ("of which one has five axes", (fine, coarse[None])),
            ("of which there are none", ()),
            ("without images", (fine[:0], coarse[:0])),
            ("without channels", (fine[:, :0], coarse)),
            ("without rows", (fine[:, :, :0], coarse)),
            ("of different numbers of images", (fine, coarse[:1])),
            ("of Python objects", (fine.astype(object), coarse.astype(object))),
        ]
        bad += _spoilt_at_the_end(_large(self.ctx.rng("large")))
        sizes = (0, -1, -3) if takes_size(self.ctx) else ()
        return [
            *(Refusal(f"maps {what}", lambda maps=maps: part.aggregate(maps)) for what, maps in bad),  # type: ignore[misc]
            *(Refusal(f"patch_size={size}", lambda size=size: self._with(case, size)) for size in sizes),  # type: ignore[misc]
        ]

    def ready(self, part: Any, case: Case) -> Callable[[], tuple[Any, ...]]:
        return lambda: (part.aggregate(case.arrays),)

    def answer_list(self, part: Any, arrays: list[Array]) -> Any:
        return part.aggregate(arrays)

    def require_form(self, part: Any, case: Case, answer: tuple[Any, ...]) -> None:  # noqa: ARG002 - the maps say it all
        well_formed(self.ctx, answer[0], case.arrays)
        require_float(self, plain(answer[0]), "the answer", evidence(case))

    def require_agree(self, case: Case, one: Bits, two: Bits, message: str) -> None:
        require_close(self.ctx, case, one, two, message, share(self.ctx))

    def _case(self, name: str, rng: np.random.Generator, *shapes: tuple[int, ...], **options: Any) -> Case:
        dtype = self.ctx.claims.dtype
        maps = [rounded_to(rng.standard_normal(shape).reshape(shape[0], -1), dtype).reshape(shape) for shape in shapes]
        return Case(name, tuple(maps), options)

    def _with(self, case: Case, size: int) -> Any:
        return self.ctx.make(patch_size=size).aggregate(case.arrays)


def _large(rng: np.random.Generator) -> tuple[Array, ...]:
    """Draw maps of more values than a look at the beginning would meet."""
    return tuple(rng.standard_normal((9, 16, *grid)).astype(np.float32) for grid in ((40, 36), (20, 18), (10, 9)))


def _spoilt_at_the_end(maps: tuple[Array, ...]) -> list[tuple[str, tuple[Any, ...]]]:
    """Put NaN or infinity into the last cell of the last image, of the last map and of the first."""
    coarsest, finest = (last_spoilt(maps[place], np.nan) for place in (-1, 0))
    return [
        ("large, with NaN in the last cell of the last one", (*maps[:-1], coarsest)),
        ("large, with NaN in the last cell of the first one", (finest, *maps[1:])),
        ("large, with infinity in the last cell of the last one", (*maps[:-1], last_spoilt(maps[-1], np.inf))),
    ]


def _whole(rng: np.random.Generator, most: int, shape: tuple[int, ...]) -> Array:
    return rng.integers(-most, most + 1, shape).astype(np.float32)


DRIVER = _Aggregator
