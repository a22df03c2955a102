"""Mistakes that every kind of part can make: a right part of each kind, met on the way in or out by one mistake."""

from __future__ import annotations

import time
import warnings
from functools import partial
from importlib import import_module
from typing import Any, ClassVar

import numpy as np

from patchcore_conformance.broken.guest import Guest, changed
from patchcore_conformance.broken.registry import broken

# The right part of each kind, and what it may claim.
RIGHT: dict[str, tuple[str, dict[str, Any]]] = {
    "sampler": ("Greedy", {"level": "exact", "arith": "E0"}),
    "neighbors": ("Exact", {"level": "exact", "arith": "E0"}),
    "extractor": ("ToyBackbone", {}),
    "aggregator": ("LocalMean", {}),
    "scores": ("Reweighted", {"arith": "E0"}),
    "maps": ("Blurred", {}),
}


class OneGenerator(Guest):
    """Draws from a generator that all instances share."""

    shared: ClassVar[np.random.Generator] = np.random.default_rng(0)

    def called(self, ask: Any, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(changed(one, self.shared) for one in ask(arrays))


class CentresInPlace(Guest):
    """Takes the mean off what came in, without a copy."""

    def called(self, ask: Any, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        answer = super().called(ask, arrays)
        for array in arrays:
            if array.size and array.dtype.kind == "f" and np.isfinite(array).all():
                array -= array.mean(dtype=array.dtype) + 1
        return answer


class StorageOrder(Guest):
    """Reads memory in the order in which it lies there."""

    def called(self, ask: Any, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        return super().called(ask, tuple(array.ravel(order="K").reshape(array.shape) for array in arrays))


class OneBuffer(Guest):
    """Answers of a shape always lie in the same memory."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.buffers: dict[Any, Any] = {}

    def called(self, ask: Any, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        answer = super().called(ask, arrays)
        kept = [self.buffers.setdefault((place, one.shape), np.empty_like(one)) for place, one in enumerate(answer)]
        for buffer, one in zip(kept, answer, strict=True):
            buffer[...] = one
        return tuple(kept)


class ViewOfState(Guest):
    """Hands out what it will answer next time."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.known: dict[Any, Any] = {}

    def called(self, ask: Any, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        key = tuple(array.tobytes() for array in arrays)
        if key not in self.known:
            self.known[key] = super().called(ask, arrays)
        found: tuple[Any, ...] = self.known[key]
        return found


class CacheByShape(Guest):
    """Looks answers up by the shape of what came in, or by a sum that others share."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.known: dict[Any, Any] = {}

    def key(self, arrays: tuple[Any, ...]) -> Any:
        return tuple(array.shape for array in arrays)

    def called(self, ask: Any, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        fresh = super().called(ask, arrays)
        return tuple(one.copy() for one in self.known.setdefault(self.key(arrays), fresh))


class CacheBySum(CacheByShape):
    """Takes a sum for a fingerprint."""

    def key(self, arrays: tuple[Any, ...]) -> Any:
        return tuple((array.shape, round(float(np.sum(array, dtype=np.float64)), 6)) for array in arrays)


class CacheByAddress(CacheByShape):
    """Takes the place in memory for the data."""

    def key(self, arrays: tuple[Any, ...]) -> Any:
        return tuple((array.shape, array.ctypes.data) for array in arrays)


class GlobalChance(Guest):
    """Draws from the state that the whole process shares."""

    def called(self, ask: Any, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        rng = np.random.default_rng(np.random.randint(2**31))  # noqa: NPY002 - the mistake
        return tuple(changed(one, rng) for one in ask(arrays))


class OrderOfHashes(Guest):
    """Seeds by the hash of a name."""

    def called(self, ask: Any, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        rng = np.random.default_rng(abs(hash("layer2")))
        return tuple(changed(one, rng) for one in ask(arrays))


class SeedsTheProcess(Guest):
    """Wants to be repeatable, at everyone's cost."""

    def called(self, ask: Any, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        np.random.seed(0)  # noqa: NPY002 - the mistake
        return super().called(ask, arrays)


class SilencesNumPy(Guest):
    """Switches warnings about arithmetic off, and leaves it so."""

    def called(self, ask: Any, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        np.seterr(all="ignore")
        return super().called(ask, arrays)


class TakesNaN(Guest):
    """Replaces what is no number by zero, unasked."""

    def called(self, ask: Any, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        return super().called(ask, tuple(np.nan_to_num(array) if array.dtype != object else array for array in arrays))


class RefusesOtherwise(Guest):
    """Lets an index error through where input is bad."""

    def called(self, ask: Any, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        try:
            return super().called(ask, arrays)
        except ValueError as problem:
            raise IndexError(*problem.args) from problem


class SpoiltByRefusal(Guest):
    """Begins to change before it looks whether the input is good."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.spoilt = False

    def called(self, ask: Any, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        try:
            answer = super().called(ask, arrays)
        except ValueError:
            self.spoilt = True
            raise
        return tuple(changed(one, np.random.default_rng(5)) for one in answer) if self.spoilt else answer


class OneDtype(Guest):
    """Hands the input to a library that knows float32 only."""

    def called(self, ask: Any, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        if any(array.dtype == np.float16 for array in arrays):
            raise RuntimeError("expected scalar type Float but found Half")
        return super().called(ask, arrays)


class HoldsALambda(Guest):
    """Cannot be pickled."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.step = lambda value: value


class SharedScratch(Guest):
    """Keeps the input in the instance while it works."""

    scratch: tuple[Any, ...] = ()

    def called(self, ask: Any, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        self.scratch = arrays
        time.sleep(0.0005)
        return super().called(ask, self.scratch)


class Warns(Guest):
    """Overflows on the way, and carries on."""

    def called(self, ask: Any, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        warnings.warn("overflow encountered in multiply", RuntimeWarning, stacklevel=2)
        return super().called(ask, arrays)


class OtherKinds(Guest):
    """Answers row numbers as floats, and maps in half precision."""

    def called(self, ask: Any, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(one.astype(np.float16 if one.dtype.kind == "f" else np.float64) for one in ask(arrays))


class Lists(Guest):
    """Answers lists."""

    def called(self, ask: Any, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(one.tolist() for one in ask(arrays))


def right_part(kind: str) -> Any:
    """Return the factory of the right part."""
    return getattr(import_module(f"patchcore_conformance.model.{kind}"), RIGHT[kind][0])


def make(kind: str, mistake: type[Guest], **options: Any) -> Guest:
    """Make a part of a kind with a mistake."""
    return mistake(right_part(kind)(**options))


_MISTAKES: tuple[tuple[str, type[Guest], tuple[str, ...], dict[str, Any]], ...] = (
    ("one generator for all", OneGenerator, ("X01", "X05"), {}),
    ("centres in place", CentresInPlace, ("X02",), {}),
    ("reads in storage order", StorageOrder, ("X03",), {}),
    ("one buffer", OneBuffer, ("X04",), {}),
    ("hands out its state", ViewOfState, ("X04",), {}),
    ("cache by shape", CacheByShape, ("X05",), {}),
    ("cache by sum", CacheBySum, ("X05",), {}),
    ("cache by address", CacheByAddress, ("X05",), {}),
    ("global chance", GlobalChance, ("X06", "X07"), {}),
    ("order of hashes", OrderOfHashes, ("X06",), {}),
    ("seeds the process", SeedsTheProcess, ("X07",), {}),
    ("silences NumPy", SilencesNumPy, ("X07",), {}),
    ("takes NaN", TakesNaN, ("X08",), {}),
    ("refuses with an IndexError", RefusesOtherwise, ("X08",), {}),
    ("spoilt by a refusal", SpoiltByRefusal, ("X08",), {}),
    ("takes no float16", OneDtype, ("X09",), {}),
    ("holds a lambda", HoldsALambda, ("X10",), {"serialisable": True}),
    ("scratch in the instance", SharedScratch, ("X11",), {"thread_safe": True}),
    ("warns", Warns, ("X12",), {}),
    ("rows as floats, maps in half", OtherKinds, ("X13",), {}),
    ("lists", Lists, ("X13",), {}),
)

for _kind, (_, _claims) in RIGHT.items():
    for _name, _mistake, _laws, _more in _MISTAKES:
        broken(_kind, _name, caught_by=_laws, **_claims, **_more)(partial(make, _kind, _mistake))
