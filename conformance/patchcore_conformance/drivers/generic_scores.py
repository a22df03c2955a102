"""Image scores for the laws that hold for all kinds: answers agree if each is a right one, ties aside."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance.drivers.driver import Bits, Case, Driver, Refusal, evidence, require_alike
from patchcore_conformance.drivers.generic_extractor import require_float
from patchcore_conformance.drivers.generic_sampler import spoilt
from patchcore_conformance.drivers.scores import Question, of_rows, truth, well_formed
from patchcore_conformance.plain import plain

if TYPE_CHECKING:
    from collections.abc import Callable

_HALF = ("float16", "bfloat16")


class _Scores(Driver):
    """Asks by ``image_scores``; k is the number of neighbors."""

    def cases(self) -> list[Case]:
        rng = self.ctx.rng("inputs")
        return [
            self._case("two images", rng.standard_normal((2, 6, 5)), rng.standard_normal((24, 5)), 3),
            self._case("two other images", rng.standard_normal((2, 6, 5)), rng.standard_normal((24, 5)), 3),
            self._case("ties", rng.integers(-3, 4, (3, 5, 3)), rng.integers(-3, 4, (17, 3)), 4),
            self._case("one image, not weighed", rng.standard_normal((1, 9, 4)), rng.standard_normal((9, 4)), 1),
        ]

    def pairs(self) -> list[tuple[Case, Case]]:
        rng = self.ctx.rng("pairs")
        case = self._case("3 neighbors", rng.standard_normal((1, 7, 6)), rng.standard_normal((22, 6)), 3)
        return [(case, replace(case, k=5))]

    def dtype_cases(self) -> list[tuple[Case, tuple[str, ...]]]:
        rng = self.ctx.rng("dtypes")

        def numbers(name: str, most: int) -> Case:
            images, bank = (rng.integers(-most, most + 1, shape) for shape in ((2, 5, 6), (26, 6)))
            return self._case(name, images, bank, 4)

        found: list[tuple[Case, tuple[str, ...]]] = [
            (numbers("small whole numbers", 3), ("float32", "float16", "float64"))
        ]
        if self.ctx.claims.dtype not in _HALF:
            wide = numbers("numbers whose squares float16 cannot hold", 300)
            digits = numbers("numbers of 13 bits", 8191)
            images, bank = (rng.integers(100, 301, shape) for shape in ((2, 30, 8), (60, 8)))
            heavy = self._case("numbers whose sum float16 cannot hold", images, bank, 4)
            found += [(one, ("float32", "float16", "float64")) for one in (wide, heavy)]
            found.append((digits, ("float32", "float64")))
        return found

    def refusals(self, part: Any, case: Case) -> list[Refusal]:
        images, bank = case.arrays
        bad: list[tuple[str, Any, Any]] = [
            ("embeddings with NaN", spoilt(images, np.nan), bank),
            ("embeddings with infinity", spoilt(images, np.inf), bank),
            ("a bank with NaN", images, spoilt(bank, np.nan)),
            ("a bank with minus infinity", images, spoilt(bank, -np.inf)),
            ("embeddings of two axes", images[0], bank),
            ("embeddings of four axes", images[None], bank),
            ("embeddings without patches", images[:, :0], bank),
            ("a bank of one axis", images, bank[0]),
            ("a bank of three axes", images, bank[None]),
            ("a bank without rows", images, bank[:0]),
            ("patches wider than the bank", np.concatenate([images, images], axis=2), bank),
            ("patches of one value", images[:, :, :1].copy(), bank),
            ("embeddings of Python objects", images.astype(object), bank),
        ]
        ask = part.image_scores
        return [
            *(Refusal(what, lambda one=one, two=two: ask(one, two, neighbors=case.k)) for what, one, two in bad),  # type: ignore[misc]
            *(Refusal(f"neighbors={b}", lambda b=b: ask(images, bank, neighbors=b)) for b in (0, -1)),  # type: ignore[misc]
        ]

    def ready(self, part: Any, case: Case) -> Callable[[], tuple[Any, ...]]:
        return lambda: (part.image_scores(*case.arrays, neighbors=case.k),)

    def require_form(self, part: Any, case: Case, answer: tuple[Any, ...]) -> None:  # noqa: ARG002 - the case says it all
        well_formed(self.ctx, answer[0], _asked(case))
        require_float(self, plain(answer[0]), "the answer", evidence(case))

    def require_agree(self, case: Case, one: Bits, two: Bits, message: str) -> None:
        require_alike(self.ctx, case, one, two, message)
        allowed = truth(self.ctx, _asked(case))
        for answer in (one, two):
            for score, choices in zip(answer[0].astype(np.float64), allowed, strict=True):
                error, slack = choices.excess(float(score))
                self.ctx.within(error, slack, message, **evidence(case, one, two))

    def _case(self, name: str, images: Any, bank: Any, neighbors: int) -> Case:
        if self.ctx.claims.arith == "lattice":
            images, bank = np.rint(images), np.rint(bank)
        held = of_rows(self.ctx, images, bank, neighbors)
        return Case(name, (held.embeddings.copy(), held.bank), k=neighbors)


def _asked(case: Case) -> Question:
    images, bank = case.arrays
    return Question(images, bank, case.k)


DRIVER = _Scores
