"""A part under test, watched: its answers are recorded, so that a saboteur can corrupt them afterwards."""

from __future__ import annotations

import copy
import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance.saboteur import Call

if TYPE_CHECKING:
    from collections.abc import Callable

    from patchcore_conformance.saboteur import Saboteur

# Methods whose answers are judged, and whether the answer is again something to watch.
_ANSWERS = {
    "select": False,
    "select_with_report": False,
    "build": True,
    "query": False,
    "extract": False,
    "aggregate": False,
    "image_scores": False,
    "anomaly_map": False,
    "fit": True,
    "score": False,
}
_OPTIONAL = {"select_with_report"}


class Record:
    """What a part answered during one check, by what it was asked; ``methods`` are those that were."""

    def __init__(self) -> None:
        self._answers: dict[str, tuple[Any, Exception | None]] = {}
        self.methods: set[str] = set()

    def keep(self, key: str, method: str, output: Any, error: Exception | None) -> None:
        """Remember a copy of an answer; the first one counts."""
        self.methods.add(method)
        self._answers.setdefault(key, (_copied(output), error))

    def find(self, key: str) -> tuple[Any, Exception | None] | None:
        """Return a fresh copy of an answer, or None where this was never asked."""
        found = self._answers.get(key)
        return None if found is None else (_copied(found[0]), found[1])


class Watched:
    """Stands for a part or for an index that it built; everything else is passed on to it."""

    def __init__(self, make: Callable[[], Any], key: str, tap: Tap) -> None:
        self._make, self._key, self._tap = make, key, tap
        self._made: list[Any] = []
        if tap.eager:
            self._target()

    def _target(self) -> Any:
        if not self._made:
            self._made.append(self._make())
        return self._made[0]

    @property
    def unwatched(self) -> Any:
        """The part itself."""
        return self._target()

    def __getattr__(self, name: str) -> Any:
        if name not in _ANSWERS or (name in _OPTIONAL and not hasattr(self._target(), name)):
            return getattr(self._target(), name)

        def call(*args: Any, **kwargs: Any) -> Any:
            key = f"{self._key}.{name}({_fingerprint((args, kwargs))})"
            if _ANSWERS[name]:
                return self._tap.watch(lambda *a, **k: getattr(self._target(), name)(*a, **k), key, args, kwargs)
            return self._tap.answer(
                lambda: getattr(self._target(), name)(*args, **kwargs), key, Call(name, args, kwargs)
            )

        return call


class Tap:
    """Answers pass through as they are, and are recorded."""

    eager = True

    def __init__(self, record: Record) -> None:
        self._record = record
        self._failed: list[tuple[Exception, Call]] = []

    def failed_on(self, error: BaseException) -> dict[str, Any]:
        """Name what a watched method was given when it raised this error; nothing if it came from elsewhere."""
        for raised, call in self._failed:
            if raised is error:
                given = {f"argument_{place}": value for place, value in enumerate(call.args)}
                return {"method": call.method, **given, **call.kwargs}
        return {}

    def watch(self, make: Callable[..., Any], key: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Watched:
        """Build something that is watched in turn."""
        return Watched(lambda: make(*args, **kwargs), key, self)

    def answer(self, compute: Callable[[], Any], key: str, call: Call) -> Any:
        """Let the part answer."""
        try:
            output = compute()
        except Exception as error:
            self._record.keep(key, call.method, None, error)
            self._failed = [(error, call)]  # the last one is enough: an error that is let through ends the check
            raise
        self._record.keep(key, call.method, output, None)
        return output


class SabotagedTap(Tap):
    """Answers come from the record, or from the part where it was not asked before; one saboteur corrupts them."""

    eager = False

    def __init__(self, record: Record, saboteur: Saboteur, seed: int) -> None:
        super().__init__(record)
        self._saboteur, self._rng = saboteur, np.random.default_rng(seed)
        self.applied = 0

    def watch(self, make: Callable[..., Any], key: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Watched:
        """Build only when something is asked that the record does not hold, from what the arguments are now."""
        args, kwargs = _copied(args), _copied(kwargs)
        return Watched(lambda: make(*args, **kwargs), key, self)

    def answer(self, compute: Callable[[], Any], key: str, call: Call) -> Any:
        """Corrupt what was answered."""
        found = self._record.find(key)
        if found is None:
            found = _tried(compute)
        call.output, call.error = found
        if call.method == self._saboteur.method:
            corrupted = self._saboteur.corrupt(call, self._rng)
            if corrupted is not None:
                self.applied += 1
                return corrupted
        if call.error is not None:
            raise call.error
        return call.output


def _tried(compute: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return compute(), None
    except Exception as error:  # noqa: BLE001 - a saboteur may turn any error into an answer
        return None, error


def _copied(value: Any) -> Any:
    """Copy arrays and tensors, also inside tuples, lists and dicts; leave everything else as it is."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, tuple):
        copies = [_copied(one) for one in value]
        return type(value)(*copies) if hasattr(value, "_fields") else tuple(copies)
    if isinstance(value, list):
        return [_copied(one) for one in value]
    if isinstance(value, dict):
        return {name: _copied(one) for name, one in value.items()}
    if hasattr(value, "detach") and hasattr(value, "clone"):
        return value.clone()
    return copy.copy(value) if hasattr(value, "__dataclass_fields__") else value


def _fingerprint(value: Any) -> str:
    """Tell two sets of arguments apart: values, dtype, shape and layout."""
    digest = hashlib.blake2b(digest_size=16)
    _feed(digest, value)
    return digest.hexdigest()


def _feed(digest: hashlib.blake2b, value: Any) -> None:
    if isinstance(value, np.ndarray) and value.dtype != object:
        digest.update(f"array {value.dtype.str} {value.shape} {value.strides} {value.flags.writeable}".encode())
        digest.update(np.ascontiguousarray(value).view(np.uint8).reshape(-1).data if value.size else b"")
    elif isinstance(value, (tuple, list)):
        digest.update(f"{type(value).__name__} {len(value)}".encode())
        for one in value:
            _feed(digest, one)
    elif isinstance(value, dict):
        _feed(digest, sorted(value.items()))
    elif hasattr(value, "detach"):
        digest.update(type(value).__name__.encode())
        _feed(digest, np.asarray(value.detach().cpu()))
    else:
        digest.update(f"{type(value).__name__} {value!r}".encode())
