"""Networks inside a part, found and looked at without importing the library that they are made with."""

from __future__ import annotations

import functools
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEPTH = 5


def networks_in(part: Any) -> list[Any]:
    """Return the torch-like modules that a part holds, by whatever way."""
    found: dict[int, Any] = {}
    _walk(getattr(part, "unwatched", part), _DEPTH, set(), found)
    return list(found.values())


def _walk(value: Any, depth: int, seen: set[int], found: dict[int, Any]) -> None:
    if depth < 0 or id(value) in seen or isinstance(value, (str, bytes, int, float, np.ndarray, type)):
        return
    seen.add(id(value))
    if _is_network(value):
        found[id(value)] = value
        return
    for inner in _inside(value):
        _walk(inner, depth - 1, seen, found)


def _is_network(value: Any) -> bool:
    return all(hasattr(value, name) for name in ("state_dict", "_forward_hooks", "train", "training"))


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, (list, tuple, set)):
        return list(value)
    if isinstance(value, functools.partial):
        return [value.func, *value.args, *value.keywords.values()]
    cells = getattr(value, "__closure__", None) or ()
    slots = [getattr(value, name, None) for name in getattr(type(value), "__slots__", ()) if isinstance(name, str)]
    return [
        *getattr(value, "__dict__", {}).values(),
        *slots,
        getattr(value, "__self__", None),
        *(cell.cell_contents for cell in cells if _is_filled(cell)),
    ]


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


@dataclass(frozen=True)
class Fingerprint:
    """What networks have learned, and how many hooks they carry."""

    values: dict[str, bytes]
    hooks: int

    @classmethod
    def of(cls, networks: list[Any]) -> Fingerprint:
        """Look at networks, those inside of them too."""
        values, hooks = {}, 0
        for place, network in enumerate(networks):
            for name, value in network.state_dict().items():
                if hasattr(value, "detach"):
                    values[f"{place}.{name}"] = bytes(repr(value.shape), "ascii") + _bytes(value)
            hooks += sum(len(one._forward_hooks) + len(one._forward_pre_hooks) for one in network.modules())
        return cls(values, hooks)

    def changed(self, later: Fingerprint) -> str:
        """Name the first thing that differs; nothing where all is as it was."""
        if self.hooks != later.hooks:
            return f"the number of hooks from {self.hooks} to {later.hooks}"
        return next((name for name in self.values if self.values[name] != later.values.get(name)), "")


def _bytes(tensor: Any) -> bytes:
    return bytes(np.ascontiguousarray(tensor.detach().cpu().float().numpy()).tobytes())


@contextmanager
def train(part: Any, inside_only: bool = False) -> Iterator[None]:
    """Put a part and its public networks into training mode, where it has such a thing, and back.

    ``inside_only`` leaves the flag of each network itself in evaluation mode: a host may train one stage of it alone.
    """
    owner = getattr(part, "unwatched", part)
    public = [value for name, value in getattr(owner, "__dict__", {}).items() if not name.startswith("_")]
    switched = [one for one in (owner, *public) if callable(getattr(one, "train", None)) and hasattr(one, "training")]
    before = [one.training for one in switched]
    try:
        for one in switched:
            one.train()
            if inside_only and hasattr(one, "children"):
                one.training = False
        yield
    finally:
        for one, mode in zip(switched, before, strict=True):
            one.train(mode)
