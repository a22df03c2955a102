"""What the laws for all kinds need of one kind: small inputs, a way to ask, and when two answers agree."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from patchcore_conformance.plain import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from patchcore_conformance.context import Context
    from patchcore_conformance.watched import Watched

Array = npt.NDArray[Any]
Bits = tuple[Array, ...]

MANY = 67  # images: a prime, above what is usually worked on at a time
ONE_OVER = 65  # images: whatever power of two is worked on at a time, the last one is alone


@dataclass(frozen=True)
class Case:
    """One input: arrays in the order in which the part gets them, the options to create it with, and how it is asked.

    ``k`` is that of a query, or the number of neighbors of an image score; ``size`` and ``sigma`` are those of a map.
    """

    name: str
    arrays: tuple[Array, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    k: int = 1
    size: tuple[int, int] = (0, 0)
    sigma: float = 0.0

    def of(self, arrays: tuple[Array, ...] | list[Array]) -> Case:
        """Return the same question about other arrays."""
        return replace(self, arrays=tuple(arrays))

    def each(self, change: Callable[[Array], Array]) -> Case:
        """Return the same question with every array changed."""
        return self.of([change(array) for array in self.arrays])

    def fresh(self) -> Case:
        """Return the same question about arrays that nobody else holds."""
        return self.each(lambda array: array.copy())


@dataclass(frozen=True)
class Refusal:
    """Something a part must refuse; ``ask`` asks it."""

    what: str
    ask: Callable[[], Any]


class Driver:
    """How the laws for all kinds talk to one kind; one a check."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx

    def cases(self) -> list[Case]:
        """Return valid inputs: two of one shape, then others. They are float32 and writable."""
        raise NotImplementedError

    def dtype_cases(self) -> list[tuple[Case, tuple[str, ...]]]:
        """Return inputs of values that each of the dtypes beside them holds exactly."""
        raise NotImplementedError

    def of_each_option(self) -> list[Case]:
        """Return one input for each set of options that a part is asked with: what may get lost in a copy."""
        cases = self.cases()
        return [case for place, case in enumerate(cases) if case.options not in [one.options for one in cases[:place]]]

    def tied(self) -> list[Case]:
        """Return inputs with ties of which nothing is rounded: here bits may not depend on how work is split."""
        return []

    def pairs(self) -> list[tuple[Case, Case]]:
        """Return questions that differ in one setting alone: what is kept for the first is wrong for the second.

        Nothing else of the same shape is asked.
        """
        return []

    def refusals(self, part: Any, case: Case) -> list[Refusal]:
        """Return what must be refused, asked of a part that was made for a case."""
        raise NotImplementedError

    def after_refusals(self, part: Any, case: Case) -> tuple[Any, ...]:
        """Ask again what has had to refuse."""
        return self.answer(part, case)

    def ready(self, part: Any, case: Case) -> Callable[[], tuple[Any, ...]]:
        """Give a part what it prepares once, and return how to ask it."""
        raise NotImplementedError

    def questions(self, part: Any, cases: list[Case]) -> list[tuple[Case, Callable[[], tuple[Any, ...]]]]:
        """Return questions that one part is ready for all at once, each with the way to ask it."""
        return [(case, self.ready(part, case)) for case in cases]

    def answer_list(self, part: Any, arrays: list[Array]) -> Any:  # noqa: ARG002
        """Ask with the arrays in this very list; None where the kind takes no list of arrays."""
        return None

    def require_form(self, part: Any, case: Case, answer: tuple[Any, ...]) -> None:
        """Hold an answer to types, shapes and ranges."""
        raise NotImplementedError

    def require_agree(self, case: Case, one: Bits, two: Bits, message: str) -> None:
        """Hold two answers to the same question to each other, as far as rounding and ties allow."""
        raise NotImplementedError

    def require_comparable(self) -> None:
        """Raise NotOffered, at a law's end, where any answers of good form agree: then agreement shows nothing."""

    def require_digits(self) -> None:
        """Hold a part to the digits that it claims; nothing where ``require_agree`` measures against the truth."""

    def make(self, case: Case) -> Watched:
        """Return a fresh part for a case, watched."""
        return self.ctx.make(**case.options)

    def raw(self, case: Case) -> Any:
        """Return a fresh part for a case, unwatched."""
        return self.ctx.raw(**case.options)

    def answer(self, part: Any, case: Case) -> tuple[Any, ...]:
        """Ask once."""
        return self.ready(part, case)()

    def bits(self, part: Any, case: Case) -> Bits:
        """Ask once, and keep a copy of the answer."""
        return copied(self.answer(part, case))

    def require_same(self, case: Case, one: Bits, two: Bits, message: str) -> None:
        """Hold two answers to equal bits, or to the kind's rule where the part is not deterministic."""
        if self.ctx.claims.deterministic:
            require_equal_bits(self.ctx, case, one, two, message)
        else:
            self.require_agree(case, one, two, message)


def driver_of(ctx: Context) -> Driver:
    """Return the driver of the context's kind."""
    module = import_module(f"patchcore_conformance.drivers.generic_{ctx.kind}")
    return cast("Driver", module.DRIVER(ctx))


def shuffled_within(array: Array) -> Array:
    """Return the same values in another order but at the two ends: of the same sum, first row and last row."""
    values = array.reshape(-1).copy()
    end = values.size // max(4, len(array))
    values[end : values.size - end] = values[end : values.size - end][::-1]
    return values.reshape(array.shape)


def touched_once(array: Array) -> Array:
    """Return the same values but one, in the middle, off the places where a look at every other row would fall."""
    changed = array.copy()
    changed[tuple(length // 2 | 1 if length > 3 else 0 for length in array.shape)] -= 3
    return changed


def widened(case: Case) -> Case:
    """Return the same question about float64 arrays that nobody else holds: what needs no conversion may be a view."""
    return case.each(lambda array: array.astype(np.float64))


def copied(answer: tuple[Any, ...]) -> Bits:
    """Copy an answer out of whatever memory it lies in."""
    return tuple(np.array(plain(one)) for one in answer)


def require_alike(ctx: Context, case: Case, one: Bits, two: Bits, message: str) -> None:
    """Hold two answers to the same number of arrays of the same shapes."""
    shapes = [[array.shape for array in answer] for answer in (one, two)]
    ctx.require(shapes[0] == shapes[1], f"{message}: shapes {shapes[0]} and {shapes[1]}", **evidence(case, one, two))


def require_equal_bits(ctx: Context, case: Case, one: Bits, two: Bits, message: str) -> None:
    """Hold two answers to equality, dtypes included."""
    require_alike(ctx, case, one, two, message)
    for left, right in zip(one, two, strict=True):
        same = left.dtype == right.dtype and bool(np.array_equal(left, right, equal_nan=left.dtype.kind == "f"))
        ctx.require(same, f"{message}: {difference(left, right)}", **evidence(case, one, two))


def require_close(ctx: Context, case: Case, one: Bits, two: Bits, message: str, tolerance: float) -> None:
    """Hold two answers to each other within a share of the largest value of each array."""
    require_alike(ctx, case, one, two, message)
    for left, right in zip(one, two, strict=True):
        wide, other = left.astype(np.float64), right.astype(np.float64)
        size = float(np.abs(wide).max(initial=0.0))
        ctx.within(np.abs(wide - other), tolerance * size, message, **evidence(case, one, two))


def require_refused(ctx: Context, refusal: Refusal, *more: type[Exception]) -> None:
    """Hold a part to a ValueError or a TypeError, or one of ``more``."""
    allowed: tuple[type[Exception], ...] = (ValueError, TypeError, *more)
    needed = f"{refusal.what}: a ValueError or a TypeError is needed"
    try:
        refusal.ask()
    except allowed:
        return
    except Exception as problem:  # noqa: BLE001 - the wrong exception is what is looked for
        ctx.broken(f"{needed}, but {type(problem).__name__} was raised: {problem}")
    ctx.broken(f"{needed}, but an answer came")


def evidence(case: Case, *answers: Bits) -> dict[str, Any]:
    """Name the arrays of a question and of its answers."""
    found: dict[str, Any] = {f"input_{place}": array for place, array in enumerate(case.arrays)}
    for number, answer in enumerate(answers):
        found |= {f"answer_{number}_{place}": array for place, array in enumerate(answer)}
    return found | {"case": case.name}


def difference(left: Array, right: Array) -> str:
    """Say how two arrays of one shape differ."""
    if left.dtype != right.dtype:
        return f"{left.dtype} and {right.dtype}"
    places = np.argwhere(left != right)
    if not len(places):
        return "NaN in one of them"
    place = tuple(int(i) for i in places[0])
    return f"{len(places)} of {left.size} values differ, the first at {list(place)}: {left[place]} and {right[place]}"


# How far two right answers may be apart, as a share of the largest value: extractors and aggregators.
SHARES = {"float64": 1e-5, "float32": 1e-5, "float16": 2e-2, "bfloat16": 1e-1}
