"""How any part's answers are spoilt after a PASS: ways that make sense for every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance.plain import plain
from patchcore_conformance.saboteur import Saboteur

if TYPE_CHECKING:
    from collections.abc import Callable

    from patchcore_conformance.drivers.driver import Array
    from patchcore_conformance.saboteur import Call

    Change = Callable[[Array, np.random.Generator], Any]

# The method of each kind that answers.
ASKED = ("select", "query", "extract", "aggregate", "image_scores", "anomaly_map")


def spoiling(name: str, change: Change, *methods: str) -> tuple[Saboteur, ...]:
    """Spoil each array of an answer, whichever method gave it."""

    def corrupt(call: Call, rng: np.random.Generator) -> Any:
        return None if call.error is not None else _each(call.output, lambda array: change(array, rng))

    return tuple(Saboteur(name, method, corrupt) for method in methods or ASKED)


def misbehaving(name: str, deed: Callable[[Call], None], *methods: str) -> tuple[Saboteur, ...]:
    """Answer as the part did, but do something beside that."""

    def corrupt(call: Call, _: np.random.Generator) -> Any:
        if call.error is not None:
            return None
        deed(call)
        return call.output

    return tuple(Saboteur(name, method, corrupt) for method in methods or ASKED)


def answering_anyway() -> tuple[Saboteur, ...]:
    """Answer where the part refused."""

    def corrupt(call: Call, _: np.random.Generator) -> Any:
        return None if call.error is None else np.zeros(1)

    return tuple(Saboteur("answers what it must refuse", method, corrupt) for method in ASKED)


def failing(name: str, error: type[Exception]) -> tuple[Saboteur, ...]:
    """Refuse with another exception than the part did."""

    def corrupt(call: Call, _: np.random.Generator) -> Any:
        if call.error is None:
            return None
        raise error("spoilt")

    return tuple(Saboteur(name, method, corrupt) for method in ASKED)


def moody(array: Array, rng: np.random.Generator) -> Any:
    """Answer otherwise each time."""
    if array.size == 0:
        return array
    spoilt = array.copy()
    if array.dtype.kind == "f":
        return (spoilt.astype(np.float64) * rng.uniform(1.2, 3.0) + rng.uniform(0.1, 1.0)).astype(array.dtype)
    spoilt.reshape(-1)[:] = rng.permutation(spoilt.reshape(-1))
    return spoilt


def without_last_axis(array: Array, _: np.random.Generator) -> Any:
    """Drop an axis."""
    return array[..., 0] if array.ndim > 1 else array[0]


def of_other_kind(array: Array, _: np.random.Generator) -> Any:
    """Answer whole numbers as floats, and floats as whole numbers."""
    return array.astype(np.int64) if array.dtype.kind == "f" else array.astype(np.float64)


def with_nan(array: Array, _: np.random.Generator) -> Any:
    """Put a NaN in; into row numbers, one that does not exist."""
    spoilt = array.copy()
    if spoilt.size:
        spoilt.reshape(-1)[-1] = np.nan if spoilt.dtype.kind == "f" else 10**6 % np.iinfo(spoilt.dtype).max
    return spoilt


def one_buffer() -> tuple[Saboteur, ...]:
    """Overwrite what was answered before, as a part does that always answers in the same memory."""
    handed_out: list[Array] = []

    def corrupt(call: Call, _: np.random.Generator) -> Any:
        if call.error is not None:
            return None
        for array in handed_out:
            array[...] = 0
        handed_out.clear()

        def hand_out(array: Array) -> Array:
            handed_out.append(array.copy())
            return handed_out[-1]

        return _each(call.output, hand_out)

    return tuple(Saboteur("always answers in the same memory", method, corrupt) for method in ASKED)


def scribble(call: Call) -> None:
    """Change what came in, as centring in place does."""
    for array in _arrays(call.args):
        if array.flags.writeable and array.size:
            array.reshape(-1)[0] += 1


def _arrays(value: Any) -> list[Array]:
    if isinstance(value, np.ndarray):
        return [value]
    return [array for one in value for array in _arrays(one)] if isinstance(value, (tuple, list)) else []


def _each(output: Any, change: Callable[[Array], Any]) -> Any:
    if isinstance(output, (tuple, list)):
        changed = [_each(one, change) for one in output]
        return type(output)(*changed) if hasattr(output, "_fields") else type(output)(changed)
    return change(plain(output).copy())
