"""Extractors for the laws that hold for all kinds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance.drivers.driver import Array, Bits, Case, Driver, Refusal, evidence, require_close
from patchcore_conformance.drivers.extractor import declared, pixels, scaled, share, well_formed
from patchcore_conformance.drivers.generic_sampler import spoilt
from patchcore_conformance.drivers.sampler import takes
from patchcore_conformance.numerics import UNITS
from patchcore_conformance.plain import plain

if TYPE_CHECKING:
    from collections.abc import Callable


class _Extractor(Driver):
    """Asks by ``extract``."""

    def cases(self) -> list[Case]:
        rng = self.ctx.rng("inputs")
        return [
            Case("two broad images", (pixels(self.ctx, rng, 2, 32, 64),)),
            Case("two other broad images", (pixels(self.ctx, rng, 2, 32, 64),)),
            Case("one tall image", (pixels(self.ctx, rng, 1, 64, 32),)),
        ]

    def of_each_option(self) -> list[Case]:
        one, names = self.cases()[0], declared(self.raw(self.cases()[0]))[0]
        alone = {"layers": names[:1]}
        return [one, *([replace(one, options=alone)] if len(names) > 1 and takes(self.ctx, **alone) else [])]

    def dtype_cases(self) -> list[tuple[Case, tuple[str, ...]]]:
        eighths = self.ctx.rng("dtypes").integers(
            -16, 17, (2, 3, scaled(self.ctx, 32), scaled(self.ctx, 64))
        ) / np.float32(8)
        dtypes = ("float32", "float16", "float64")
        found: list[tuple[Case, tuple[str, ...]]] = [(Case("pixels in eighths", (eighths.astype(np.float32),)), dtypes)]
        if self.ctx.claims.dtype == "float32":
            white = np.full((3, 3, scaled(self.ctx, 96), scaled(self.ctx, 96)), 2.5, np.float32)
            found.append((Case("white pixels, whose sum float16 cannot hold", (white,)), dtypes[:2]))
        return found

    def refusals(self, part: Any, case: Case) -> list[Refusal]:
        images, many = case.arrays[0], pixels(self.ctx, self.ctx.rng("large"), 17, 64, 96)
        bad = [
            ("with NaN", spoilt(images, np.nan)),
            ("with infinity", spoilt(images, np.inf)),
            ("with minus infinity", spoilt(images, -np.inf)),
            ("of many images, with NaN in the last pixel of all", last_spoilt(many, np.nan)),
            ("of many images, with infinity in the last pixel of all", last_spoilt(many, np.inf)),
            ("of three axes", images[0]),
            ("of five axes", images[None]),
            ("of two axes", images[0, 0]),
            ("of one channel", images[:, :1].copy()),
            ("of two channels", images[:, :2].copy()),
            ("of four channels", np.concatenate([images, images[:, :1]], axis=1)),
            ("with the channels last", np.ascontiguousarray(np.moveaxis(images, 1, -1))),
            ("without images", images[:0]),
            ("without rows", images[:, :, :0]),
            ("without columns", images[..., :0]),
            ("of Python objects", images.astype(object)),
        ]
        return [Refusal(f"pixels {what}", lambda one=one: part.extract(one)) for what, one in bad]  # type: ignore[misc]

    def ready(self, part: Any, case: Case) -> Callable[[], tuple[Any, ...]]:
        def ask() -> tuple[Any, ...]:
            answer = part.extract(case.arrays[0])
            self.ctx.require(isinstance(answer, (tuple, list)), f"the answer is a {type(answer).__name__}, no tuple")
            return tuple(answer)

        return ask

    def require_form(self, part: Any, case: Case, answer: tuple[Any, ...]) -> None:
        for one in well_formed(self.ctx, part, answer, case.arrays[0]):
            require_float(self, one, "a map", evidence(case))

    def require_agree(self, case: Case, one: Bits, two: Bits, message: str) -> None:
        require_close(self.ctx, case, one, two, message, share(self.ctx))


def last_spoilt(array: Array, value: float) -> Array:
    """Return a copy with one bad value, the very last."""
    bad = array.copy()
    bad[-1, -1, -1, -1] = value
    return bad


def require_float(driver: Driver, array: Any, name: str, told: dict[str, Any]) -> None:
    """Hold an answer to numbers of at least the digits that are claimed."""
    found = plain(array, name).dtype
    unit = UNITS.get(found.name, 0.0 if found.kind == "f" else 1.0)
    claimed = driver.ctx.claims.dtype
    enough = unit <= max(UNITS[claimed], UNITS["float32"])
    driver.ctx.require(enough, f"{name} holds {found}, but float32 is needed (claimed: {claimed})", **told)


DRIVER = _Extractor
